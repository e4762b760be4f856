"""Wording read from the reference, byte for byte what its own code says."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import ConfigError
from terminal_lego.harness.fingerprint import PINS, identify
from terminal_lego.harness.harbor_wheel import PACKAGE, WHEEL_VARIABLE, harbor_profile
from terminal_lego.harness.observation import limit
from terminal_lego.harness.profile import PARSERS, Profile
from terminal_lego.harness.quirks import QUIRKS
from terminal_lego.reply import Reply
from terminal_lego.task_config import McpServer
from tests.terminal_lego.reference import Agent, source

HELP = "pip download --no-deps"


@pytest.fixture(scope="module", params=PARSERS)
def parser(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def profile(harbor_wheel: Path, parser: str) -> Profile:
    return harbor_profile(parser, harbor_wheel)


@pytest.fixture(scope="module")
def agent(harbor_wheel: Path, parser: str) -> Agent:
    return Agent(harbor_wheel, parser)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_templates_have_the_known_hashes(harbor_wheel: Path, old_harbor_wheel: Path):
    for wheel, letter in ((harbor_wheel, "B"), (old_harbor_wheel, "A")):
        for parser in PARSERS:
            template = sha256(source(wheel, f"templates/terminus-{parser}-plain.txt"))
            assert template == PINS["wordings"][f"harbor-{letter}-{parser}"]["template"]


def test_filled_prompts_have_the_known_hashes(harbor_wheel: Path):
    json, xml = (harbor_profile(parser, harbor_wheel) for parser in PARSERS)
    assert len(json.initial("I", "T")) == 2_881
    assert sha256(json.initial("I", "T")).startswith("c05f95c33f379bf4")
    assert sha256(json.confirm("\0")).startswith("29c81050137f9f1c")
    assert sha256(xml.confirm("\0")).startswith("33cbd04232e77a05")


def test_profiles_are_known_by_name_and_id(harbor_wheel: Path, old_harbor_wheel: Path, parser: str):
    new, old = harbor_profile(parser, harbor_wheel), harbor_profile(parser, old_harbor_wheel)
    assert (new.name, identify(new.head)) == ("harbor-0.25.0", f"harbor-B-{parser}")
    assert (old.name, identify(old.head)) == ("harbor-0.1.28", f"harbor-A-{parser}")
    assert identify(old.initial("Do it.", "$")) == identify(old.head)


def test_quirks_are_all_that_the_version_has(harbor_wheel: Path, old_harbor_wheel: Path):
    assert harbor_profile(source=harbor_wheel).quirks == set(QUIRKS) - {"wait-newline"}
    assert harbor_profile(source=old_harbor_wheel).quirks == set(QUIRKS)


def test_confirm_is_what_the_reference_asks(profile: Profile, agent: Agent):
    shown = "New Terminal Output:\n\n$ {ls}\n"
    assert profile.confirm(shown) == agent.call("_get_completion_confirmation_message", shown)


@pytest.mark.parametrize("reply", [Reply(error="no {JSON}"), Reply(error="no", warning="- a\n- b")])
def test_errors_are_answered_as_by_the_reference(profile: Profile, agent: Agent, reply: Reply):
    feedback = f"ERROR: {reply.error}" + (f"\nWARNINGS: {reply.warning}" if reply.warning else "")
    assert agent.texts("_run_agent_loop", "prompt", feedback=feedback) == [profile.error(reply)]


def test_warnings_are_shown_as_by_the_reference(profile: Profile, agent: Agent):
    shown = agent.texts(
        "_run_agent_loop", "observation", feedback="WARNINGS: - {a}", terminal_output="$ {}\n"
    )
    assert profile.warning(Reply(warning="- {a}"), "$ {}\n") in shown
    assert len(shown) == 3  # The bare output stands twice among them.


@pytest.mark.parametrize("tokens", [4_096, None])
def test_a_cut_reply_is_answered_as_by_the_reference(profile: Profile, agent: Agent, tokens: int | None):
    limits = agent.texts("_query_llm", "limit_str", output_limit=tokens)
    shown = limits[0] if tokens else limits[1]
    (message,) = agent.texts("_query_llm", "error_msg", limit_str=shown)
    assert profile.length(tokens, Reply(error="never shown")) == message
    (warnings,) = (
        text
        for text in agent.texts("_query_llm", "warnings_text", parse_result=Reply(warning="- {a}"))
        if text
    )
    assert profile.length(tokens, Reply(warning="- {a}")) == message + warnings


def test_an_early_version_names_a_fixed_limit(old_harbor_wheel: Path, parser: str):
    profile = harbor_profile(parser, old_harbor_wheel)
    (message,) = Agent(old_harbor_wheel, parser).texts("_query_llm", "error_msg")
    assert profile.length(64, Reply()) == profile.length(None, Reply()) == message
    assert profile.servers([McpServer(name="a", url="http://a")]) == ""


class Said:
    """A reply of the model, or a server, by the names the reference uses."""

    def __init__(self, content: str = "", **more: object) -> None:
        self.content = content
        self.__dict__.update(more)


def test_summaries_are_asked_for_as_by_the_reference(profile: Profile, agent: Agent):
    task, answer = {"original_instruction": "{I}\n"}, Said("{S}")
    assert agent.texts("_summarize", "summary_prompt", **task) == [profile.handover("{I}\n")]
    questions = agent.texts(
        "_summarize", "question_prompt", summary_response=answer, current_screen="$\n\n", **task
    )
    assert questions == [profile.questions("{I}\n", "{S}", "$\n\n")]
    assert agent.texts("_summarize", "answer_request_prompt", model_questions="{Q}") == [
        profile.answers("{Q}")
    ]
    assert agent.texts("_summarize", "handoff_prompt", answers_response=answer) == [profile.resume("{S}")]


def test_short_ways_out_are_the_reference_s(profile: Profile, agent: Agent):
    task, screen = {"original_instruction": "{I}\n"}, {"limited_screen": "$ {}"}
    assert agent.texts("_query_llm", "short_prompt", **task, **screen) == [profile.brief("{I}\n", "$ {}")]
    briefed = agent.texts("_query_llm", "summary_prompt", short_llm_response=Said("{S}"), **task)
    assert briefed == [profile.briefed("{I}\n", "{S}")]
    assert agent.texts("_query_llm", "summary_prompt", **task, **screen) == [profile.bare("{I}\n", "$ {}")]
    assert [profile.apology] == agent.arguments("_query_llm", "LLMResponse")


def test_servers_are_listed_as_by_the_reference(profile: Profile, agent: Agent):
    files = McpServer(name="{f}", transport="stdio", command="serve", args=["-r", "/app"])
    search = McpServer(name="search", url="http://search:80/mcp")
    heading, *_ = agent.texts("run", "mcp_info")
    stdio = agent.texts("run", "mcp_info", s=files, args_str="-r /app")[1]
    assert profile.servers([files]) == heading + stdio
    url = agent.texts("run", "mcp_info", s=search)[-1]
    assert profile.servers([files, search]) == heading + stdio + url


@pytest.fixture(scope="module")
def any_agent(harbor_wheel: Path) -> Agent:
    return Agent(harbor_wheel, "json")


@given(text=st.text(st.sampled_from("a\né💥"), max_size=60), most=st.integers(0, 40))
def test_output_is_limited_as_by_the_reference(any_agent: Agent, text: str, most: int):
    assert limit(text, most) == any_agent.call("_limit_output_length", text, most)


def test_the_variable_names_the_wheel(harbor_wheel: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(WHEEL_VARIABLE, str(harbor_wheel))
    assert harbor_profile().fingerprint == harbor_profile(source=harbor_wheel).fingerprint


def made_wheel(wheel: Path, target: Path, change: dict[str, tuple[str, str]]) -> Path:
    """A copy of a wheel's agent with some text of some of its files replaced."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name.startswith(f"{PACKAGE}/") or name.endswith("/METADATA"):
                text = old.read(name).decode()
                before, after = change.get(name.removeprefix(f"{PACKAGE}/"), ("", ""))
                assert before in text
                new.writestr(name, text.replace(before, after) if before else text)
    return target


@pytest.mark.parametrize(
    "change",
    [
        {"templates/terminus-json-plain.txt": ("JSON", "Json")},
        {"terminus_2.py": (r"{feedback}\n\n", r"{feedback}\n")},
    ],
    ids=["template", "message"],
)
def test_unknown_wording_is_called_unknown(harbor_wheel: Path, tmp_path: Path, change: dict):
    assert harbor_profile(source=made_wheel(harbor_wheel, tmp_path / "same.whl", {})).name == "harbor-0.25.0"
    changed = harbor_profile(source=made_wheel(harbor_wheel, tmp_path / "other.whl", change))
    assert changed.name == "harbor-0.25.0-unknown"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (("short_prompt", "other_prompt"), "'brief' is not where"),
        (("_get_completion_confirmation_message", "_ask_again"), "'confirm' is not where"),
        (("LLMResponse(", "Response("), "'apology' is not where"),
        (("async def", "async deaf"), "invalid syntax"),
    ],
    ids=["variable", "function", "call", "syntax"],
)
def test_a_message_that_moved_is_named(harbor_wheel: Path, tmp_path: Path, change: tuple, missing: str):
    moved = made_wheel(harbor_wheel, tmp_path / "moved.whl", {"terminus_2.py": change})
    with pytest.raises(ConfigError, match=missing) as refused:
        harbor_profile(source=moved)
    assert HELP in str(refused.value)


def test_nothing_of_a_wheel_is_executed(harbor_wheel: Path, tmp_path: Path):
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    classes = {"terminus_2.py": "class Terminus2(", "terminus_json_plain_parser.py": "class TerminusJSON"}
    change = {name: (opening, trap + opening) for name, opening in classes.items()}
    assert harbor_profile(source=made_wheel(harbor_wheel, tmp_path / "w.whl", change)).name == "harbor-0.25.0"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content", [None, b"no archive", "other"], ids=["absent", "no archive", "another project"]
)
def test_what_is_no_wheel_is_refused_with_a_way_out(tmp_path: Path, content: object):
    path = tmp_path / "harbor.whl"
    if content == "other":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("other-1.0.dist-info/METADATA", "")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a wheel of Harbor") as refused:
        harbor_profile(source=path)
    assert HELP in str(refused.value)


def test_a_wheel_without_the_agent_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "h.whl", "w") as archive:
        archive.writestr("harbor-9.0.dist-info/METADATA", "")
    with pytest.raises(ConfigError, match=r"has no readable .*terminus-json-plain\.txt"):
        harbor_profile(source=tmp_path / "h.whl")


def test_an_unknown_parser_is_refused():
    with pytest.raises(ConfigError, match="'yaml' is not one of json, xml"):
        harbor_profile("yaml")


def test_an_installation_is_read_without_import(
    harbor_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    zipfile.ZipFile(made_wheel(harbor_wheel, tmp_path / "w.whl", {})).extractall(tmp_path / "site")
    monkeypatch.delenv(WHEEL_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="none is installed"):
        harbor_profile()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert harbor_profile() == harbor_profile(source=harbor_wheel)
