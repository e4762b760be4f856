"""What the corpus is made of: the text of this repository, and commands that were typed somewhere."""

import random
import re
import shlex
import tomllib
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from terminal_lego.grounding.interactive import opened

ROOT = Path(__file__).parent.parent
COMMANDS = ROOT / "tests" / "terminal_lego" / "grounding" / "golden_commands.toml"
FOLDERS = ("terminal_lego", "train", "eval", "recipes", "conf", "tests")
SUFFIXES = {".py", ".md", ".toml", ".yaml", ".sh", ".jinja"}

_COMMON = 300  # words that keep their place, so that the text keeps its frequent ones
_WORD = re.compile(r"[A-Za-z]{4,}|\d{2,}")
_SENTENCE = re.compile(r"[A-Z][^.\n`\"\\{}]{40,160}\.(?=\s)")
_FILE = re.compile(r"(?<![\w.:@-])[A-Za-z_][\w-]*(?=\.[a-z]{1,5}\b)")
_FOLDER = re.compile(r"(?<![\w.-])(?:src|data|conf|tests|lib|tools|docs|output)(?=[/\s]|$)")


class Material:
    """Attributes:
    lines: of all text files.
    sentences: of comments, docstrings and documents.
    commands: typed text by the kind of its first command.
    rare: words that are exchanged for each other.
    """

    def __init__(self) -> None:
        files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
        texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in SUFFIXES]
        whole = "\n".join(texts)
        # The spelling of special tokens would make replies that no student can be trained on.
        self.lines = [line for line in whole.split("\n") if line.strip() and "<|" not in line]
        self.sentences = _SENTENCE.findall(whole)
        counts = Counter(word for word in _WORD.findall(whole) if not word.isdigit())
        self.rare = sorted(word for word, _ in counts.most_common()[_COMMON:])
        self.place = {word: number for number, word in enumerate(self.rare)}
        self.commands = _commands()


class Voice:
    """The material as one trajectory tells it: under other names, on other paths."""

    def __init__(self, material: Material, rng: random.Random, task: random.Random) -> None:
        self.material = material
        self.rng = rng
        self._shift = rng.randrange(len(material.rare))
        self.files = [self.name(task) for _ in range(5)]
        self._folders = [self.name(task) for _ in range(3)]

    def name(self, rng: random.Random) -> str:
        return f"{rng.choice(self.material.rare).lower()}_{rng.randrange(36**3):x}"

    def told(self, text: str) -> str:
        return _WORD.sub(self._exchange, text)

    def lines(self, count: int) -> list[str]:
        start = self.rng.randrange(max(1, len(self.material.lines) - count))
        return self.told("\n".join(self.material.lines[start : start + count])).split("\n")

    def sentences(self, least: int, most: int) -> str:
        chosen = self.rng.choices(self.material.sentences, k=self.rng.randint(least, most))
        return self.told(" ".join(chosen))

    def command(self, kind: str) -> str:
        typed = self.rng.choice(self.material.commands[kind])
        typed = _FOLDER.sub(lambda _: self.rng.choice(self._folders), typed)
        return _FILE.sub(lambda _: self.rng.choice(self.files), typed)

    def _exchange(self, match: re.Match[str]) -> str:
        word = match[0]
        if word.isdigit():
            return str(self.rng.getrandbits(32))[: len(word)]
        place = self.material.place.get(word)
        return word if place is None else self.material.rare[place - self._shift]


@cache
def material() -> Material:
    return Material()


def _commands() -> dict[str, list[str]]:
    """Without those that take the keyboard: what follows them would be no command."""
    tables = tomllib.loads(COMMANDS.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = defaultdict(list)
    for table in tables.values():
        for typed, labels in table.items() if isinstance(table, dict) else ():
            program, *arguments = shlex.split(typed, comments=False)
            if opened(program, arguments) is None and typed != "exit":
                found[labels[0].split()[1]].append(typed)
    return dict(found)
