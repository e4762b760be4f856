"""What reading shell text gives: words, redirections and simple commands. Offsets count characters."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the shell hands it to a program.

    Attributes:
        text: its value after quote removal; expansions stay as they are spelled.
        start, end: where it is spelled in the parsed text, quotes included.
        literal: False if it holds an expansion, so that `text` is not its value.
        glob: whether it holds an unquoted `*`, `?` or `[`; such a word counts as literal.
    """

    text: str
    start: int
    end: int
    literal: bool = True
    glob: bool = False


@dataclass(frozen=True, slots=True)
class Redirection:
    """One redirection.

    Attributes:
        operator: as spelled, without the descriptor: ">", ">>", "<", ">&", "&>", "<<", "<<-", "<<<", ...
        fd: the descriptor in front of the operator; None without one.
        target: the word after it (of a heredoc: its delimiter); None if the text ends before it.
    """

    operator: str
    fd: int | None
    target: Word | None

    @property
    def writes(self) -> bool:
        """Whether it opens its target, a file, for writing."""
        target = self.target
        if self.operator == ">&" and target is not None:
            return not (target.text == "-" or target.text.rstrip("-").isdecimal())
        return self.operator in _WRITING


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """A program with its arguments, or bare assignments or redirections.

    `[[ ... ]]` and `(( ... ))` are commands of these names.

    Attributes:
        words: the program and its arguments.
        assignments: (name, value) pairs in front of the program, or alone.
        redirections: those of the command itself; those of a compound command (`{ ...; } > f`) are
            with the last command inside it.
        heredoc: the body of the last heredoc, without its delimiter; None without one.
        start, end: the command's characters, a heredoc on the lines below included.
        line: counts the lines of input from 0; what one pipeline, list, compound command or heredoc
            spreads over several lines is one line.
        operator: what joins it to the command before it: "", "&&", "||", "|", "|&", ";", "&" or a newline.
        depth: how many subshells and substitutions hold it: what it does to the shell itself stays in there.
    """

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, str], ...]
    redirections: tuple[Redirection, ...]
    heredoc: str | None
    start: int
    end: int
    line: int = 0
    operator: str = ""
    depth: int = 0

    @property
    def name(self) -> str:
        return self.words[0].text if self.words else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        return self.words[1:]


_WRITING = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
