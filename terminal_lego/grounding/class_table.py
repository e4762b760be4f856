"""classes.toml, checked and compiled: what is known of each program."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from terminal_lego.errors import ConfigError
from terminal_lego.grounding.event import ACTION, OBSERVATION, OTHER, VERIFICATION

SELECTORS = ("none", "all", "first", "last", "rest", "init", "looks", "arguments")
CLASSES = {
    "observation": OBSERVATION,
    "edit": ACTION,
    "action": ACTION,
    "run": ACTION,
    "verification": VERIFICATION,
    "other": OTHER,
}
_ROLES = {"read_flags": "read", "write_flags": "write", "base_flags": "base"}
_LISTS = ("values", "pairs", "glued", "command_flags", "skip_unless", "asks", *_ROLES)
_PLAIN = ("reads", "writes", "here", "skip", "clusters", "leading", "plus", "bundle", "delegate")
_ENTRY = {"class", "sub", "when", *_PLAIN, *_LISTS}
_RULE = {"flags", "words", "operands", "class", "reads", "writes", "here", *_ROLES}


@dataclass(frozen=True, slots=True)
class Entry:
    """One program or subcommand; the head of classes.toml says what the fields mean.

    Attributes:
        group: a key of `CLASSES`.
        arity: words that follow a flag as its value; 0 if a value can only be glued to it.
        roles: "read", "write" or "base" of the flags whose value is a path.
        keyed: flags that rules ask about together with their value.
        when: the first rule that holds replaces the entry.
    """

    group: str
    reads: str = "none"
    writes: str = "none"
    here: str = ""
    skip: int = 0
    clusters: bool = True
    leading: bool = False
    plus: bool = False
    bundle: bool = False
    delegate: str = ""
    skip_unless: frozenset[str] = frozenset()
    command_flags: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()
    arity: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    keyed: frozenset[str] = frozenset()
    sub: Mapping[str, "Entry"] = field(default_factory=lambda: MappingProxyType({}))
    when: tuple["Rule", ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """`entry` holds if one of `flags` and one of `words` is there (an empty set asks nothing)."""

    flags: frozenset[str]
    words: frozenset[str]
    operands: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Table:
    """All of classes.toml."""

    programs: Mapping[str, Entry]
    listed: frozenset[str]
    paper_observations: frozenset[str]
    suffixes: frozenset[str]
    no_files: frozenset[str]
    no_folders: tuple[str, ...]
    questions: frozenset[str]
    sole_questions: frozenset[str]


@cache
def load_table() -> Table:
    return compile_table(Path(__file__).with_name("classes.toml").read_text(encoding="utf-8"))


def compile_table(text: str) -> Table:
    """Compile text in the form of classes.toml.

    Raises:
        ConfigError: an entry that breaks the table's rules.
    """
    data = tomllib.loads(text)
    programs: dict[str, Entry] = {}
    for group in CLASSES:
        _add(programs, data.pop(group, {}), group, group)
    arrays = {name: data.pop(name, ()) for name in Table.__annotations__ if name != "programs"}
    if data:
        raise ConfigError(f"classes.toml has a table {min(data)!r}; the classes are {', '.join(CLASSES)}.")
    no_folders = tuple(arrays.pop("no_folders"))
    sets = {name: frozenset(array) for name, array in arrays.items()}
    return Table(programs, no_folders=no_folders, **sets)


def _add(entries: dict[str, Entry], given: Mapping[str, Any], group: str, where: str) -> None:
    """Compiles a table whose keys name one program each, or several between spaces."""
    for names, fields in given.items():
        compiled = _entry(fields, group, f"{where}: {names}")
        for name in names.split():
            if name in entries:
                raise ConfigError(f"classes.toml names {name!r} twice, last in {where}; keep one.")
            entries[name] = compiled


def _entry(fields: Mapping[str, Any], group: str, where: str) -> Entry:
    _check(fields, _ENTRY, where)
    group = fields.get("class", group)
    lists = {name: _words(fields, name) for name in _LISTS}
    rules = fields.get("when", ())
    arity = dict.fromkeys(lists["glued"], 0) | dict.fromkeys(lists["pairs"], 2)
    for source in (fields, *rules):
        arity |= {flag: 1 for name in ("values", *_ROLES) for flag in _words(source, name)}
    sub: dict[str, Entry] = {}
    _add(sub, fields.get("sub", {}), group, where)
    plain = {"reads": "arguments", "writes": "first"} if group == "run" else {}
    entry = Entry(
        group,
        **{**plain, **{name: fields[name] for name in _PLAIN if name in fields}},
        **{name: frozenset(lists[name]) for name in ("skip_unless", "command_flags", "asks")},
        arity=arity,
        roles={flag: role for name, role in _ROLES.items() for flag in lists[name]},
        keyed=frozenset(
            flag.partition("=")[0] for rule in rules for flag in _words(rule, "flags") if "=" in flag[1:-1]
        ),
        sub=sub,
    )
    return replace(entry, when=tuple(_rule(rule, entry, where) for rule in rules))


def _rule(fields: Mapping[str, Any], entry: Entry, where: str) -> Rule:
    _check(fields, _RULE, where)
    changed = {name: fields[name] for name in ("reads", "writes", "here") if name in fields}
    roles = {flag: role for name, role in _ROLES.items() for flag in _words(fields, name)}
    variant = replace(
        entry, group=fields.get("class", entry.group), roles={**entry.roles, **roles}, **changed
    )
    flags, words = (frozenset(_words(fields, name)) for name in ("flags", "words"))
    return Rule(flags, words, fields.get("operands", 0), variant)


def _words(fields: Mapping[str, str], name: str) -> list[str]:
    return fields.get(name, "").split()


def _check(fields: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := set(fields) - known:
        raise ConfigError(
            f"classes.toml, {where}: {min(unknown)!r} is no field; known are {', '.join(sorted(known))}."
        )
    for name, allowed in (("class", CLASSES), ("reads", SELECTORS), ("writes", SELECTORS)):
        if name in fields and fields[name] not in allowed:
            raise ConfigError(
                f"classes.toml, {where}: {name}={fields[name]!r} is none of {', '.join(allowed)}."
            )
