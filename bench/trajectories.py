"""Made-up trajectories of realistic shape and size. They mean nothing; they only cost what real ones cost."""

import json
import posixpath
import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.material import Voice, material
from terminal_lego.harness.observation import limit
from terminal_lego.harness.profile import Profile
from terminal_lego.reply import parse_reply

COLUMNS = 160
REWARDED = 0.84
FAILING = 0.07


@dataclass(frozen=True)
class Teacher:
    """Habits.

    Attributes:
        turns: on average, without the one that confirms completion.
        commands: per turn, on average.
        looks, checks: shares of commands; the others act.
        scripts: chance that a turn writes a script.
        indent: of its JSON.
        prose: share of replies with text around the JSON, which is a warning.
        broken: share of replies that do not parse.
    """

    name: str
    turns: float
    commands: float
    looks: float
    checks: float
    scripts: float
    indent: int | None
    prose: float
    broken: float


TEACHERS = (
    Teacher("inspector", 7.5, 3.5, 0.65, 0.10, 0.35, 2, 0.02, 0.02),
    Teacher("builder", 5.0, 3.0, 0.30, 0.15, 0.65, None, 0.00, 0.02),
    Teacher("talker", 6.0, 3.2, 0.45, 0.15, 0.45, 2, 0.60, 0.05),
    Teacher("checker", 6.0, 4.0, 0.45, 0.30, 0.45, 4, 0.05, 0.02),
)


def row(number: int, teacher: Teacher) -> dict[str, Any]:
    """One conversation about task `number` in ShareGPT shape; always the same for the same arguments."""
    task = random.Random(f"task {number}")
    writer = _Writer(teacher, random.Random(f"{teacher.name} {number}"), task)
    said = writer.conversation()
    speakers = ("human", "gpt")
    return {
        "conversations": [{"from": speakers[index % 2], "value": text} for index, text in enumerate(said)],
        "metadata": {
            "reward": float(writer.rng.random() < REWARDED),
            "task_path": f"tasks/{writer.task}",
            "task_name": writer.task,
            "source": "bench",
            "model": teacher.name,
        },
    }


class _Writer:
    def __init__(self, teacher: Teacher, rng: random.Random, task: random.Random) -> None:
        self.teacher = teacher
        self.rng = rng
        self.about = Voice(material(), task, task)
        self.task = self.about.name(task)
        self.instruction = self.about.sentences(4, 14)
        self.voice = Voice(material(), rng, random.Random(self.task))
        self.host = f"{rng.getrandbits(48):012x}"
        self.folder = "/app"

    def conversation(self) -> list[str]:
        """First prompt, reply, observation, ..., last reply."""
        screen = f"Current Terminal Screen:\n{self._prompt()}\n"
        said = [_profile().initial(self.instruction, screen)]
        turns = max(2, round(self.rng.gauss(self.teacher.turns, 1.5)))
        for number in range(turns):
            said += self._turn(is_last=number == turns - 1)
        return [*said, self._reply([], complete=True)]

    def _turn(self, *, is_last: bool) -> tuple[str, str]:
        commands = [self._command() for _ in range(self._about(self.teacher.commands))]
        if self.rng.random() < self.teacher.scripts:
            commands.insert(self.rng.randrange(len(commands) + 1), self._script())
        reply = self._reply(commands, complete=is_last)
        if not is_last and self.rng.random() < self.teacher.broken:
            reply = reply[: len(reply) * 2 // 3]
        parsed = parse_reply(reply)
        if parsed.error:
            return reply, _profile().error(parsed)
        shown = "".join(map(self._run, commands))
        screen = limit(f"New Terminal Output:\n{shown}{self._prompt()}\n")
        if is_last:
            return reply, _profile().confirm(screen)
        return reply, _profile().warning(parsed, limit(screen)) if parsed.warning else screen

    def _reply(self, commands: list[str], *, complete: bool) -> str:
        typed = [{"keystrokes": text, "duration": self.rng.choice((0.1, 0.5, 1.0, 5.0))} for text in commands]
        content = {
            "analysis": self.voice.sentences(1, 5),
            "plan": self.voice.sentences(1, 4),
            "commands": typed,
            "task_complete": complete,
        }
        text = json.dumps(content, indent=self.teacher.indent, ensure_ascii=False)
        if self.rng.random() < self.teacher.prose:
            return f"{self.voice.sentences(1, 3)}\n\n```json\n{text}\n```"
        return text

    def _command(self) -> str:
        chance = self.rng.random() - self.teacher.looks
        kind = "observation" if chance < 0 else "verification" if chance < self.teacher.checks else "action"
        if self.rng.random() < 0.08:
            kind = "other"
        return self.voice.command(kind).rstrip("\n") + "\n"

    def _script(self) -> str:
        file = self.rng.choice(self.voice.files)
        body = "\n".join(self.voice.lines(self._about(45)))[: self.rng.randint(1000, 4000)]
        return f"cat > {file}.py <<'EOF'\n{body}\nEOF\n"

    def _run(self, typed: str) -> str:
        """The rows that appear: prompt, echo, output."""
        first, *rest = typed.rstrip("\n").split("\n")
        rows = [f"{self._prompt()} {first}", *(f"> {row}" for row in rest)]
        if target := re.match(r"cd (\S+)", first):
            self.folder = posixpath.normpath(posixpath.join(self.folder, target[1]))
        else:
            rows += self._output(first, quiet="<<" in first)
        return "".join(
            row[at : at + COLUMNS] + "\n" for row in rows for at in range(0, len(row) or 1, COLUMNS)
        )

    def _output(self, typed: str, *, quiet: bool) -> list[str]:
        program = typed.split()[0]
        if self.rng.random() < FAILING:
            name = self.rng.choice(self.voice.files)
            return self.rng.choice(
                (
                    [f"bash: {program}: command not found"],
                    [f"{program}: cannot access '{name}.txt': No such file or directory"],
                    ["Traceback (most recent call last):", *self.voice.lines(6), f"KeyError: '{name}'"],
                )
            )
        if quiet or self.rng.random() < 0.35:
            return []
        count = max(1, min(400, int(self.rng.lognormvariate(2.8, 1.0))))
        return self._listing(count) if program in ("ls", "find", "tree") else self.voice.lines(count)

    def _listing(self, count: int) -> list[str]:
        rng = self.rng
        return [
            f"-rw-r--r-- 1 root root {rng.randrange(10**7):>8} May {rng.randrange(1, 29):>2} "
            f"{rng.randrange(24):02}:{rng.randrange(60):02} {self.voice.name(rng)}.txt"
            for _ in range(count)
        ]

    def _prompt(self) -> str:
        return f"root@{self.host}:{self.folder}#"

    def _about(self, mean: float) -> int:
        return max(1, round(self.rng.gauss(mean, mean / 4)))


def _wrapped(row: str) -> list[str]:
    return [row[at : at + COLUMNS] for at in range(0, len(row) or 1, COLUMNS)]


@cache
def _profile() -> Profile:
    return Profile.native()
