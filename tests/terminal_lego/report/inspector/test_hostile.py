"""Text that wants to be more than text, and pages that arrive damaged."""

import pytest

from terminal_lego.report.inspector import write_inspector
from terminal_lego.report.safe_text import visible
from tests.terminal_lego.report.inspector.made import HOSTILE, attacked, selection


@pytest.mark.parametrize("mode", ["raw", "pretty"])
def test_hostile_text_is_text_everywhere(inspect, mode):
    page = inspect([attacked(), attacked()], 1)
    page.locator(f"#{mode}").click()
    for summary in page.locator("summary").all():
        summary.click()
    shown = visible(HOSTILE)
    assert page.title() == "Some teachers"
    assert page.locator("img, a, main script").count() == 0
    for place in ("#list .task", "#list .under span", "#detail h2", "#detail .screen", ".reasoning"):
        assert page.locator(place).first.text_content() == shown, place
    assert shown in page.locator("#detail .meta").text_content()
    assert shown in page.locator("#detail .facts").text_content()
    if mode == "raw":
        assert page.locator(".reply").last.text_content() == shown
    else:
        assert page.locator(".plan").first.text_content() == shown
        assert page.locator(".commands pre").text_content() == f"echo {shown}\n"


def test_a_hostile_title_is_text(browser, tmp_path):
    page = browser.new_page()
    page.goto(write_inspector([], tmp_path / "page.html", title=HOSTILE).as_uri())
    assert page.title() == page.locator("h1").text_content() == visible(HOSTILE)
    page.close()


def test_no_script_but_the_pages_own_may_run_and_nothing_may_be_asked_for(browser, tmp_path):
    page = browser.new_page()
    page.goto(write_inspector(selection(), tmp_path / "page.html", title="Some").as_uri())
    refused = page.evaluate(
        """async () => {
            const refused = [];
            const all = new Promise((done) => {
                document.addEventListener("securitypolicyviolation", (event) => {
                    refused.push(event.effectiveDirective);
                    if (refused.length === 3) done();
                });
            });
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            const image = new Image();
            image.src = "http://127.0.0.1:9/x.png";
            fetch("http://127.0.0.1:9/").catch(() => {});
            await all;
            return refused.sort();
        }"""
    )
    assert refused == ["connect-src", "img-src", "script-src-elem"]
    assert page.title() == "Some"
    page.close()


def test_a_browser_that_cannot_unpack_is_told(inspect):
    page = inspect(selection(), 1, script="delete window.DecompressionStream")
    assert "it has no DecompressionStream" in page.locator("#detail .notice").inner_text()


def test_a_damaged_body_is_told(inspect):
    damage = """new MutationObserver(() => {
        const body = document.querySelector("script.body");
        if (body && !body.dataset.damaged) { body.dataset.damaged = 1; body.textContent = "H4sIAAAAAAAA"; }
    }).observe(document, { childList: true, subtree: true });"""
    page = inspect(selection(), script=damage)
    page.locator("#list .row").first.click()
    page.locator("#detail .notice").wait_for()
    assert "cannot be unpacked" in page.locator("#detail .notice").inner_text()
    page.locator("#list .row >> nth=1").click()
    page.locator("section.turn").first.wait_for()
