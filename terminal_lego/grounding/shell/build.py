"""One simple command from its tokens."""

import re
from collections.abc import Iterator

from terminal_lego.grounding.shell.brackets import Heredoc
from terminal_lego.grounding.shell.lexer import REDIRECTION, WORD, Tokens
from terminal_lego.grounding.shell.quoting import word
from terminal_lego.grounding.shell.structure import Run
from terminal_lego.grounding.shell.words import Redirection, SimpleCommand, Word

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=", re.A)
_TEST_PART = re.compile(
    r"""[<>|&()]+|(?:[^ \t\r\n<>|&()'"\\$`]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[\\'"$`])+""", re.S
)
_TABS = re.compile(r"^\t+", re.M)


def command(
    text: str, lexed: Tokens, run: Run, line: int, operator: str, depth: int
) -> tuple[SimpleCommand, Heredoc | None]:
    """The command whose tokens `run` names, and the heredoc it carries."""
    tokens = lexed.tokens
    words: list[Word] = []
    assignments: list[tuple[str, str]] = []
    redirections: list[Redirection] = []
    heredoc: Heredoc | None = None
    for index, stop in ((run.first, run.last), *run.extra):
        while index < stop:
            kind, start, end, spelled = tokens[index]
            index += 1
            if kind == WORD:
                if not words and (assigned := _ASSIGNMENT.match(spelled)):
                    value = word(text, start + assigned.end(), end)
                    assignments.append((assigned[1], value.text))
                else:
                    words.append(word(text, start, end))
            elif kind == REDIRECTION:
                operation = spelled.lstrip("0123456789")
                number = spelled[: -len(operation)]
                target = None
                if index < stop and tokens[index][0] == WORD:
                    target = word(text, *tokens[index][1:3])
                    index += 1
                redirections.append(Redirection(operation, int(number) if number else None, target))
                heredoc = lexed.heredocs.get(end - len(operation), heredoc)
            else:
                words += _test(text, start, end)
    begin, end, body = tokens[run.first][1], tokens[run.last - 1][2], None
    if heredoc:
        body = text[heredoc.start : heredoc.stop]
        end = max(end, heredoc.end)
        if heredoc.strip:
            body = _TABS.sub("", body)
    return SimpleCommand(
        tuple(words), tuple(assignments), tuple(redirections), body, begin, end, line, operator, depth
    ), heredoc


def _test(text: str, start: int, end: int) -> Iterator[Word]:
    """The words of `[[ ... ]]`, of `(( ... ))` its brackets and what is between."""
    yield Word(text[start : start + 2], start, start + 2)
    if text[start] == "(":
        inner = text[start + 2 : end - 2].strip()
        begin = text.find(inner, start + 2)
        yield word(text, begin, begin + len(inner))
    else:
        for part in _TEST_PART.finditer(text, start + 2, end - 2):
            yield word(text, *part.span())
    yield Word(text[end - 2 : end], end - 2, end)
