"""The wording an agent speaks to the model in: one folder, one file per message, and the reply format.

A student must be evaluated with the wording its training trajectories used, so every trial records
the fingerprint of its profile.
"""

import hashlib
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError
from terminal_lego.harness.quirks import QUIRKS
from terminal_lego.reply import Reply, parse_reply
from terminal_lego.reply_xml import parse_xml_reply, salvage_xml_reply

if TYPE_CHECKING:
    from terminal_lego.task_config import McpServer

PROFILES = Path(__file__).parent / "profiles"
PARSERS = ("json", "xml")
# What every conversation may show; the others are met only in long, cut or equipped ones.
_OWN = ("initial", "confirm", "error", "warning")
FIELDS: Mapping[str, frozenset[str]] = {
    message: frozenset(fields.split())
    for message, fields in {
        "initial": "instruction terminal_state",
        "confirm": "observation",
        "error": "feedback",
        "warning": "feedback observation",
        "length": "limit",
        "length_unknown": "",
        "length_warnings": "warnings",
        "handover": "instruction",
        "questions": "instruction summary terminal_state",
        "answers": "questions",
        "resume": "answers",
        "brief": "instruction screen",
        "briefed": "instruction summary",
        "bare": "instruction screen",
        "apology": "",
        "mcp": "",
        "mcp_stdio": "name command arguments",
        "mcp_url": "name transport url",
    }.items()
}


@dataclass(frozen=True)
class Profile:
    """Templates by message name, in `str.format` syntax; taken byte for byte, final newlines included.

    Attributes:
        name: said in records; `id` is what two profiles are compared by.
        parser: "json" or "xml", the format replies are read in.
        templates: one per message of `FIELDS`.
        quirks: behaviours of the reference to reproduce, names of `QUIRKS`.

    Raises ConfigError when a template's placeholders are not exactly those of `FIELDS` (an empty one
    leaves its message out, and a fixed limit needs no placeholder), for another parser or quirk.
    """

    name: str
    parser: str
    templates: Mapping[str, str]
    quirks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.parser not in PARSERS:
            raise ConfigError(
                f"profile {self.name}: parser {self.parser!r} is not one of {', '.join(PARSERS)}."
            )
        if unknown := sorted(self.quirks - set(QUIRKS)):
            raise ConfigError(f"profile {self.name}: quirks {unknown} are not among {', '.join(QUIRKS)}.")
        for message, fields in FIELDS.items():
            found = _placeholders(self.name, message, self.templates.get(message))
            if found != fields and not (message == "length" or self.templates[message] == ""):
                raise ConfigError(
                    f"profile {self.name}: {message} has placeholders {sorted(found)}, it needs exactly "
                    f"{sorted(fields)}; write a literal brace twice."
                )

    @classmethod
    def native(cls, parser: str = "json") -> "Profile":
        """This project's own wording."""
        return cls.load(PROFILES / ("native" if parser == "json" else f"native-{parser}"))

    @classmethod
    def load(cls, folder: str | Path) -> "Profile":
        """Read `<message>.md` from a folder, which gives the profile its name.

        The messages of every conversation must be there, others default to the native ones. A file
        profile.toml may set `parser` and the list `quirks`; without it a profile reads JSON and has none.
        """
        folder = Path(folder)
        templates = {}
        for message in FIELDS:
            own = folder / f"{message}.md"
            path = own if message in _OWN or own.exists() else PROFILES / "native" / own.name
            try:
                templates[message] = path.read_bytes().decode()
            except (OSError, UnicodeDecodeError) as error:
                wanted = ", ".join(f"{name}.md" for name in _OWN)
                raise ConfigError(f"{path}: {error}; a profile has {wanted}.") from error
        settings = _settings(folder / "profile.toml")
        return cls(
            folder.name, settings.get("parser", "json"), templates, frozenset(settings.get("quirks", ()))
        )

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the templates."""
        parts = "\0".join(f"{message}\0{self.templates[message]}" for message in FIELDS)
        return hashlib.sha256(parts.encode()).hexdigest()

    @cached_property
    def head(self) -> str:
        """What the first user message begins with, whatever the task."""
        return self.initial("\0", "").partition("\0")[0]

    def parse(self, text: str) -> Reply:
        """Read a reply in this profile's format. Never raises."""
        if self.parser == "xml":
            return parse_xml_reply(text)
        return parse_reply(text, warn_of_waits="wait-newline" in self.quirks)

    def salvage(self, text: str) -> str | None:
        """The part of a reply cut at the output limit that can stand for it; None without one."""
        return salvage_xml_reply(text) if self.parser == "xml" else None

    def initial(self, instruction: str, terminal_state: str) -> str:
        """The first user message."""
        return self._say("initial", instruction=instruction, terminal_state=terminal_state)

    def confirm(self, observation: str) -> str:
        """The answer to a first declaration of completion."""
        return self._say("confirm", observation=observation)

    def error(self, reply: Reply) -> str:
        """The answer to a reply that could not be parsed."""
        return self._say("error", feedback=_feedback(reply))

    def warning(self, reply: Reply, observation: str) -> str:
        """The observation after a reply that was executed with warnings."""
        return self._say("warning", feedback=_feedback(reply), observation=observation)

    def length(self, limit: int | None, reply: Reply) -> str:
        """The answer to a reply cut at the output limit, counted in tokens where known."""
        text = self._say("length_unknown") if limit is None else self._say("length", limit=limit)
        return text + (
            self._say("length_warnings", warnings=_sendable(reply.warning)) if reply.warning else ""
        )

    def handover(self, instruction: str) -> str:
        """Asks for a summary of the work so far; the first of the three calls of a full summary."""
        return self._say("handover", instruction=instruction)

    def questions(self, instruction: str, summary: str, terminal_state: str) -> str:
        """Asks a fresh model what the summary leaves open."""
        return self._say("questions", instruction=instruction, summary=summary, terminal_state=terminal_state)

    def answers(self, questions: str) -> str:
        """Puts these questions to the model that knows the whole conversation."""
        return self._say("answers", questions=questions)

    def resume(self, answers: str) -> str:
        """The prompt the work goes on with after a full summary."""
        return self._say("resume", answers=answers)

    def brief(self, instruction: str, screen: str) -> str:
        """Asks for next steps in a few sentences, when a full summary failed."""
        return self._say("brief", instruction=instruction, screen=screen)

    def briefed(self, instruction: str, summary: str) -> str:
        """The prompt the work goes on with after a short summary."""
        return self._say("briefed", instruction=instruction, summary=summary)

    def bare(self, instruction: str, screen: str) -> str:
        """The prompt the work goes on with when no summary could be had."""
        return self._say("bare", instruction=instruction, screen=screen)

    @property
    def apology(self) -> str:
        """Stands for the reply of a model that could not be reached even then; no format allows it."""
        return self._say("apology")

    def servers(self, servers: "Iterable[McpServer]") -> str:
        """What the instruction ends with when a task has MCP servers; empty without one."""
        lines = [
            self._say("mcp_stdio", name=server.name, command=server.command, arguments=" ".join(server.args))
            if server.transport == "stdio"
            else self._say("mcp_url", name=server.name, transport=server.transport, url=server.url)
            for server in servers
        ]
        return self._say("mcp") + "".join(lines) if lines else ""

    def _say(self, message: str, **fields: object) -> str:
        return self.templates[message].format(**fields)


def _feedback(reply: Reply) -> str:
    parts = (("ERROR", reply.error), ("WARNINGS", reply.warning))
    return _sendable("\n".join(f"{label}: {text}" for label, text in parts if text))


def _sendable(text: str) -> str:
    """A field named by half a surrogate pair is quoted in its warning, and no message may hold that."""
    return text.encode("utf-8", "replace").decode()


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}.") from error
    quirks = settings.get("quirks", [])
    listed = isinstance(quirks, list) and all(isinstance(quirk, str) for quirk in quirks)
    if settings.keys() - {"parser", "quirks"} or not listed:
        raise ConfigError(f"{path}: it may set parser and quirks, a list of names, and nothing else.")
    return settings


def _placeholders(profile: str, message: str, template: str | None) -> frozenset[str]:
    if template is None:
        raise ConfigError(f"profile {profile}: there is no {message} message; it needs {', '.join(FIELDS)}.")
    try:
        return frozenset(field for _, field, _, _ in string.Formatter().parse(template) if field is not None)
    except ValueError as error:
        raise ConfigError(f"profile {profile}: {message}: {error}; write a literal brace twice.") from error
