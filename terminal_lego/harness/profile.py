"""The wording an agent speaks to the model in: one folder, one file per message.

A student must be evaluated with the wording its training trajectories used, so every trial records
the fingerprint of its profile.
"""

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from terminal_lego.errors import ConfigError
from terminal_lego.reply import Reply

FIELDS: Mapping[str, frozenset[str]] = {
    "initial": frozenset({"instruction", "terminal_state"}),
    "confirm": frozenset({"observation"}),
    "error": frozenset({"feedback"}),
    "warning": frozenset({"feedback", "observation"}),
    "length": frozenset({"limit", "feedback"}),
}


@dataclass(frozen=True)
class Profile:
    """Templates by message name, in `str.format` syntax; taken byte for byte, final newlines included.

    Raises ConfigError when a template's placeholders are not exactly those of `FIELDS`.
    """

    name: str
    templates: Mapping[str, str]

    def __post_init__(self) -> None:
        for message, fields in FIELDS.items():
            found = _placeholders(self.name, message, self.templates.get(message))
            if found != fields:
                raise ConfigError(
                    f"profile {self.name}: {message} has placeholders {sorted(found)}, it needs exactly "
                    f"{sorted(fields)}; write a literal brace twice."
                )

    @classmethod
    def native(cls) -> "Profile":
        """This project's own wording."""
        return cls.load(Path(__file__).parent / "profiles" / "native")

    @classmethod
    def load(cls, folder: str | Path) -> "Profile":
        """Read `<message>.md` for every message from a folder, which gives the profile its name."""
        folder = Path(folder)
        templates = {}
        for message in FIELDS:
            try:
                templates[message] = (folder / f"{message}.md").read_bytes().decode()
            except (OSError, UnicodeDecodeError) as error:
                wanted = ", ".join(f"{name}.md" for name in FIELDS)
                raise ConfigError(f"{folder / message}.md: {error}; a profile has {wanted}.") from error
        return cls(folder.name, templates)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the templates."""
        parts = "\0".join(f"{message}\0{self.templates[message]}" for message in FIELDS)
        return hashlib.sha256(parts.encode()).hexdigest()

    def initial(self, instruction: str, terminal_state: str) -> str:
        """The first user message."""
        return self.templates["initial"].format(instruction=instruction, terminal_state=terminal_state)

    def confirm(self, observation: str) -> str:
        """The answer to a first declaration of completion."""
        return self.templates["confirm"].format(observation=observation)

    def error(self, reply: Reply) -> str:
        """The answer to a reply that could not be parsed."""
        return self.templates["error"].format(feedback=_feedback(reply))

    def warning(self, reply: Reply, observation: str) -> str:
        """The observation after a reply that was executed with warnings."""
        return self.templates["warning"].format(feedback=_feedback(reply), observation=observation)

    def length(self, limit: int | None, reply: Reply) -> str:
        """The answer to a reply cut at the output limit, counted in tokens where known."""
        shown = "the maximum output length" if limit is None else f"{limit} tokens"
        feedback = _feedback(Reply(warning=reply.warning))
        return self.templates["length"].format(limit=shown, feedback=feedback)


def _feedback(reply: Reply) -> str:
    parts = (("ERROR", reply.error), ("WARNINGS", reply.warning))
    text = "\n".join(f"{label}: {text}" for label, text in parts if text)
    # A field named by half a surrogate pair is quoted in its warning, and no message may hold that.
    return text.encode("utf-8", "replace").decode()


def _placeholders(profile: str, message: str, template: str | None) -> frozenset[str]:
    if template is None:
        raise ConfigError(f"profile {profile}: there is no {message} message; it needs {', '.join(FIELDS)}.")
    try:
        return frozenset(field for _, field, _, _ in string.Formatter().parse(template) if field is not None)
    except ValueError as error:
        raise ConfigError(f"profile {profile}: {message}: {error}; write a literal brace twice.") from error
