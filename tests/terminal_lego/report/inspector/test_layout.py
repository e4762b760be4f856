"""What the page looks like: colours, widths, and a list of two thousand."""

from dataclasses import replace

import pytest

from terminal_lego.report.inspector import Entry
from tests.terminal_lego.report.inspector.made import attacked, port_change, selection

CONTRASTS = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(node).backgroundColor);
      if (a) return [r, g, b];
    }
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const root = getComputedStyle(document.documentElement);
  const probe = document.body.appendChild(document.createElement("i"));
  const named = (name) => {
    probe.style.color = `var(--${name})`;
    return numbers(getComputedStyle(probe).color);
  };
  const found = {};
  for (const kind of ["observation", "action", "verification", "other"])
    for (const under of ["paper", "lit"]) found[`${kind} on ${under}`] = ratio(named(kind), named(under));
  for (const under of ["paper", "hatch", "lit"])
    found[`masked on ${under}`] = ratio(named("faded"), named(under));
  found["ink on hatch"] = ratio(named("ink"), named("hatch"));
  probe.remove();
  for (const node of document.querySelectorAll("body *")) {
    const bare = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!bare || !node.checkVisibility() || node.disabled || node.closest("option")) continue;
    found[`${node.tagName} ${node.className}`] = ratio(numbers(getComputedStyle(node).color), ground(node));
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(inspect, scheme):
    page = inspect(selection(), 1, color_scheme=scheme)
    page.locator("[data-event='3']").first.focus()
    page.keyboard.press("t")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert {place: round(ratio, 2) for place, ratio in contrasts.items() if ratio < 4.5} == {}


def test_the_colour_scheme_is_the_readers(inspect):
    paper = "getComputedStyle(document.body).backgroundColor"
    pages = [inspect(selection(), color_scheme=scheme) for scheme in ("light", "dark")]
    assert len({page.evaluate(paper) for page in pages}) == 2


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_nothing_sticks_out_sideways(inspect, width):
    page = inspect([*selection(), attacked()], 2, viewport={"width": width, "height": 844})
    for number, task in ((1, "port-change"), (3, "rename-unicode"), (4, "</script>")):
        page.evaluate(f"location.hash = 'trajectory-{number}'")
        page.locator("#detail h2", has_text=task).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("#detail").evaluate("n => n.scrollWidth - n.clientWidth") == 0
    page.keyboard.press("Escape")
    assert page.locator("#list").evaluate("n => n.scrollWidth - n.clientWidth") == 0


def many(count: int) -> list[Entry]:
    entry = port_change()
    return [
        replace(
            entry,
            trajectory=replace(
                entry.trajectory, id=f"job/{number}", task=f"task-{number}", model=f"m{number % 4}"
            ),
            tokens=number,
        )
        for number in range(count)
    ]


def test_two_thousand_trajectories_can_be_filtered_sorted_and_opened(inspect):
    page = inspect(many(2000))
    assert page.locator("#count").inner_text() == "2,000 of 2,000 trajectories"
    page.select_option("#filter-model", "m3")
    assert page.locator("#count").inner_text() == "500 of 2,000 trajectories"
    page.locator(".columns [data-key=tokens]").click()
    assert page.locator("#list .task").first.text_content() == "task-1999"
    page.locator("#list .row").last.scroll_into_view_if_needed()
    page.locator("#list .row").first.click()
    page.locator("section.turn").first.wait_for()
    assert page.locator("#detail h2").inner_text() == "task-1999"
    assert page.locator("section.turn .reply").first.text_content() == port_change().trajectory.turns[0].reply
