import tomllib
from collections.abc import Iterator
from pathlib import Path

from terminal_lego.grounding.classes import Classified, classify
from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.wrappers import unwrap

GOLDEN = Path(__file__).with_name("golden_commands.toml")


def cases() -> Iterator[tuple[str, str | None, list[str], list[str]]]:
    """Typed text, working directory, files just written, labels."""
    tables = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))
    for case in tables.pop("special"):
        yield case["typed"], case.get("cwd", "/app") or None, case.get("written", []), case["expect"]
    for table in tables.values():
        for typed, expect in table.items():
            yield typed, "/app", [], expect


def judged(typed: str, cwd: str | None, written: list[str]) -> list[str]:
    labels = []
    for command in parse(typed):
        for inner in unwrap(command):
            found = classify(inner, written=written, cwd=cwd)
            labels.append(label(found))
            if found.program in ("cd", "pushd"):
                cwd = found.changes_directory
    return labels


def label(found: Classified) -> str:
    flags = ["edits"] * found.edits + ["listed"] * found.listed
    paths = [f"r:{path}" for path in found.reads] + [f"w:{path}" for path in found.writes]
    words = [found.program or "-", found.kind, *flags, *paths]
    return " ".join(word.replace(" ", r"\s") for word in words)


def test_every_command_is_judged_as_a_person_judged_it():
    labelled = list(cases())
    assert len(labelled) >= 400
    disagreements = [
        f"{typed!r}\n  expected {expect}\n  got      {got}"
        for typed, cwd, written, expect in labelled
        if (got := judged(typed, cwd, written)) != expect
    ]
    assert not disagreements, f"{len(disagreements)} of {len(labelled)} disagree:\n" + "\n".join(
        disagreements
    )
