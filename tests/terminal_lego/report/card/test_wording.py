import re

import pytest

from terminal_lego.report.card.wording import wording
from terminal_lego.trajectory import Trajectory

WORDS = "Solve the task in a terminal. Answer.\n\nTask Description:\n{}\n\n\nCurrent terminal state:\n{}"
SHORT = "# Rules\n\nAnswer.\n\n# Task\n\n{}\n\n# Terminal\n\n{}\n"
OLD = (
    "Work.\n\nInstruction:\n{}\n\nYour response must be a JSON object.\n\nThe current terminal state is:\n{}"
)


def found(prompt: str) -> str | None:
    return wording(Trajectory("1", "task", "model", prompt, ()))


@pytest.mark.parametrize("words", [WORDS, SHORT, OLD])
def test_task_and_screen_do_not_count_and_the_words_do(words):
    one = found(words.format("Make a file.", "root@4f1c:/app# "))
    assert re.fullmatch("[0-9a-f]{12}", one)
    assert found(words.format("Do\n\nsomething  else (a.*)", "user@host:~$ \n\n\n")) == one
    assert found(words.format("Make a file.", "root@4f1c:/app# ").replace("\n", "\r\n")) == one
    assert found(words.replace("Answer", "Reply").replace("Work", "Act").format("Make a file.", "$ ")) != one


def test_a_task_in_the_words_of_the_harness_is_taken_out_where_it_stands():
    assert found(WORDS.format("Solve", "$ ")) == found(WORDS.format("Else", "$ "))
    assert found(WORDS.format("terminal", "terminal\n$ ")) == found(WORDS.format("Else", "$ "))


@pytest.mark.parametrize("prompt", ["", "Just do it.", "Do it.\nroot@host:/# ", WORDS.format("", "$ ")])
def test_an_unknown_wording_has_no_fingerprint(prompt):
    assert found(prompt) is None


def test_different_wordings_differ():
    assert len({found(words.format("Make a file.", "$ ")) for words in (WORDS, SHORT, OLD)}) == 3
