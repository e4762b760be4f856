"""The page in a browser: the list, a trajectory, its marks."""

from dataclasses import replace

import pytest

from terminal_lego.report.inspector import Entry
from terminal_lego.report.safe_text import visible
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.report.inspector.made import count_rows, port_change, rename_unicode, selection

PHONE = {"viewport": {"width": 390, "height": 844}}


def initials(page) -> str:
    """The first letters of the tasks listed: p(ort-change), c(ount-rows), r(ename-unicode)."""
    return "".join(task[0] for task in page.locator("#list .task").all_text_contents())


def test_every_row_shows_its_numbers(inspect):
    page = inspect(selection())
    row = page.locator("#list .row").first
    assert row.locator(".n").all_inner_texts() == ["1", "0.67", "4", "3,127"]
    assert "deepseek-v3.2" in row.inner_text()
    marks = page.locator("#list .row >> nth=1").inner_text()
    assert "dropped" in marks and "1 parse error" in marks and "3 warnings" in marks
    assert page.locator("#list .row >> nth=2 >> .n").all_inner_texts() == ["\u2013", "1.00", "2", "412"]
    assert page.locator("#count").inner_text() == "3 of 3 trajectories"


def test_a_filter_leaves_what_it_says(inspect):
    page = inspect(selection())
    for field, value, left in (
        ("model", "glm-5", "r"),
        ("outcome", "passed", "p"),
        ("outcome", "failed", "c"),
        ("outcome", "none", "r"),
        ("selection", "kept", "pr"),
        ("selection", "dropped", "c"),
        ("replies", "errors", "c"),
        ("replies", "warnings", "pc"),
        ("replies", "clean", "r"),
    ):
        page.select_option(f"#filter-{field}", value)
        assert initials(page) == left, (field, value)
        page.select_option(f"#filter-{field}", "")
    assert initials(page) == "pcr"


def test_text_is_found_in_id_task_and_model(inspect):
    page = inspect(selection())
    for text in ("GLM-5", "unicode/rename__01", "name-uni"):
        page.fill("#filter-text", text)
        assert initials(page) == "r", text
    page.fill("#filter-text", "nowhere")
    assert "No trajectory matches" in page.locator("#list").text_content()
    assert page.locator("#count").inner_text() == "0 of 3 trajectories"


def test_filters_combine(inspect):
    page = inspect(selection())
    page.select_option("#filter-replies", "warnings")
    page.select_option("#filter-selection", "kept")
    assert initials(page) == "p"


def test_columns_sort_both_ways_and_what_has_no_number_comes_last(inspect):
    page = inspect(selection())
    for key, first, second in (
        ("reward", "pcr", "cpr"),
        ("tor", "rpc", "cpr"),
        ("turns", "pcr", "rpc"),
        ("tokens", "prc", "rpc"),
        ("id", "pcr", "rcp"),
    ):
        column = page.locator(f".columns [data-key={key}]")
        column.click()
        assert initials(page) == first, key
        column.click()
        assert initials(page) == second, key
        assert page.locator(".columns [aria-pressed=true]").all_inner_texts() == [column.inner_text()]


def test_an_empty_selection_says_so(inspect):
    assert "There is no trajectory." in inspect([]).locator("#list").text_content()


def test_a_trajectory_opens_with_its_facts(inspect):
    page = inspect(selection())
    page.locator("#list .row >> nth=1").click()
    page.locator("section.turn").first.wait_for()
    head = page.locator("#detail .head").inner_text()
    assert "count-rows" in head and "failed" in head and "dropped: reward below 1" in head
    assert "0 of 2 actions" in head and "no tokenizer" in head
    page.locator("#detail .head summary").click()
    assert "AgentTimeoutError" in page.locator("#detail .facts").inner_text()
    assert page.locator("#list [aria-current=true] .task").inner_text() == "count-rows"
    assert page.evaluate("location.hash") == "#trajectory-2"


@pytest.mark.parametrize("make", [port_change, count_rows, rename_unicode])
def test_raw_replies_and_screens_are_shown_character_for_character(inspect, make):
    entry = make()
    page = inspect([entry], 1)
    replies = page.locator("section.turn .reply").evaluate_all("nodes => nodes.map(n => n.textContent)")
    assert replies == [visible(turn.reply) for turn in entry.trajectory.turns]
    last = page.locator("section.turn .screen").last
    assert last.text_content() == entry.trajectory.turns[-1].observation


def test_every_class_has_a_letter_and_its_own_underline(inspect):
    page = inspect([port_change()], 1)
    found = {}
    for name in ("observation", "action", "verification", "other"):
        spot = page.locator(f".reply .event.{name}[data-mark]").first
        found[name] = spot.evaluate(
            "n => [getComputedStyle(n, '::before').content, getComputedStyle(n).textDecorationLine + ' ' +"
            " getComputedStyle(n).textDecorationStyle]"
        )
    assert [letter for letter, _ in found.values()] == ['"O"', '"A"', '"V"', '"X"']
    assert len({line for _, line in found.values()}) == 4
    assert page.locator("[data-mark='A!'] >> nth=-1").text_content().startswith("printf")
    assert page.locator(".legend li").count() == 6


def test_errors_and_warnings_stand_at_their_turn(inspect):
    page = inspect([count_rows()], 1)
    turns = page.locator("section.turn")
    assert "Parse error No valid JSON found in response" in turns.nth(0).inner_text()
    assert "AUTO-CORRECTED" in turns.nth(1).locator(".flag.warn").inner_text()
    assert "wrong order" in turns.nth(2).locator(".flag.warn").inner_text()
    assert turns.nth(2).locator("details").inner_text() == "Reasoning"
    assert "Copied from another trajectory." in turns.nth(3).inner_text()


def test_masked_tokens_look_different_and_borders_can_be_shown(inspect):
    page = inspect([port_change()], 1)
    masked = page.locator("section.turn >> nth=0 >> .masked")
    assert "".join(masked.all_text_contents()) == "ls -la /app tail -n 90 /var/log/app.log"
    assert "110 of 131 tokens trained" in page.locator("section.turn").first.inner_text()
    assert masked.first.evaluate("n => getComputedStyle(n).backgroundImage") != "none"
    border = "n => getComputedStyle(n).boxShadow"
    assert masked.first.evaluate(border) == "none"
    page.locator("#tokens").click()
    assert masked.first.evaluate(border) != "none"
    assert page.locator("#tokens").get_attribute("aria-pressed") == "true"
    inner = page.locator(".reply span:not(.token):not(.event)").first
    assert inner.evaluate(border) == "none"


def test_other_weights_are_told(inspect):
    page = inspect([rename_unicode()], 1)
    assert page.locator(".reply .weighed").first.get_attribute("title") == "weight 0.5"
    assert "weight other than 1" in page.locator(".legend").inner_text()


def test_without_tokens_there_is_no_mask_to_show(inspect):
    page = inspect([count_rows()], 1)
    assert page.locator("#tokens").is_disabled()
    assert page.locator(".masked").count() == 0


def test_a_line_leads_from_an_action_to_its_observation(inspect):
    page = inspect([port_change()], 1)
    assert page.locator(".lines path").count() == 0
    page.locator("[data-event='3']").first.hover()
    lit = page.locator(".lit").evaluate_all("nodes => [...new Set(nodes.map(n => n.dataset.event))].sort()")
    assert lit == ["1", "3"]
    assert page.locator(".lines path").count() == 1
    top, bottom = page.locator(".lines path").evaluate(
        "p => { const box = p.getBoundingClientRect(); return [box.top, box.bottom]; }"
    )
    foot = "n => n.getClientRects()[0].bottom"
    ends = [page.locator(f"[data-event='{index}']").first.evaluate(foot) for index in (1, 3)]
    assert [top, bottom] == pytest.approx(ends, abs=4)
    page.mouse.move(1, 1)
    assert page.locator(".lit, .lines path").count() == 0


@pytest.mark.parametrize("how", ["click", "Enter", " "])
def test_one_can_jump_to_the_observation_and_back(inspect, how):
    page = inspect([port_change()], 1)
    focused = "document.activeElement.dataset.event"

    def go(index: int) -> str:
        spot = page.locator(f"[data-event='{index}'][role=button]")
        spot.click() if how == "click" else spot.press(how)
        return page.evaluate(focused)

    assert go(6) == "0"
    assert page.locator("[data-event='0']").first.evaluate(
        "n => n.getBoundingClientRect().top > 0 && n.getBoundingClientRect().bottom < innerHeight"
    )
    assert page.locator(".lines path").count() == 1
    assert go(0) == "6"


def test_an_action_without_support_leads_nowhere(inspect):
    spot = inspect([port_change()], 1).locator("[data-event='4']").first
    assert spot.get_attribute("role") is None
    assert "unsupported" in spot.get_attribute("class")


def test_an_observation_shows_every_action_it_supports(inspect):
    entry = port_change()
    page = inspect([replace(entry, links={3: 1, 4: 1, 6: 1})], 1)
    page.locator("[data-event='1'][role=button]").focus()
    assert page.locator(".lines path").count() == 3


def test_a_line_to_a_covered_command_ends_where_it_stands(inspect):
    entry = port_change()
    cat = entry.events[1]
    events = [replace(entry.events[0], command=1, start=cat.start, end=cat.end), *entry.events[1:]]
    page = inspect([replace(entry, events=events, links={3: 1, 6: 1})], 1)
    assert page.locator("[data-event='1']").count() == 0
    page.locator("[data-event='3'][role=button]").press("Enter")
    assert page.evaluate("document.activeElement.dataset.event") == "0"


def test_replies_can_be_shown_as_the_harness_read_them(inspect):
    page = inspect([count_rows()], 1)
    page.locator("#pretty").click()
    turn = page.locator("section.turn >> nth=1")
    assert "Unzip the archive." in turn.inner_text()
    assert turn.locator(".commands pre").text_content() == "unzip -o data.zip -d data\n"
    assert turn.locator(".commands .event.action").count() == 1
    assert page.locator("section.turn >> nth=0 >> .reply").inner_text().startswith("Sure!")
    page.locator("#raw").click()
    assert turn.locator(".reply").inner_text().startswith('{"analysis"')


def test_a_long_screen_shows_its_ends_until_asked(inspect):
    entry = port_change()
    page = inspect([entry], 1)
    fold = page.locator(".fold").first
    assert fold.locator("pre").count() == 2
    assert "retry 89" in fold.inner_text() and "retry 40" not in fold.inner_text()
    fold.get_by_role("button", name="Show all").click()
    assert fold.locator("pre").text_content() == entry.trajectory.turns[0].observation
    fold.get_by_role("button", name="Fold").click()
    assert "retry 40" not in fold.inner_text()


def test_a_megabyte_on_one_line_is_folded(inspect):
    turn = Turn("x", "a" * 1_000_000)
    page = inspect([Entry(Trajectory("i", "t", "m", "", (turn,)))], 1)
    assert len(page.locator(".fold").inner_text()) < 5000
    page.locator(".fold button").click()
    assert page.locator(".fold pre").evaluate("n => n.textContent.length") == 1_000_000


def test_a_phone_shows_one_column_and_the_way_back(inspect):
    page = inspect(selection(), **PHONE)
    assert page.locator("#detail").is_hidden()
    page.locator("#list .row").first.click()
    page.locator("section.turn").first.wait_for()
    assert page.locator("#choose").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#detail").evaluate("n => n.scrollWidth") == 390
    page.get_by_role("button", name="List").click()
    assert page.locator("#choose").is_visible()
    assert page.evaluate("document.activeElement.querySelector('.task').textContent") == "port-change"
    page.locator("#list .row").first.click()
    page.locator("section.turn").first.wait_for()


def test_the_browsers_back_button_leads_to_the_list(inspect):
    page = inspect(selection(), **PHONE)
    page.locator("#list .row").first.click()
    page.locator("section.turn").first.wait_for()
    page.go_back()
    page.locator("#choose").wait_for(state="visible")
    assert page.locator("#detail").is_hidden()
