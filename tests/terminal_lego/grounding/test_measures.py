from dataclasses import replace

import pytest

from terminal_lego.grounding.event import ACTION, OBSERVATION, VERIFICATION, Event
from terminal_lego.grounding.measures import Measures, measure
from terminal_lego.trajectory import Trajectory, Turn

DONE = '{"analysis": "", "plan": "", "commands": []}'


def event(turn, kind, *paths, program="x", failed=False) -> Event:
    acts = kind == ACTION
    return Event(
        turn, 0, 0, 1, 0, program, kind, edits=acts, listed=acts, writes=paths if acts else (),
        reads=() if acts else paths, failed=failed,
    )  # fmt: skip


def measured(*events: Event, turns: int = 4) -> Measures:
    trajectory = Trajectory("t", "task", "m", "prompt", tuple(Turn(DONE, "o") for _ in range(turns)))
    return measure(trajectory, events)


@pytest.mark.parametrize(
    ("later", "verified"),
    [
        (event(1, OBSERVATION, "/a/b"), 1),
        (event(1, OBSERVATION, "/a"), 1),
        (event(0, OBSERVATION, "/a/b"), 0),
        (event(1, OBSERVATION, "/c"), 0),
        (event(2, VERIFICATION), 1),
        (event(2, VERIFICATION, "/a/b"), 1),
        (event(2, VERIFICATION, "/c"), 0),
    ],
)
def test_an_action_is_verified_by_a_later_look_or_check(later, verified):
    assert measured(event(0, ACTION, "/a/b"), later).act_verify == verified


def test_inspect_act_verify_wants_both_sides():
    look, act, check = event(0, OBSERVATION, "/a"), event(1, ACTION, "/a"), event(2, OBSERVATION, "/a")
    assert measured(look, act, check).inspect_act_verify == 1
    assert measured(look, act).inspect_act_verify == 0
    assert measured(act, check).inspect_act_verify == 0


def test_an_observation_is_redundant_when_it_supports_no_action():
    used, unused, late = (
        event(0, OBSERVATION, "/a"),
        event(0, OBSERVATION, "/tmp"),
        event(2, OBSERVATION, "/a"),
    )
    assert measured(used, unused, event(1, ACTION, "/a/b"), late).redundant == pytest.approx(2 / 3)


def test_a_retry_runs_the_program_of_a_failed_command_again():
    failed = event(0, ACTION, "/a", program="pip", failed=True)
    again, other = event(1, ACTION, "/a", program="pip"), event(1, ACTION, "/a", program="apt")
    assert measured(failed, again).retried == 1
    assert measured(failed, other).retried == 0
    assert measured(failed, replace(again, turn=2)).retried == 0
    assert measured(failed, again).failures == 1


def test_nothing_to_take_a_share_of_is_none():
    empty = measured(turns=0)
    assert (empty.act_verify, empty.redundant, empty.retried, empty.parse_errors) == (None,) * 4
    assert measured(event(0, ACTION, "/a")).redundant is None


def test_replies_are_counted():
    trajectory = Trajectory("t", "task", "m", "prompt", (Turn(DONE), Turn("no JSON"), Turn(DONE), Turn(DONE)))
    figures = measure(trajectory, [event(0, ACTION, "/a"), event(2, ACTION, "/a")])
    assert (figures.turns, figures.commands_per_turn, figures.parse_errors) == (4, 0.5, 0.25)
