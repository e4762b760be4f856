"""Paths as a command names them, and which observed path supports which target."""

import posixpath

from terminal_lego.errors import ConfigError

HOME = "/root"
"""What `~` stands for: agents work as root in their containers."""


def absolute(text: str, cwd: str | None) -> str | None:
    """The absolute, normalised path that `text` names; links are not followed.

    None where that cannot be known: nothing named, an expansion, another user's home, a relative path
    without a working directory.
    """
    if not text or "$" in text or "`" in text:
        return None
    if text[0] == "~":
        if text[1:2] not in ("", "/"):
            return None
        text = HOME + text[1:]
    elif text[0] != "/":
        if not cwd:
            return None
        text = f"{cwd}/{text}"
    return "/" + posixpath.normpath(text).lstrip("/")


def before_glob(pattern: str) -> str:
    """The directory in front of the first part that holds a wildcard: "src" of `src/*/x`, "." of `*.py`."""
    first = min((place for mark in "*?[" if (place := pattern.find(mark)) >= 0), default=len(pattern))
    return pattern[: pattern.rfind("/", 0, first) + 1] or "."


def aligned(observed: str, target: str, align: str) -> bool:
    """Whether looking at `observed` says something about `target`; both absolute and normalised.

    Args:
        align: "exact": the same path; "strict": or `observed` is a directory above `target`, at any
            depth, the root too; "loose": or `target` is one above `observed`, or both end in the same name.

    Raises:
        ConfigError: another `align`.
    """
    if align not in ("exact", "strict", "loose"):
        raise ConfigError(f"align={align!r} is none of exact, strict, loose.")
    if observed == target:
        return True
    if align == "exact":
        return False
    if _holds(observed, target):
        return True
    return align == "loose" and (_holds(target, observed) or _name(observed) == _name(target))


def _holds(folder: str, path: str) -> bool:
    return path.startswith(folder if folder == "/" else folder + "/")


def _name(path: str) -> str:
    return path.rpartition("/")[2]
