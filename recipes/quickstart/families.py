"""The kinds of task in the quickstart world, as one table.

Every field of a `Family` is a template over `folder`, `subject` and `output`, which the instruction
gives, and `file` and `value`, which only the terminal shows. What a teacher types is built from these
templates alone; what is true about a task is known to its verifier only.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from recipes.quickstart.names import Names


@dataclass(frozen=True)
class Family:
    """One kind of task.

    Attributes:
        usual: the file name where such a thing is usually found; a guess goes there.
        look, found: the command that shows what is needed, and the pattern that reads it off the
            screen (groups `file` and `value` where the family has them).
        saw: what the inspector notes after looking.
        act, verify, guess: commands.
        entries: the lines of a file that holds (or does not hold) the subject.
        check: shell condition on the final state; every folder's other files must be untouched too.
    """

    name: str
    instruction: str
    usual: str
    look: str
    found: str
    saw: str
    act: str
    verify: str
    guess: str
    entries: Callable[[random.Random, Names, str | None, str], list[str]]
    check: str
    leaves: str = "{file}"

    @property
    def suffix(self) -> str:
        return self.usual[self.usual.index(".") :]


Entries = list[str]


def _settings(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    sign = rng.choice(("=", ": ", " = "))
    return _shuffled(rng, names, subject, value, lambda key, number: f"{key}{sign}{number}")


def _records(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    shape = rng.choice(('{{"name": "{0}", "port": {1}}}', '{{"port": {1}, "name": "{0}"}}'))
    rows = _shuffled(rng, names, subject, value, shape.format)
    return ["[", *(f"  {row}," for row in rows[:-1]), f"  {rows[-1]}", "]"]


def _rows(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    shape = rng.choice(("{0},{1},up", "{1};{0};up", "up,{0},{1}"))
    return _shuffled(rng, names, subject, value, shape.format)


def _shuffled(
    rng: random.Random, names: Names, subject: str | None, value: str, line: Callable[[str, str], str]
) -> Entries:
    entries = [line(names.name(), names.value()) for _ in range(rng.randrange(2, 4))]
    if subject is not None:
        entries.append(line(subject, value))
    rng.shuffle(entries)
    return entries


def _script(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    return ["#!/bin/sh", f"echo {subject or names.name()}"]


def _prose(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    return [f"about {names.name()}", f"see {subject or names.name()}", f"also {names.name()}"]


def _blocks(rng: random.Random, names: Names, subject: str | None, value: str) -> Entries:
    # The largest file is the one meant: the subject's own file gets more lines than any other.
    return [names.value() for _ in range(rng.randrange(12, 16) if subject else rng.randrange(1, 8))]


_LINE = r"^/app/{folder}/(?P<file>\S+?):.*?\b(?P<value>\d{{4}})\b"
_PATH = r"^/app/{folder}/(?P<file>\S+)$"
_PICK = "grep {subject} /app/{folder}/USUAL | grep -Eo '[0-9]{{4}}' > /app/{output}"

FAMILIES = (
    Family(
        name="config",
        instruction="A settings file in /app/{folder} sets {subject}. Write its value to /app/{output}.",
        usual="app.conf",
        look="grep -r {subject} /app/{folder}",
        found=_LINE,
        saw="{subject} is {value}.",
        act="echo {value} > /app/{output}",
        verify="cat /app/{output}",
        guess=_PICK.replace("USUAL", "app.conf"),
        entries=_settings,
        check='[ "$(cat /app/{output})" = {value} ]',
    ),
    Family(
        name="json",
        instruction="A JSON list in /app/{folder} names ports. Write the port of {subject} to /app/{output}.",
        usual="config.json",
        look="grep -r {subject} /app/{folder}",
        found=_LINE,
        saw="{subject} is {value}.",
        act="echo {value} > /app/{output}",
        verify="cat /app/{output}",
        guess=_PICK.replace("USUAL", "config.json"),
        entries=_records,
        check='[ "$(cat /app/{output})" = {value} ]',
    ),
    Family(
        name="csv",
        instruction="A table in /app/{folder} has a row for {subject}. Write its number to /app/{output}.",
        usual="data.csv",
        look="grep -r {subject} /app/{folder}",
        found=_LINE,
        saw="{subject} is {value}.",
        act="echo {value} > /app/{output}",
        verify="cat /app/{output}",
        guess=_PICK.replace("USUAL", "data.csv"),
        entries=_rows,
        check='[ "$(cat /app/{output})" = {value} ]',
    ),
    Family(
        name="rename",
        instruction="One note in /app/{folder} mentions {subject}. Rename it to /app/{folder}/{output}.txt.",
        usual="notes.txt",
        look="grep -rl {subject} /app/{folder}",
        found=_PATH,
        saw="It is {file}.",
        act="mv /app/{folder}/{file} /app/{folder}/{output}.txt",
        verify="ls /app/{folder}",
        guess="mv /app/{folder}/notes.txt /app/{folder}/{output}.txt",
        entries=_prose,
        check="grep -q {subject} /app/{folder}/{output}.txt",
        leaves="{output}.txt",
    ),
    Family(
        name="chmod",
        instruction="One script in /app/{folder} prints {subject}. Make it executable.",
        usual="run.sh",
        look="grep -rl {subject} /app/{folder}",
        found=_PATH,
        saw="It is {file}.",
        act="chmod +x /app/{folder}/{file}",
        verify="/app/{folder}/{file}",
        guess="chmod +x /app/{folder}/run.sh",
        entries=_script,
        check='[ "$(find /app/{folder} -type f -perm /111)" = /app/{folder}/{file} ]',
    ),
    Family(
        name="backup",
        instruction="There are backups in /app/{folder}. Copy the largest one to /app/{output}.",
        usual="latest.bak",
        look="ls -S /app/{folder} | head -1",
        found=r"^(?P<file>\S+\.bak)$",
        saw="It is {file}.",
        act="cp /app/{folder}/{file} /app/{output}",
        verify="ls /app/{output}",
        guess="cp /app/{folder}/latest.bak /app/{output}",
        entries=_blocks,
        check="cmp -s /app/{folder}/{file} /app/{output}",
    ),
    Family(
        name="delete",
        instruction="One log in /app/{folder} mentions {subject}. Delete that log and no other.",
        usual="debug.log",
        look="grep -rl {subject} /app/{folder}",
        found=_PATH,
        saw="It is {file}.",
        act="rm /app/{folder}/{file}",
        verify="ls /app/{folder}",
        guess="rm /app/{folder}/debug.log",
        entries=_prose,
        check="[ ! -e /app/{folder}/{file} ]",
        leaves="",
    ),
)
