"""The page in a browser: the grid, its filters, a trial, the keyboard, hostile text."""

import json

import pytest

from terminal_lego.report.safe_text import visible
from tests.terminal_lego.report.inspector.made import HOSTILE
from tests.terminal_lego.report.inspector.test_layout import CONTRASTS
from tests.terminal_lego.report.trials.made import EVALUATION, TURNS, write_trial

PHONE = {"viewport": {"width": 390, "height": 844}}


def grid(page) -> list[str]:
    """A line per row: the task, then the first letter of each square that can be opened, else a dot."""
    return page.locator("#list li:not(.empty)").evaluate_all(
        """rows => rows.map(row => row.querySelector(".task").textContent + " "
            + [...row.querySelectorAll(".cell")]
                .map(cell => cell.disabled ? "." : cell.className.split(" ")[1][0]).join(""))"""
    )


def test_the_grid_has_a_row_per_task_and_its_attempts_in_the_order_they_began(view, job):
    page = view(job)
    assert grid(page) == ["count-rows p", "fix-port pff", "rename lu"]
    assert page.locator("#count").inner_text() == "6 of 6 trials, 3 tasks"
    assert not page.locator("#models").is_visible()
    told = " ".join(page.locator(".outcomes").inner_text().split())
    assert all(text in told for text in ("1 passed", "1 partly", "2 failed", "1 lost", "1 unfinished"))


def test_outcomes_differ_in_more_than_colour(view, job):
    marks = (
        view(job)
        .locator("#list .cell")
        .evaluate_all("nodes => nodes.map(n => n.className + getComputedStyle(n, '::before').content)")
    )
    assert len({mark.rpartition('"')[0][-1] for mark in marks}) == len(set(marks)) == 5


def test_a_filter_leaves_what_it_says(view, job):
    page = view(job)
    for field, value, left in (
        ("outcome", "failed", ["fix-port .ff"]),
        ("outcome", "lost", ["rename l."]),
        ("error", "AgentTimeoutError", ["fix-port ..f"]),
        ("error", "\u0000", ["count-rows p", "fix-port pf.", "rename .u"]),
    ):
        page.select_option(f"#filter-{field}", value)
        assert grid(page) == left, (field, value)
        page.select_option(f"#filter-{field}", "")
    page.fill("#filter-text", "PORT__b")
    assert grid(page) == ["fix-port p.."]
    page.fill("#filter-text", "nowhere")
    assert "No trial matches" in page.locator("#list").text_content()
    options = page.locator("#filter-error option").all_inner_texts()
    assert options == ["all", "AgentTimeoutError (1)", "SandboxError (1)", "none"]


def test_several_models_have_rows_and_a_filter(view, job):
    write_trial(job, "rename__zzz", model="other")
    page = view(job)
    assert grid(page) == ["count-rows p", "fix-port pff", "rename p", "rename lu"]
    page.select_option("#filter-model", "other")
    assert grid(page) == ["rename p"]


def test_a_trial_opens_with_its_verdict_and_every_turn(view, job):
    page = view(job, "fix-port, attempt 3")
    assert page.locator("#detail h2").inner_text() == "fix-port"
    head = page.locator("#detail").inner_text()
    for text in (
        "failed",
        "AgentTimeoutError It ended here.",
        "2,966",
        "175",
        "1 min 40 s",
        "2 passed in 0.10s",
    ):
        assert text in head, text
    page.locator("summary", has_text="Traceback").click()
    assert "Traceback:\nAgentTimeoutError" in page.locator("details[open] .screen").first.inner_text()
    replies = page.locator("section.turn .reply").evaluate_all("nodes => nodes.map(n => n.textContent)")
    assert replies == [turn.reply for turn in TURNS]
    used = page.locator("section.turn .who:first-child").first.inner_text().splitlines()
    assert used == ["turn 1", "812 in", "64 out", "1.3 s"]
    page.locator("#pretty").click()
    assert page.locator("section.turn .commands pre").all_text_contents()[0] == "cat conf.toml\n"


def test_a_trial_without_a_conversation_says_why(view, job):
    (job / "rename__bbb" / "agent" / "trajectory.json").write_text("{")
    page = view(job, "rename, attempt 2")
    assert "No conversation: agent/trajectory.json: not valid JSON" in page.locator(".turns").inner_text()


def test_the_score_of_an_evaluation_stands_at_the_head(view, job):
    assert view(job).locator(".top .figures").count() == 0
    (job / "evaluation.json").write_text(json.dumps(EVALUATION))
    figures = view(job).locator(".top .figures").inner_text()
    assert "41.7 % 25.0 % to 62.5 %" in figures
    assert "50.0 % no interval" in figures


def test_the_keyboard_reaches_everything(view, job):
    page = view(job)
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
    page.locator('#list [tabindex="0"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "fix-port, attempt 2, failed, 3 turns"
    page.keyboard.press("Enter")
    page.locator("section.turn").first.wait_for()
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate(focused) == "turn 2"
    page.keyboard.press("r")
    assert page.locator("#pretty[aria-pressed=true]").count() == 1
    page.keyboard.press("j")
    page.locator("#detail .meta", has_text="AgentTimeoutError").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "fix-port, attempt 3, failed, AgentTimeoutError, 3 turns"
    page.keyboard.press("/")
    assert page.evaluate(focused) == "filter-text"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_squares_that_do_not_match_are_passed_over(view, job):
    page = view(job)
    page.select_option("#filter-error", "AgentTimeoutError")
    page.locator('#list [tabindex="0"]').focus()
    page.keyboard.press("ArrowLeft")
    assert "attempt 3" in page.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(view, job, scheme):
    (job / "evaluation.json").write_text(json.dumps(EVALUATION))
    page = view(job, "fix-port, attempt 3", color_scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert {place: round(ratio, 2) for place, ratio in contrasts.items() if ratio < 4.5} == {}
    assert len(contrasts) > 20


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_sideways(view, job, width):
    for number in range(30):
        write_trial(job, f"{'long-name-' * 8}__{number}", started=number)
    (job / "evaluation.json").write_text(json.dumps(EVALUATION))
    page = view(job, "attempt 30", viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#detail").evaluate("n => n.scrollWidth - n.clientWidth") == 0
    page.keyboard.press("Escape")
    assert page.locator("#list").evaluate("n => n.scrollWidth - n.clientWidth") == 0


def test_hostile_text_is_text_everywhere(view, tmp_path):
    hostile = HOSTILE.replace("\ud800", "").replace("\x00", "")
    folder = write_trial(
        tmp_path / "job", "t__1", None, hostile, model=hostile, prompt=hostile, stdout=hostile
    )
    data = json.loads((folder / "result.json").read_text()) | {"task_name": hostile}
    (folder / "result.json").write_text(json.dumps(data))
    page = view(tmp_path / "job")
    page.locator("#list button").click()
    page.locator("section.turn").first.wait_for()
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator("img, a, main script").count() == 0
    for place in ("#list .task", "#detail h2", "#detail .flag b", "#detail .opening .screen"):
        assert page.locator(place).first.text_content() == visible(hostile), place


def test_a_damaged_body_is_told(view, job):
    page = view(job)
    page.evaluate("document.querySelector('script.body').textContent = 'H4sIAAAAAAAA'")
    page.locator("#list button").first.click()
    page.locator("#detail .notice").wait_for()
    assert "cannot be unpacked" in page.locator("#detail .notice").inner_text()
