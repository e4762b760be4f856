"""The instruction an agent is given: the task's own, and what the environment offers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal_lego.harness.instruction import augmented
from terminal_lego.harness.profile import Profile
from terminal_lego.task import Task, TaskConfig, strip_canary
from tests.terminal_lego.harness.local_sandbox import LocalSandbox

NATIVE = Profile.native()
SERVERS = [
    {"name": "files", "transport": "stdio", "command": "serve", "args": ["--root", "/"]},
    {"name": "web", "url": "http://web/mcp", "transport": "http"},
]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    sandbox = LocalSandbox(tmp_path)
    yield sandbox
    sandbox.close()


def task(**environment: object) -> Task:
    return Task(Path("hello"), TaskConfig.model_validate({"environment": environment}), "Do it.\n\n")


def skill(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "SKILL.md").write_text(text, encoding="utf-8")


def test_a_task_that_offers_nothing_is_told_as_it_is():
    assert augmented(task(), None, NATIVE) == "Do it.\n\n"


def test_servers_follow_the_instruction():
    config = task(mcp_servers=SERVERS)
    assert augmented(config, None, NATIVE) == "Do it.\n\n" + NATIVE.servers(
        config.config.environment.mcp_servers
    )
    assert "serve --root /" in augmented(config, None, NATIVE)
    assert "http://web/mcp" in augmented(config, None, NATIVE)


def test_skills_are_listed_by_the_order_of_their_files(sandbox: LocalSandbox):
    skills = sandbox.home / "my skills"
    skill(skills, "b", "---\nname: cook\ndescription: Boil & <fry>\n---\nText")
    skill(skills, "a", "---\nname: 7\ndescription: 'Zählt: é'\nother: x\n---")
    assert augmented(task(skills_dir=str(skills)), sandbox, NATIVE) == (
        "Do it.\n\n\n<available_skills>\n"
        "  <skill>\n    <name>7</name>\n    <description>Zählt: é</description>\n"
        f"    <location>{skills}/a/SKILL.md</location>\n  </skill>\n"
        "  <skill>\n    <name>cook</name>\n    <description>Boil &amp; &lt;fry&gt;</description>\n"
        f"    <location>{skills}/b/SKILL.md</location>\n  </skill>\n"
        "</available_skills>"
    )


@pytest.mark.parametrize(
    "text", ["", "name: x\n", "---\nname: x\n---\n", "---\n- name\n- description\n---\n", "---\n{\n---\n"]
)
def test_a_skill_that_does_not_say_what_it_is_for_is_left_out(sandbox: LocalSandbox, text: str):
    skill(sandbox.home / "skills", "a", text)
    assert augmented(task(skills_dir=f"{sandbox.home}/skills"), sandbox, NATIVE) == "Do it.\n\n"


def test_without_the_folder_there_are_no_skills(sandbox: LocalSandbox):
    assert augmented(task(skills_dir=f"{sandbox.home}/none"), sandbox, NATIVE) == "Do it.\n\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!-- canary GUID 1 -->\n\nDo it.\n", "Do it.\n"),
        ("# BENCHMARK CANARY\n# another canary\n\n\n  Do it.\n\n", "  Do it.\n\n"),
        ("# Do it.\n", "# Do it.\n"),
        ("Do it.\n<!-- canary -->\n", "Do it.\n<!-- canary -->\n"),
        ("<!-- note -->\n<!-- canary -->\n", "<!-- note -->\n<!-- canary -->\n"),
    ],
    ids=["html", "hash", "none", "in the middle", "not at the top"],
)
def test_canaries_at_the_top_are_not_shown(text: str, shown: str):
    assert strip_canary(text) == shown
