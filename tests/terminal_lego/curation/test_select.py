import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from rich.console import Console

from terminal_lego.curation import SelectionConfig, funnel_table, select
from terminal_lego.errors import ConfigError
from terminal_lego.trajectory import Trajectory, Turn

DONE = '{"analysis": "a", "plan": "p", "commands": [], "task_complete": true}'
GOING = '{"analysis": "a", "plan": "p", "commands": []}'
EVERYTHING = SelectionConfig(outcome="all", complete=False)


def make(id="1", *, reward=1.0, last=DONE, model="teacher", exception=None, turns=None):
    turns = (Turn(GOING, "screen"), Turn(last, "end")) if turns is None else turns
    return Trajectory(id, "task", model, "prompt", turns, reward=reward, exception=exception)


def reasons(selection):
    return [(drop.trajectory.id, drop.reason) for drop in selection.dropped]


@pytest.mark.parametrize(
    ("outcome", "kept"), [("passed", ["one", "two"]), ("failed", ["half", "zero"]), ("all", None)]
)
def test_outcome(outcome, kept):
    rewards = {"one": 1.0, "two": 2.0, "half": 0.5, "zero": 0.0, "none": None}
    given_ones = [make(name, reward=reward) for name, reward in rewards.items()]
    selection = select(given_ones, SelectionConfig(outcome=outcome))
    assert [trajectory.id for trajectory in selection.kept] == (list(rewards) if kept is None else kept)


def test_a_trajectory_without_a_reward_neither_passed_nor_failed():
    broken = make("b", reward=None, exception="SandboxError")
    for outcome in ("passed", "failed"):
        assert reasons(select([broken], SelectionConfig(outcome=outcome))) == [
            ("b", "no reward (SandboxError)")
        ]


def test_only_those_declared_done_are_complete():
    given_ones = [make("done"), make("going", last=GOING), make("prose", last="I am done.")]
    assert [t.id for t in select(given_ones, SelectionConfig()).kept] == ["done"]
    assert len(select(given_ones, SelectionConfig(complete=False)).kept) == 3


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ((), "no replies"),
        ((Turn(GOING, "o", is_raw=False), Turn(DONE)), "a reply is only a reconstruction"),
        ((Turn(GOING, ""), Turn(DONE)), "a prompt between two replies is missing"),
    ],
)
def test_only_conversations_known_word_for_word_are_taught_from(turns, reason):
    assert reasons(select([make("1", turns=turns)], EVERYTHING)) == [("1", reason)]


def test_copied_context_need_not_be_raw():
    turns = (Turn("Analysis: a", "o", is_raw=False, is_copied=True), Turn(DONE))
    assert select([make(turns=turns)], EVERYTHING).dropped == []


def test_teacher():
    selection = select(
        [make("a"), make("b", model="other"), make("c", model="")], SelectionConfig(teacher="teacher")
    )
    assert [trajectory.id for trajectory in selection.kept] == ["a"]
    assert reasons(selection) == [("b", "teacher is other"), ("c", "teacher is unknown")]


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_input():
    many = [make(f"{n:02}") for n in range(40)]
    draws = [
        [t.id for t in select(given_ones, SelectionConfig(limit=10, seed=seed)).kept]
        for given_ones, seed in ((many, 0), (many, 0), (many[::-1], 0), (many, 1))
    ]
    assert draws[0] == draws[1] == draws[2][::-1] != draws[3]
    assert draws[0] == sorted(draws[0])
    assert len(draws[0]) == 10


@pytest.mark.parametrize("settings", [{"outcome": "won"}, {"limit": 0}])
def test_settings_that_mean_nothing_are_refused(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        SelectionConfig(**settings)


def test_the_config_can_be_composed():
    config = OmegaConf.merge(OmegaConf.structured(SelectionConfig), {"teacher": "x", "limit": 3})
    assert OmegaConf.to_object(config) == SelectionConfig(teacher="x", limit=3)


some = st.builds(
    make,
    reward=st.sampled_from([None, 0.0, 0.5, 1.0]),
    last=st.sampled_from([DONE, GOING]),
    model=st.sampled_from(["teacher", "other"]),
)
configs = st.builds(
    SelectionConfig,
    outcome=st.sampled_from(["passed", "failed", "all"]),
    complete=st.booleans(),
    teacher=st.sampled_from([None, "teacher", "nobody"]),
    limit=st.none() | st.integers(1, 5),
)


@given(st.lists(some, max_size=12), configs)
def test_the_counts_add_up(given_ones, config):
    selection = select(given_ones, config)
    assert len(selection.kept) + len(selection.dropped) == len(given_ones)
    given_to = [len(given_ones), *(row.kept for row in selection.funnel)]
    assert [row.given for row in selection.funnel] == given_to[:-1]
    assert given_to[-1] == len(selection.kept)


def test_the_table_starts_with_what_was_met_on_disk():
    selection = select([make("a"), make("b", reward=0.0), make("c", reward=0.0)], SelectionConfig())
    console = Console(file=io.StringIO(), width=120)
    console.print(funnel_table(selection.funnel, set_aside=["not valid [JSON]"]))
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.file.getvalue().splitlines()
    ]
    assert [line for line in lines if line] == [
        ["read", "4", "3", "1", "1: not valid [JSON]"],
        ["raw replies", "3", "3", "0", ""],
        ["outcome: passed", "3", "1", "2", "2: failed"],
        ["complete", "1", "1", "0", ""],
    ]
