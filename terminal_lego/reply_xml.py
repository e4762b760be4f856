"""The Terminus-2 XML reply format, read into the same `Reply` as the JSON one.

It is not XML: tags are found as text, nothing is unescaped, and closing tags may be missing where the
reference never asks for them.
"""

import re
from collections.abc import Iterator

from terminal_lego.reply import NEWLINE_WARNING, Command, Reply, bullets

__all__ = ["parse_xml_reply", "salvage_xml_reply"]

_OPEN, _CLOSE = "<response>", "</response>"
_REQUIRED = ("analysis", "plan", "commands")
_SECTIONS = (*_REQUIRED, "task_complete")
_ONE_AT_A_TIME = (
    "IMPORTANT: Only issue one <{}> block at a time. You issued {} and only the first was executed."
)
_DEFAULT_DURATION = 1.0
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&apos;": "'"}
_COMPLETE = re.compile(r"<task_complete>\s*true\s*</task_complete>", re.IGNORECASE)
_DURATION = re.compile(r"""duration\s*=\s*["']([^"']*)["']""")
# Only from the start of a word: the same matches, in linear time.
_ATTRIBUTE = re.compile(r"(?<!\w)(\w++)\s*=")
_UNQUOTED = re.compile(_ATTRIBUTE.pattern + r"""\s*([^"'\s>]+)""")
_SINGLE_QUOTED = re.compile(_ATTRIBUTE.pattern + r"\s*'([^']*)'")


def parse_xml_reply(text: str) -> Reply:
    """Read a model's reply as Terminus-2's XML parser does. Never raises."""
    warnings: list[str] = []
    start = text.find(_OPEN)
    if start != -1:
        _check_surroundings(text, start, warnings)
    content, offset = _content(text, start)
    if not content:
        return Reply(error="No <response> tag found", warning=bullets(warnings))
    complete = _COMPLETE.search(content) is not None
    found = {name: section for name in _SECTIONS if (section := _section(content, name)) is not None}
    _check_structure(content, found, warnings)
    analysis, plan = (content[slice(*found.get(name, (0, 0)))] for name in ("analysis", "plan"))

    commands: tuple[Command, ...] = ()
    if "commands" not in found and not complete:
        return Reply((), False, "Missing <commands> section", bullets(warnings), analysis, plan)
    first, end = found.get("commands", (0, 0))
    if first < end:
        commands = _commands(content[first:end], offset + first, warnings)
    elif not complete:
        warnings.append(
            "Commands section is empty; not taking any action. If you want to wait a specific amount of "
            "time please use `sleep`, but if you're waiting for a command to finish then continue to wait."
        )
    return Reply(commands, complete, "", bullets(warnings), analysis, plan)


def salvage_xml_reply(text: str) -> str | None:
    """The reply up to its closing tag, when one cut at the output limit got that far and is valid.

    None for a reply with an error in it or with several blocks.
    """
    commands_end = text.find("</commands>")
    end = -1 if commands_end == -1 else text.find(_CLOSE, commands_end)
    if end == -1:
        return None
    salvaged = text[: end + len(_CLOSE)]
    reply = parse_xml_reply(salvaged)
    shown = reply.warning.lower()
    return None if reply.error or ("only issue one" in shown and "block at a time" in shown) else salvaged


def _content(text: str, start: int) -> tuple[str, int]:
    """What the first response holds, stripped, and where that starts; without closing tag, all the rest."""
    if start == -1:
        return "", 0
    inside = start + len(_OPEN)
    end = text.find(_CLOSE, inside)
    first, last = _stripped(text, inside, len(text) if end == -1 else end)
    return text[first:last], first


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    first = start + len(piece) - len(piece.lstrip())
    return first, first + len(piece.strip())


def _check_surroundings(text: str, start: int, warnings: list[str]) -> None:
    if text[:start].strip():
        warnings.append("Extra text detected before <response> tag")
    end = text.find(_CLOSE)
    if end != -1 and text[end + len(_CLOSE) :].strip():
        warnings.append("Extra text detected after </response> tag")
        if (count := text.count(_OPEN)) > 1:
            warnings.append(_ONE_AT_A_TIME.format("response", count))


def _section(content: str, name: str) -> tuple[int, int] | None:
    """Where the first block of this name holds its text; an empty place for a self-closing tag."""
    start = content.find(f"<{name}>")
    end = -1 if start == -1 else content.find(f"</{name}>", start)
    if end != -1:
        return _stripped(content, start + len(name) + 2, end)
    return (0, 0) if re.search(rf"<{name}\s*/>", content) else None


def _check_structure(content: str, found: dict[str, tuple[int, int]], warnings: list[str]) -> None:
    warnings += [f"Missing <{name}> section" for name in _REQUIRED if name not in found]
    for tag in dict.fromkeys(_top_level_tags(content)):
        if tag not in _SECTIONS:
            warnings.append(f"Unknown tag found: <{tag}>, expected analysis/plan/commands/task_complete")
    openings = {
        name: [hit.start() for hit in re.finditer(rf"<{name}(?:\s|/?>)", content)] for name in _SECTIONS
    }
    for name, places in openings.items():
        if len(places) > 1:
            several = f"Multiple <{name}> sections found"
            warnings.append(_ONE_AT_A_TIME.format(name, len(places)) if name == "commands" else several)
    expected = [name for name in _REQUIRED if openings[name]]
    order = sorted(expected, key=lambda name: openings[name][0])
    if order != expected:
        warnings.append(
            f"Sections appear in wrong order. Found: {' → '.join(order)}, expected: {' → '.join(expected)}"
        )


def _top_level_tags(content: str) -> Iterator[str]:
    """Names of tags that stand in no other; a closing tag closes whatever is open."""
    depth = position = 0
    while (start := content.find("<", position)) != -1 and (end := content.find(">", start)) != -1:
        tag, position = content[start + 1 : end], end + 1
        if tag.startswith(("!", "?")):
            continue
        if tag.startswith("/"):
            depth -= 1
            continue
        if depth == 0:
            name = next(iter(tag.split()), "") if " " in tag else tag
            yield name.removesuffix("/")
        depth += not tag.endswith("/")


def _commands(content: str, offset: int, warnings: list[str]) -> tuple[Command, ...]:
    commands = []
    elements = list(_elements(content))
    for number, (attributes, keystrokes, start, end) in enumerate(elements, 1):
        name = f"Command {number}"
        _check_attributes(attributes, name, warnings)
        duration = _duration(attributes, name, warnings)
        if number < len(elements) and not keystrokes.endswith("\n"):
            warnings.append(NEWLINE_WARNING.format(name))
        commands.append(Command(keystrokes, duration, (offset + start, offset + end)))
    warnings += [
        f"Warning: {entity} is read verbatim and not converted to {char}. NEVER USE {entity}, unless you "
        "want these exact characters to appear directly in the output."
        for entity, char in _ENTITIES.items()
        if entity in content
    ]
    if r"\r\n" in content:
        warnings.append(r"Warning: \r\n line endings are not necessary - use \n instead for simpler output")
    return tuple(commands)


def _elements(content: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield (attributes, keystrokes, start, end); by `find`, so that no reply takes quadratic time."""
    opening, closing = "<keystrokes", "</keystrokes>"
    end = 0
    while (start := content.find(opening, end)) != -1:
        inside = content.find(">", start)
        close = -1 if inside == -1 else content.find(closing, inside)
        if close == -1:
            return
        end = close + len(closing)
        yield content[start + len(opening) : inside], content[inside + 1 : close], start, end


def _check_attributes(attributes: str, name: str, warnings: list[str]) -> None:
    for key, value in _UNQUOTED.findall(attributes):
        warnings.append(f"{name}: Attribute '{key}' value should be quoted: {key}=\"{value}\"")
    for key, value in _SINGLE_QUOTED.findall(attributes):
        warnings.append(f"{name}: Use double quotes for attribute '{key}': {key}=\"{value}\"")
    for key in _ATTRIBUTE.findall(attributes):
        if key != "duration":
            warnings.append(f"{name}: Unknown attribute '{key}' - known attributes are: duration")


def _duration(attributes: str, name: str, warnings: list[str]) -> float:
    given = _DURATION.search(attributes)
    if given is None:
        warnings.append(f"{name}: Missing duration attribute, using default 1.0")
        return _DEFAULT_DURATION
    try:
        return float(given[1])
    except ValueError:
        warnings.append(f"{name}: Invalid duration value '{given[1]}', using default 1.0")
        return _DEFAULT_DURATION
