import json
import math

import pytest

from terminal_lego.report.page import (
    FunnelRow,
    MaskRow,
    RunReport,
    SummaryRow,
    TrialView,
    render_page,
    write_page,
)

ATTACK = "document.title='owned'"
HOSTILE = f'<script>{ATTACK}</script></script><img src=x onerror="{ATTACK}">\u2028\x1b[31m\x00'
SHOWN = HOSTILE.replace("\u2028", "<U+2028>").replace("\x1b", "^[").replace("\x00", "^@")
REPLY = json.dumps(
    {
        "analysis": "The file is there.",
        "plan": "Read it.",
        "commands": [{"keystrokes": "cat a.conf\n", "duration": 0.5}],
        "task_complete": True,
    }
)


def conversation(reply: str = REPLY, screen: str = "root@terminal:/app#") -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"The task. {screen}"},
        {"role": "assistant", "content": reply},
        {"role": "user", "content": screen},
    ]


def trial(student: str, task: str, group: str, reward: float | None, **fields) -> TrialView:
    fields = {"exception": None, "turns": 1, "messages": conversation()} | fields
    return TrialView(student, task, group, reward, **fields)


PLAIN = RunReport(
    title="A run",
    generated="2026-01-02 03:04 UTC",
    recipe="quickstart",
    config="steps: 1000",
    summary=[
        SummaryRow(
            "base", 0, 10, 0.0, (0.0, 0.278), "95% Wilson", 0.0, 0, {"loud": (0, 5), "silent": (0, 5)}
        ),
        SummaryRow(
            "tuned", 8, 10, 0.8, (0.49, 0.943), "95% Wilson", 0.889, 1, {"loud": (5, 5), "silent": (3, 5)}
        ),
    ],
    funnel=[FunnelRow("solved", 1900, 100, "reward below 1")],
    mask=[MaskRow("assistant", 12345, 0.5)],
    loss=[(10, 2.0), (20, 1.0)],
    trials=[
        trial("base", "find-config", "loud", 0.0),
        trial("tuned", "find-config", "loud", 1.0, messages=conversation(screen="needle in a screen")),
        trial("tuned", "fix-path", "silent", None, exception="SandboxError", messages=[]),
    ],
)
ATTACKED = RunReport(
    title=HOSTILE,
    generated=HOSTILE,
    recipe=HOSTILE,
    config=HOSTILE,
    notes=[HOSTILE],
    summary=[SummaryRow(HOSTILE, 1, 1, 1.0, (0.2, 1.0), HOSTILE, 1.0, 0, {HOSTILE: (1, 1)})],
    funnel=[FunnelRow(HOSTILE, 1, 0, HOSTILE)],
    mask=[MaskRow(HOSTILE, 1, 1.0)],
    trials=[
        TrialView(HOSTILE, HOSTILE, HOSTILE, 0.0, HOSTILE, 2, conversation(HOSTILE, HOSTILE), HOSTILE),
        TrialView(
            "b",
            "b",
            "b",
            1.0,
            None,
            1,
            conversation(
                json.dumps({"analysis": HOSTILE, "plan": HOSTILE, "commands": [{"keystrokes": HOSTILE}]})
            ),
        ),
    ],
)


@pytest.fixture
def open_run(browser, tmp_path):
    """Opens a run's page; afterwards nothing may have been logged, thrown or loaded."""
    complaints = []
    pages = []

    def open_run(run: RunReport, width: int = 1280, hash: str = "", **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        address = write_page(run, tmp_path / "run" / "page.html").as_uri()
        page.on("request", lambda request: request.url.startswith(address) or complaints.append(request.url))
        page.goto(address + hash)
        pages.append(page)
        return page

    yield open_run
    for page in pages:
        page.close()
    assert complaints == []


def tasks(page) -> list[str]:
    return page.locator("#list .task").all_inner_texts()


def test_hostile_text_is_text_everywhere(open_run):
    page = open_run(ATTACKED)
    assert page.title() == SHOWN
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    for place in (
        "h1",
        ".meta time",
        ".config pre",
        "#list .task >> nth=0",
        "#trial h3",
        "#trial .screen >> nth=-1",
    ):
        assert page.locator(place).first.text_content() == SHOWN, place
    assert page.locator("#trial .screen", has_text=SHOWN).count() == 4
    for heading in ("th[scope=row]", "th[scope=col]", "option", ".why"):
        assert page.locator(heading, has_text=SHOWN).count() >= 1, heading


def test_hostile_replies_are_text_in_the_readable_view(open_run):
    page = open_run(ATTACKED, hash="#trial-2")
    assert page.locator("#trial .plan").text_content() == SHOWN
    assert page.locator("#trial .commands pre").text_content() == SHOWN


def test_only_the_pages_own_script_may_run(browser, tmp_path):
    page = browser.new_page()
    page.goto(write_page(PLAIN, tmp_path / "page.html").as_uri())
    refused = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
        })"""
    )
    assert refused == "script-src-elem"
    assert page.title() == "A run"
    page.close()


def test_filters_combine(open_run):
    page = open_run(PLAIN)
    assert page.locator("#count").inner_text() == "3 of 3 trials"
    page.select_option("#filter-student", "tuned")
    assert tasks(page) == ["find-config", "fix-path"]
    page.select_option("#filter-outcome", label="infra. error")
    assert tasks(page) == ["fix-path"]
    page.select_option("#filter-group", "loud")
    assert tasks(page) == []
    assert "No trial matches" in page.locator("#trial").inner_text()


def test_text_is_searched_in_screens(open_run):
    page = open_run(PLAIN)
    page.fill("#filter-text", "NEEDLE")
    page.locator("#list button >> nth=1").wait_for(state="detached")
    assert "tuned" in page.locator("#list button").inner_text()
    assert "needle in a screen" in page.locator("#trial").inner_text()


def test_a_reply_is_shown_as_what_the_harness_read(open_run):
    page = open_run(PLAIN)
    turn = page.locator("#trial .turn >> nth=1")
    assert "The file is there." in turn.inner_text()
    assert turn.locator(".commands li").inner_text().split("\n")[0].startswith("cat a.conf")
    assert "0.5 s" in turn.inner_text()
    assert "task is complete" in turn.inner_text()
    turn.locator("summary").click()
    assert turn.locator("details pre").inner_text() == REPLY


def test_an_unreadable_reply_is_shown_with_the_reason(open_run):
    page = open_run(
        RunReport("r", "now", trials=[trial("s", "t", "g", 0.0, messages=conversation("I am done."))])
    )
    turn = page.locator("#trial .turn >> nth=1").inner_text()
    assert "could not read this reply" in turn
    assert "I am done." in turn


def test_arrow_keys_walk_the_list(open_run):
    page = open_run(PLAIN)
    page.locator("#list button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#list [aria-current=true] .task").inner_text() == "fix-path"
    assert "SandboxError" in page.locator("#trial").inner_text()
    page.keyboard.press("ArrowUp")
    assert page.locator("#trial h3").inner_text() == "find-config"


def test_a_link_opens_its_trial(open_run):
    assert open_run(PLAIN, hash="#trial-3").locator("#trial h3").inner_text() == "fix-path"


@pytest.mark.parametrize("run", [PLAIN, ATTACKED], ids=["plain", "hostile"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_sideways(open_run, width, run):
    page = open_run(run, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_follows_the_readers_colour_scheme(open_run):
    colours = [
        open_run(PLAIN, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert len(set(colours)) == 2


def test_numbers_and_reasons_are_in_the_page():
    html = render_page(PLAIN)
    for text in (
        "80.0 %",
        "49.0 % to 94.3 %",
        "88.9 %",
        "12,345",
        "1,900",
        "reward below 1",
        "95% Wilson",
        "3 / 5",
    ):
        assert text in html
    assert 'aria-label="Loss 2 at step 10, 1 at step 20"' in html


def test_an_undefined_interval_is_nan_with_its_reason():
    row = SummaryRow("s", 0, 0, math.nan, (math.nan, math.nan), "no interval: there is no task", math.nan, 0)
    html = render_page(RunReport("r", "now", summary=[row]))
    assert "NaN to NaN" in html and "no interval: there is no task" in html
    assert "whisker" not in html.partition("</style>")[2].partition("<script")[0]


def test_an_empty_run_says_what_is_missing():
    html = render_page(RunReport("r", "now"))
    for sentence in ("No student was evaluated", "No selection", "No tokens", "No loss", "No trial was run"):
        assert sentence in html


def test_rewards_json_cannot_hold_are_shown_as_text():
    assert '"reward":"inf"' in render_page(RunReport("r", "now", trials=[trial("s", "t", "g", math.inf)]))
