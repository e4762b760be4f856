"""The inspector's page, written to disk as the trajectories come."""

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terminal_lego.report.inspector.content import body, row
from terminal_lego.report.inspector.entry import Entry
from terminal_lego.report.safe_text import script_json, visible

_SCRIPTS = ("elements.js", "list.js", "turns.js", "links.js", "view.js", "keys.js")


def write_inspector(entries: Iterable[Entry], path: str | Path, *, title: str) -> Path:
    """Writes one HTML file, making the folder, and returns its path.

    Entries are read one by one and never kept. The page appears when it is whole: a failure on the way
    leaves what was there before.

    Raises:
        RenderError: the tokens of a reply do not spell it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    rows: list[dict[str, Any]] = []

    def bodies() -> Iterator[str]:
        for entry in entries:
            yield _packed(body(entry))
            rows.append(row(entry))

    folder = files("terminal_lego.report.inspector")
    style = (folder / "inspector.css").read_text("utf-8")
    scripts = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{scripts}}})();\n'
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    page = _environment().get_template("inspector.html.jinja")
    try:
        page.stream(
            title=title,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            bodies=bodies(),
            index=lambda: script_json(rows),
        ).dump(str(draft), encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("terminal_lego.report.inspector", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _packed(value: Any) -> Markup:
    """JSON, gzipped, in base64: a sixth of the size, and no character that HTML reads."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode())


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
