"""The page by keyboard alone."""

from tests.terminal_lego.report.inspector.made import selection

FOCUSED_TASK = "document.activeElement.querySelector('.task')?.textContent"


def test_keys_move_open_and_come_back(inspect):
    page = inspect(selection())
    for key, task in zip("jjk", ("port-change", "count-rows", "port-change"), strict=True):
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED_TASK) == task
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED_TASK) == "rename-unicode"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.locator("section.turn").first.wait_for()
    assert page.locator("#detail h2").inner_text() == "count-rows"
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED_TASK) == "count-rows"
    page.keyboard.press("j")
    assert page.evaluate(FOCUSED_TASK) == "rename-unicode"


def test_keys_walk_the_turns_and_turn_the_switches(inspect):
    page = inspect(selection(), 1)
    label = "document.activeElement.ariaLabel"
    found = []
    for key in "nnnnnp":
        page.keyboard.press(key)
        found.append(page.evaluate(label))
    assert found == ["turn 1", "turn 2", "turn 3", "turn 4", "turn 4", "turn 3"]
    page.keyboard.press("t")
    assert page.locator(".turns.borders").count() == 1
    page.keyboard.press("r")
    assert page.locator("#pretty").get_attribute("aria-pressed") == "true"
    assert page.locator(".commands").count() > 0


def test_keys_typed_into_a_filter_are_text(inspect):
    page = inspect(selection(), 1)
    page.keyboard.press("/")
    page.keyboard.type("jkt?")
    assert page.locator("#filter-text").input_value() == "jkt?"
    assert page.locator(".turns.borders, dialog[open]").count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("t")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open], .turns.borders").count() == 0
    page.locator("#keys").click()
    page.get_by_role("button", name="Close").click()
    assert page.locator("dialog[open]").count() == 0


def test_what_can_be_used_has_a_name_and_shows_its_focus(inspect):
    page = inspect(selection(), 1)
    for role in ("button", "combobox", "searchbox"):
        for spot in page.get_by_role(role).all():
            assert page.evaluate(
                "n => n.ariaLabel || n.textContent || n.labels[0].textContent", spot.element_handle()
            )
    assert "passed, reward 1, TOR 0.67, 4 turns" in page.locator("#list .row").first.get_attribute(
        "aria-label"
    )
    for place in ("#filter-text", "#list .row", "#tokens", "[data-event='3'][role=button]"):
        page.locator(place).first.focus()
        page.keyboard.press("Shift")  # focus is shown to those who use keys
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid", place


def test_one_row_is_in_the_order_of_tabs(inspect):
    page = inspect(selection())
    assert page.locator("#list [tabindex='0']").count() == 1
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator("#list [tabindex='0'] .task").text_content() == "count-rows"
