"""The reference's wording, read from a Harbor wheel or installation and never copied.

Nothing of what is read is imported or executed, so a wheel works under any Python version. Its prompt
templates are files; the other messages are found in the source by `harbor_literals`.
"""

import ast
import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from terminal_lego.errors import ConfigError
from terminal_lego.harness.fingerprint import PINS
from terminal_lego.harness.harbor_literals import read_messages
from terminal_lego.harness.profile import FIELDS, PARSERS, Profile
from terminal_lego.harness.quirks import QUIRKS

WHEEL_VARIABLE = "TERMINAL_LEGO_HARBOR_WHEEL"
PACKAGE = "harbor/agents/terminus_2"
GET_ONE = (
    "Get a wheel with `pip download --no-deps --python-version 3.12 --only-binary :all: harbor==0.25.0` "
    f"and name it in {WHEEL_VARIABLE}."
)


@dataclass(frozen=True)
class Reference:
    """One version of the reference; `read` gives the text of a file of its agent's package."""

    version: str
    origin: str
    read_bytes: Callable[[str], bytes]

    def read(self, name: str) -> str:
        try:
            return self.read_bytes(f"{PACKAGE}/{name}").decode()
        except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"{self.origin} has no readable {PACKAGE}/{name}: {error}. {GET_ONE}"
            ) from error


def find_reference(source: str | Path | None = None) -> Reference:
    """The wheel given, else the one TERMINAL_LEGO_HARBOR_WHEEL names, else an installed Harbor.

    Raises:
        ConfigError: there is none, or it is not a Harbor wheel.
    """
    if source is None:
        source = os.environ.get(WHEEL_VARIABLE) or None
    return _installed() if source is None else _wheel(Path(source))


def _wheel(path: Path) -> Reference:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a wheel of Harbor: {error}. {GET_ONE}") from error
    tops = {name.partition("/")[0] for name in archive.namelist()}
    versions = [top[len("harbor-") : -len(".dist-info")] for top in tops if _is_harbor(top)]
    if len(versions) != 1:
        raise ConfigError(f"{path}: not a wheel of Harbor: it holds {', '.join(sorted(tops)[:5])}. {GET_ONE}")
    return Reference(versions[0], str(path), archive.read)


def _is_harbor(folder: str) -> bool:
    return folder.startswith("harbor-") and folder.endswith(".dist-info")


def _installed() -> Reference:
    try:
        found = distribution("harbor")
    except PackageNotFoundError as error:
        raise ConfigError(f"no Harbor wheel is named and none is installed. {GET_ONE}") from error
    return Reference(
        found.version,
        f"the installed harbor {found.version}",
        lambda name: Path(str(found.locate_file(name))).read_bytes(),
    )


def harbor_profile(parser: str = "json", source: str | Path | None = None) -> Profile:
    """The profile of the version given; its name ends in "unknown" when its wording is not one of `PINS`.

    Raises:
        ConfigError: there is no such parser, no Harbor, or it does not hold what known versions hold.
    """
    if parser not in PARSERS:
        raise ConfigError(f"harness parser {parser!r} is not one of {', '.join(PARSERS)}.")
    reference = find_reference(source)
    initial = reference.read(f"templates/terminus-{parser}-plain.txt")
    try:
        messages = read_messages(reference.read("terminus_2.py"), parser)
        quirks = _quirks(reference.read("terminus_json_plain_parser.py"))
    except (ConfigError, SyntaxError) as error:
        raise ConfigError(f"{reference.origin}: {error} {GET_ONE}") from error
    rest = "\0".join(f"{name}\0{messages[name]}" for name in FIELDS if name != "initial")
    known = (
        any(_sha256(initial) == wording["template"] for wording in PINS["wordings"].values())
        and _sha256(rest) in PINS["messages"][parser]
    )
    name = f"harbor-{reference.version}" + ("" if known else "-unknown")
    return Profile(name, parser, {"initial": initial, **messages}, quirks)


def _quirks(parser_source: str) -> frozenset[str]:
    """All, but for `wait-newline` where the parser looks at the keystrokes before it asks for a newline."""
    spares_waits = any(
        isinstance(node, ast.BoolOp) and any(ast.unparse(value) == "keystrokes" for value in node.values)
        for node in ast.walk(ast.parse(parser_source))
    )
    return frozenset(QUIRKS) - ({"wait-newline"} if spares_waits else set())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
