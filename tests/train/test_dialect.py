from array import array
from dataclasses import replace

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.rendering.example import Example, Span
from terminal_lego.trajectory import Trajectory, Turn
from tests.train.scripted import conversations
from train.dialect import Dialect

GOOD = conversations(1)[0].turns[0].reply
BAD = "```bash\nls\n```"


def trajectory(*replies: str) -> Trajectory:
    return replace(conversations(1)[0], turns=tuple(Turn(reply) for reply in replies))


def example(*weights: float) -> Example:
    """One token of prompt and one of reply for each turn."""
    spans = [
        Span(role, turn, 2 * turn + at, 2 * turn + at + 1)
        for turn in range(len(weights))
        for at, role in enumerate(("user", "assistant"))
    ]
    given = [value for weight in weights for value in (0.0, weight)]
    return Example("e", array("i", [1] * len(given)), array("f", given), tuple(spans))


def dialect(*replies: str, weights: tuple[float, ...] = ()) -> Dialect:
    found = Dialect()
    found.add(trajectory(*replies), example(*(weights or (1.0,) * len(replies))))
    return found


def test_the_agents_own_parser_reads_every_trained_reply():
    found = dialect(GOOD, BAD, GOOD, BAD)
    assert (found.replies, found.readable, found.share) == (4, 2, 0.5)
    assert str(found) == "50.0% of 4 trained replies can be read by the agent."


def test_replies_without_loss_do_not_count():
    assert dialect(GOOD, BAD, weights=(0.5, 0.0)).share == 1


@pytest.mark.parametrize(("bad", "warns"), [(0, False), (5, False), (6, True)])
def test_a_warning_when_some_cannot_be_read(bad, warns):
    found = dialect(*[BAD] * bad, *[GOOD] * (100 - bad))
    assert bool(found.check(is_evaluated=True)) == warns


def test_another_agents_format_is_refused_when_this_one_will_judge():
    found = dialect(BAD, BAD, BAD, GOOD)
    assert "another agent's format" in found.check(is_evaluated=False)
    with pytest.raises(ConfigError, match=r"^25\.0% of 4 trained .* set evaluation=skip"):
        found.check(is_evaluated=True)
    assert Dialect().check(is_evaluated=True) is None
