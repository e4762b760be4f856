"""A self-contained HTML page of many documents: each is packed into it and unpacked when it is opened.

The template gets `style`, `script`, `policy` and `bodies`, besides what its page passes to it. It writes
`bodies` in order, one element each, and only then asks for anything that depends on them.
"""

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terminal_lego.report.safe_text import visible


def write_lazy_page(
    path: str | Path,
    template: tuple[str, str],
    *,
    styles: Sequence[tuple[str, str]],
    scripts: Sequence[tuple[str, str]],
    bodies: Iterable[Any],
    **context: Any,
) -> Path:
    """Write one HTML file, making the folder, and return its path.

    Bodies are read one by one and never kept. The page appears when it is whole: a failure on the way
    leaves what was there before.

    Args:
        template, styles, scripts: package and file name of each part.
        bodies: JSON values.
        context: further names for the template.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    style, program = "\n".join(map(_text, styles)), "\n".join(map(_text, scripts))
    script = f'"use strict";\n(() => {{\n{program}}})();\n'
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    package, name = template
    page = _environment(package).get_template(name)
    try:
        page.stream(
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            bodies=(_packed(body) for body in bodies),
            **context,
        ).dump(str(draft), encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _environment(package: str) -> Environment:
    return Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(place: tuple[str, str]) -> str:
    package, name = place
    return (files(package) / name).read_text("utf-8")


def _packed(value: Any) -> Markup:
    """JSON, gzipped, in base64: a sixth of the size, and no character that HTML reads."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode())


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
