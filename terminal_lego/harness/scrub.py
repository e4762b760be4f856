"""Secrets out of what a trial leaves on disk."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from terminal_lego.errors import TaskError
from terminal_lego.harness.support import expand
from terminal_lego.task import Task

SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN(?!S)|PASSWORD|PASSWD|CREDENTIAL|AUTH", re.IGNORECASE)
SHORTEST = 8  # characters; a flag such as FORCE_AUTH=1 is no secret
SAMPLE_BYTES = 8192


def secrets_of(task: Task) -> dict[str, str]:
    """Value -> name of the variable, longest first: the host's, and those of the task's tables.

    By the variable's name; paths are left out, as they are names themselves.
    """
    configs = [part.config for part in (task, *task.steps)]
    tables = [
        table for each in configs for table in (each.environment.env, each.verifier.env, each.solution.env)
    ]
    found: dict[str, str] = {}
    for table in (os.environ, *(_filled(table, task) for table in tables)):
        for name, value in table.items():
            if SECRET_NAME.search(name) and len(value) >= SHORTEST and not value.startswith("/"):
                found[value] = name
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def scrub(text: str, secrets: Mapping[str, str]) -> str:
    """Every secret, also as JSON writes it, becomes `[NAME]`."""
    for value, name in secrets.items():
        for form in {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
            text = text.replace(form, f"[{name}]")
    return text


def scrub_folder(folder: Path, secrets: Mapping[str, str]) -> None:
    """Rewrite the text files below a folder that hold a secret; links are not followed."""
    for path in folder.rglob("*") if secrets else ():
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            is_text = b"\0" not in file.read(SAMPLE_BYTES)
        if not is_text:
            continue
        # Undecodable bytes come back as they were.
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        clean = scrub(text, secrets)
        if clean != text:
            path.write_bytes(clean.encode("utf-8", "surrogateescape"))


def _filled(table: Mapping[str, str], task: Task) -> Mapping[str, str]:
    try:
        return expand(table, task)
    except TaskError:
        return {}
