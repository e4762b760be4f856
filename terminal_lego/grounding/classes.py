"""What one simple command looks at and what it changes, read from its words and classes.toml."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from terminal_lego.grounding.class_table import CLASSES, Entry, Table, load_table
from terminal_lego.grounding.command_line import CommandLine, take_apart
from terminal_lego.grounding.event import ACTION, OBSERVATION, OTHER, VERIFICATION
from terminal_lego.grounding.paths import HOME, absolute, before_glob
from terminal_lego.grounding.shell.words import Redirection, SimpleCommand, Word


@dataclass(frozen=True, slots=True)
class Classified:
    """One simple command, judged by its words alone: nothing is run, no file is looked at.

    Attributes:
        program: the name of what runs, without folder and version; a script as it is spelled.
        kind: one of `event.KINDS`.
        edits: whether it changes the content or existence of named files.
        listed: whether it belongs to the action set "list": a listed program, or a redirection into a file.
        reads: absolute paths that it looks at.
        writes: absolute paths that it changes or runs.
        changes_directory: where `cd` or `pushd` goes; None for any other program, and where it is unknown.
        redirects: whether a redirection writes a file.
    """

    program: str
    kind: str
    edits: bool
    listed: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    changes_directory: str | None = None
    redirects: bool = False


class _Shell(NamedTuple):
    """What the meaning of words depends on."""

    table: Table
    cwd: str | None
    written: Container[str]
    piped: bool
    depth: int = 0

    def inside(self) -> "_Shell":
        return self._replace(depth=self.depth + 1)


class _Judged(NamedTuple):
    kind: str
    edits: bool
    reads: list[str]
    writes: list[str]


def classify(command: SimpleCommand, *, written: Container[str] = (), cwd: str | None) -> Classified:
    """Judge a command whose wrappers (`sudo`, `bash -c`, ...) are already seen through. Never raises.

    Args:
        written: absolute paths written before; running one of them is a verification.
        cwd: the working directory; None if unknown, and then relative paths are left out.
    """
    table = load_table()
    words, redirections = command.words, command.redirections
    program, (kind, edits, reads, writes) = "", _Judged(OTHER, False, [], [])
    if words:
        shell = _Shell(table, cwd, written, command.operator in ("|", "|&"))
        program, (kind, edits, reads, writes) = _program(words, shell)
    redirected = False
    if redirections:
        if kind == OBSERVATION and not reads and any(r.operator.startswith("<<") for r in redirections):
            kind = OTHER  # it shows what was typed, as echo does
        redirected = _redirect(redirections, reads, writes, table, cwd)
    if redirected:
        edits = True
        kind = VERIFICATION if kind == VERIFICATION else ACTION
    listed = redirected or program in table.listed
    destination = _destination(words, cwd) if program in ("cd", "pushd") else None
    return Classified(program, kind, edits, listed, _unique(reads), _unique(writes), destination, redirected)


def _redirect(
    redirections: Sequence[Redirection], reads: list[str], writes: list[str], table: Table, cwd: str | None
) -> bool:
    """Adds the files of redirections; returns whether one of them is written."""
    redirected = False
    for redirection in redirections:
        target = redirection.target
        if target is None or not _is_file(target.text, table):
            continue
        if redirection.writes:
            redirected = True
            writes += _paths([target], cwd)
        elif redirection.operator == "<":
            reads += _paths([target], cwd)
    return redirected


_SCRIPT = Entry("run", reads="arguments", writes="first")
_UNKNOWN = Entry("action", reads="looks")
_DEEPEST = 20


def _program(words: Sequence[Word], shell: _Shell) -> tuple[str, _Judged]:
    """The name of what runs, and what it does."""
    spelled = words[0].text
    if shell.depth > _DEEPEST:
        return spelled, _Judged(ACTION, False, [], [])
    programs = shell.table.programs
    name = spelled
    if name not in programs:
        folder, _, base = spelled.rpartition("/")
        if not folder or folder.endswith("bin"):
            name = base if base in programs else base.rstrip("0123456789.-")
    if entry := programs.get(name):
        return name, _judge(entry, words[1:], shell)
    if words[0].literal and _looks_like_path(spelled, shell.table):
        return spelled, _judge(_SCRIPT, words, shell)
    return spelled, _judge(_UNKNOWN, words[1:], shell)


def _judge(entry: Entry, words: Sequence[Word], shell: _Shell) -> _Judged:
    line = take_apart(entry, words)
    base = _base(entry, line, shell.cwd)
    if line.sub:
        return _judge(*line.sub, shell._replace(cwd=base))
    if entry.delegate and line.operands:
        if entry.delegate == "command":
            return _program(line.operands, shell.inside())[1]
        return _judge(shell.table.programs[entry.delegate], line.operands, shell)
    entry = _variant(entry, line)
    kind, edits, reads, writes = own = _own(entry, line, base, shell)
    if line.inner:
        kind, edits, inner_reads, inner_writes = _program(line.inner, shell.inside())[1]
        if kind == ACTION:
            reads, writes = [], writes + reads
        return _Judged(kind, edits, reads + inner_reads, writes + inner_writes)
    if kind in (ACTION, VERIFICATION) and _asks(entry, words, shell.table):
        return _Judged(OBSERVATION, False, writes + reads, [])
    return own


def _variant(entry: Entry, line: CommandLine) -> Entry:
    """The entry as the first rule that holds changes it."""
    for rule in entry.when:
        if (
            (not rule.flags or not rule.flags.isdisjoint(line.seen))
            and len(line.operands) >= rule.operands
            and (not rule.words or any(w.text.partition(" ")[0] in rule.words for w in line.operands))
        ):
            return rule.entry
    return entry


def _own(entry: Entry, line: CommandLine, base: str | None, shell: _Shell) -> _Judged:
    """What a command does by itself: the command that a flag of it holds is left aside."""
    table = shell.table
    kind, edits = CLASSES[entry.group], entry.group == "edit"
    to_read, to_write = _select(entry.reads, line, table), _select(entry.writes, line, table)
    files = [word for word in to_write if _is_file(word.text, table)]
    reads = _paths((word for word in to_read if _is_file(word.text, table)), base)
    writes = _paths(files, base)
    if entry.group == "run" and any(path in shell.written for path in (*writes, *reads)):
        kind = VERIFICATION
    by_flag = _take_values(entry, line, reads, writes, shell)
    if base and entry.here == "reads" and not to_read and not shell.piped:
        reads.append(base)
    if base and entry.here == "writes" and not to_write and not by_flag:
        writes.append(base)
    if by_flag or (files and kind in (OBSERVATION, OTHER)):
        edits = True
        kind = VERIFICATION if kind == VERIFICATION else ACTION
    return _Judged(kind, edits, reads, writes)


def _take_values(entry: Entry, line: CommandLine, reads: list[str], writes: list[str], shell: _Shell) -> bool:
    """Adds the files that flags name; returns whether one of them is written."""
    writing = False
    for flag, text, literal, glob in line.values:
        role = entry.roles.get(flag)
        if role in ("read", "write") and _is_file(text, shell.table):
            path = _path(text, glob, shell.cwd) if literal else None
            if path:
                (reads if role == "read" else writes).append(path)
            writing = writing or role == "write"
    return writing


def _base(entry: Entry, line: CommandLine, cwd: str | None) -> str | None:
    """The directory that operands are relative to: `git -C` moves there first."""
    for flag, text, literal, _ in line.values:
        if entry.roles.get(flag) == "base":
            cwd = absolute(text, cwd) if literal else None
    return cwd


def _asks(entry: Entry, words: Sequence[Word], table: Table) -> bool:
    """Whether only a version or a help text is asked for."""
    if not words:
        return False
    last = words[-1].text
    if last in table.questions:
        return True
    return len(words) == 1 and (last in table.sole_questions or last in entry.asks)


def _select(how: str, line: CommandLine, table: Table) -> Sequence[Word]:
    """The operands that a selector of classes.toml stands for."""
    operands = line.operands
    match how:
        case "none":
            return ()
        case "all":
            return operands
        case "first":
            return operands[:1]
        case "last":
            return operands[-1:]
        case "rest":
            return operands[1:]
        case "init":
            return operands[:-1]
    sure = len(operands) if line.sure is None else line.sure
    first = 1 if how == "arguments" else 0
    return [w for w in operands[first:sure] if _looks_like_path(w.text, table)] + operands[max(first, sure) :]


def _looks_like_path(text: str, table: Table) -> bool:
    if "/" not in text:
        name, dot, suffix = text.rpartition(".")
        return suffix in table.suffixes and bool(dot) if name else text in (".", "..")
    return text[0] != "-" and ":" not in text and not any(mark in text for mark in " \n\t(){};|")


def _is_file(text: str, table: Table) -> bool:
    """Whether a word in a path's place can be one: no `-`, no `/dev/null`, no `host:path`, no URL."""
    if text in table.no_files or text.startswith(table.no_folders):
        return False
    return ":" not in text or ":" not in text.partition("/")[0] or "::" in text


def _paths(words: Iterable[Word], cwd: str | None) -> list[str]:
    found = (_path(word.text, word.glob, cwd) for word in words if word.literal)
    return [path for path in found if path]


def _path(text: str, glob: bool, cwd: str | None) -> str | None:
    if "{}" in text:  # what find and xargs put in its place
        return None
    if glob:
        return absolute(before_glob(text), cwd)
    return absolute(text.partition("::")[0].removesuffix("/..."), cwd)  # pytest's tests, Go's "and below"


def _unique(paths: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths)) if paths else ()


def _destination(words: Sequence[Word], cwd: str | None) -> str | None:
    """Where `cd` or `pushd` goes, if its words say so: `-` and an expansion do not, a bare `cd` goes home."""
    operands = [word for word in words[1:] if word.text == "-" or not word.text.startswith("-")]
    if not operands:
        return HOME if words[0].text == "cd" else None
    target = operands[0]
    return absolute(target.text, cwd) if target.literal and target.text != "-" else None
