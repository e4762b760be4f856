"""Two scripted teachers. Both see only what a model would see: the instruction and the screens.

The inspector looks before it acts and checks what it did. The guesser acts on the usual path first and
looks only after a visible error. On usual and loud tasks both succeed; where a decoy sits at the usual
path the guesser fails, because nothing on the screen tells it so.
"""

import json
import re
from collections.abc import Callable

from recipes.quickstart.families import FAMILIES, Family
from terminal_lego.trajectory import Message

SECONDS = 0.5
"""Requested duration of a command: commands here take milliseconds, a busy machine may add to that."""

ERROR = re.compile(r"No such file or directory|cannot stat|cannot access|cannot remove")

Policy = Callable[[list[Message]], str]


def reply(analysis: str, plan: str, commands: list[str], done: bool = False) -> str:
    """A Terminus-2 reply in the one layout both teachers write."""
    keys = [f'    {{"keystrokes": {_quote(line + chr(10))}, "duration": {SECONDS}}}' for line in commands]
    listing = "[\n" + ",\n".join(keys) + "\n  ]" if keys else "[]"
    return (
        f'{{\n  "analysis": {_quote(analysis)},\n  "plan": {_quote(plan)},\n'
        f'  "commands": {listing},\n  "task_complete": {str(done).lower()}\n}}'
    )


def inspector(chat: list[Message]) -> str:
    family, slots = read_instruction(chat[0]["content"])
    match turn_number(chat):
        case 1:
            return _look(family, slots, "Nothing is known yet.")
        case 2:
            slots |= read_screen(family, slots, chat[-1]["content"])
            commands = [family.act.format_map(slots), family.verify.format_map(slots)]
            return reply(family.saw.format_map(slots), "Act, then check.", commands)
        case _:
            return _done("The check shows the change.")


def guesser(chat: list[Message]) -> str:
    family, slots = read_instruction(chat[0]["content"])
    turn = turn_number(chat)
    if turn == 1:
        return reply(f"The usual place is {family.usual}.", "Use it.", [family.guess.format_map(slots)])
    failed = ERROR.search(chat[2]["content"])
    if failed and turn == 2:
        return _look(family, slots, "That file is not there.")
    if failed and turn == 3:
        slots |= read_screen(family, slots, chat[-1]["content"])
        return reply(family.saw.format_map(slots), "Act.", [family.act.format_map(slots)])
    return _done("There is no error.")


TEACHERS: dict[str, Policy] = {"inspector": inspector, "guesser": guesser}


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def turn_number(chat: list[Message]) -> int:
    return sum(message["role"] == "assistant" for message in chat) + 1


def read_instruction(prompt: str) -> tuple[Family, dict[str, str]]:
    """Finds which family's instruction a prompt holds, and the names in it."""
    for family in FAMILIES:
        if match := _pattern(family.instruction).search(prompt):
            return family, match.groupdict()
    raise ValueError("the prompt holds no instruction of the quickstart world")


def read_screen(family: Family, slots: dict[str, str], screen: str) -> dict[str, str]:
    """Reads file and value off the screen that the family's look command left.

    Raises:
        ValueError: the screen does not show them.
    """
    match = re.search(family.found.format_map(slots), screen, re.MULTILINE)
    if match is None:
        raise ValueError(f"{family.name}: the screen does not show what was looked for:\n{screen}")
    return match.groupdict()


def _look(family: Family, slots: dict[str, str], analysis: str) -> str:
    return reply(analysis, "Look first.", [family.look.format_map(slots)])


def _done(analysis: str) -> str:
    return reply(analysis, "Done.", [], done=True)


def _pattern(template: str) -> re.Pattern[str]:
    """A template as a pattern; a slot that occurs twice must hold the same name twice."""
    seen: set[str] = set()
    parts = []
    for part in re.split(r"(\{\w+\})", template):
        slot = part.strip("{}")
        if part == slot:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={slot})" if slot in seen else rf"(?P<{slot}>\w+)")
            seen.add(slot)
    return re.compile("".join(parts))
