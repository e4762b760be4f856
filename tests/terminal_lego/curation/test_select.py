import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from rich.console import Console

from terminal_lego.curation import Loss, SelectionConfig, funnel_table, select
from terminal_lego.curation.select import plan
from terminal_lego.errors import ConfigError, ContaminationError, UntrainableError
from terminal_lego.task import TaskConfig, write_task
from terminal_lego.trajectory import Turn

DONE = '{"analysis": "a", "plan": "p", "commands": [], "task_complete": true}'
GOING = '{"analysis": "a", "plan": "p", "commands": []}'
PRESETS = Path(__file__).parents[3] / "conf" / "selection"
EVERYTHING = SelectionConfig(outcome="all", complete=False)


def reasons(selection):
    return [(drop.trajectory.id, drop.reason) for drop in selection.dropped]


@pytest.mark.parametrize(
    ("outcome", "kept"), [("passed", ["one", "two"]), ("failed", ["half", "zero"]), ("all", None)]
)
def test_outcome(outcome, kept, make):
    rewards = {"one": 1.0, "two": 2.0, "half": 0.5, "zero": 0.0, "none": None}
    given_ones = [make(name, reward=reward) for name, reward in rewards.items()]
    selection = select(given_ones, SelectionConfig(outcome=outcome))
    assert [trajectory.id for trajectory in selection.kept] == (list(rewards) if kept is None else kept)


def test_a_trajectory_without_a_reward_neither_passed_nor_failed(make):
    broken = make("b", reward=None, exception="SandboxError")
    for outcome in ("passed", "failed"):
        assert reasons(select([broken], SelectionConfig(outcome=outcome))) == [
            ("b", "no reward (SandboxError)")
        ]


def test_only_those_declared_done_are_complete(make):
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
def test_only_conversations_known_word_for_word_are_taught_from(turns, reason, make):
    assert reasons(select([make("1", turns=turns)], EVERYTHING)) == [("1", reason)]


def test_copied_context_need_not_be_raw(make):
    turns = (Turn("Analysis: a", "o", is_raw=False, is_copied=True), Turn(DONE))
    assert select([make(turns=turns)], EVERYTHING).dropped == []


def test_teacher(make):
    selection = select(
        [make("a"), make("b", model="other"), make("c", model="")], SelectionConfig(teacher="teacher")
    )
    assert [trajectory.id for trajectory in selection.kept] == ["a"]
    assert reasons(selection) == [("b", "teacher is other"), ("c", "teacher is unknown")]


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_input(make):
    many = [make(f"{n:02}") for n in range(40)]
    draws = [
        [t.id for t in select(given_ones, SelectionConfig(limit=10, seed=seed)).kept]
        for given_ones, seed in ((many, 0), (many, 0), (many[::-1], 0), (many, 1))
    ]
    assert draws[0] == draws[1] == draws[2][::-1] != draws[3]
    assert draws[0] == sorted(draws[0])
    assert len(draws[0]) == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"outcome": "won"}, "outcome='won' is none of passed, failed, all"),
        ({"limit": 0}, "limit=0 keeps nothing"),
        ({"band_size": 0, "band": "high"}, "band_size=0 keeps nothing"),
        ({"max_tokens": 0}, "max_tokens=0 keeps nothing"),
        ({"per_task": "all"}, "per_task='all' is none of shortest, longest"),
        ({"band": "best"}, "band='best' is none of high, low, random"),
        ({"band_within": "teacher"}, "band_within='teacher' is none of task, all"),
        ({"band_within": None}, "band_within=None is none of"),
        ({"dedup": "fuzzy"}, "dedup='fuzzy' is none of exact, near"),
        ({"near_threshold": 1.0}, "near_threshold=1.0 must lie between 0 and 1"),
        ({"near_threshold": float("nan")}, "near_threshold=nan"),
        ({"decontaminate": "/no/such/place"}, "decontaminate=/no/such/place is no folder"),
        ({"drop_contaminated": True}, "drop_contaminated=true needs decontaminate"),
        ({"teachers": ["a", "b"]}, "set matched=true too"),
        ({"teachers": ["a", "b"], "matched": True, "teacher": "c"}, "teacher=c is not among teachers=a,b"),
        ({"band_size": 5}, "band_size=5 needs a band"),
        ({"band": "low", "band_within": "task", "matched": True}, "matched=true leaves one trajectory"),
        ({"band": "1/2", "band_within": "task", "per_task": "longest"}, "per_task=longest leaves one"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        SelectionConfig(**settings)
    assert message in str(caught.value)


def test_the_config_can_be_composed():
    config = OmegaConf.merge(OmegaConf.structured(SelectionConfig), {"teacher": "x", "limit": 3})
    assert OmegaConf.to_object(config) == SelectionConfig(teacher="x", limit=3)


@pytest.mark.parametrize("preset", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_a_selection(preset):
    config = OmegaConf.merge(
        {"selection": OmegaConf.structured(SelectionConfig)},
        {"teacher": "x", "sft": {"max_length": 99}, "selection": OmegaConf.load(preset)},
    )
    assert OmegaConf.to_object(config)["selection"].teacher == "x"
    assert preset.read_text().startswith("# ")


def test_high_low_and_random_presets_differ_in_the_band_alone():
    texts = [
        (PRESETS / f"{name}_tor.yaml").read_text().splitlines()[1:] for name in ("high", "low", "random")
    ]
    assert len({tuple(text) for text in texts}) == 3
    assert len({tuple(line for line in text if not line.startswith("band:")) for text in texts}) == 1


ALL_STEPS = [
    "raw replies",
    "outcome: passed",
    "complete",
    "error-free",
    "decontamination",
    "duplicates: near",
    "per task: longest",
    "matched tasks",
    "tokens: 32,768",
    "teacher",
    "band: high TOR within all",
    "limit: 5",
]


def test_the_order_of_the_steps(tmp_path):
    everything = {
        "error_free": True,
        "decontaminate": str(tmp_path),
        "dedup": "near",
        "per_task": "longest",
        "max_tokens": 32768,
        "band": "high",
        "teacher": "a",
        "limit": 5,
    }
    config = SelectionConfig(**everything, matched=True)
    assert list(plan(config, {"a", "b"}, lambda trajectory: 1)) == ALL_STEPS
    alone = [name for name in ALL_STEPS if name not in ("matched tasks", "teacher", "tokens: 32,768")]
    alone.insert(alone.index("per task: longest"), "tokens: 32,768")
    config = SelectionConfig(**everything)
    assert list(plan(config, {"a", "b"}, lambda trajectory: 1)) == ["teacher", *alone]
    assert list(plan(EVERYTHING)) == ["raw replies"]


def test_matched_tasks_for_one_teacher(make):
    given = [
        make("a1", "ann", text="one"),
        make("b1", "bob", text="one"),
        make("a2", "ann", text="two"),
        make("b2", "bob", text="two", reward=0.0),
    ]
    assert [t.id for t in select(given, SelectionConfig(matched=True)).kept] == ["a1", "b1"]
    assert [t.id for t in select(given, SelectionConfig(matched=True, teacher="ann")).kept] == ["a1"]


def test_a_limit_of_matched_tasks_draws_the_same_tasks_for_every_teacher(make):
    given = [make(f"{model}{n}", model, text=f"{n}") for model in ("ann", "bob") for n in range(20)]
    of = {
        teacher: {
            t.prompt for t in select(given, SelectionConfig(matched=True, teacher=teacher, limit=5)).kept
        }
        for teacher in ("ann", "bob")
    }
    assert of["ann"] == of["bob"]
    assert len(of["ann"]) == 5


def test_a_teacher_that_lost_everything_on_the_way_still_counts(make):
    given = [make("a", "ann"), make("b", "bob", reward=0.0), make("c", "cy")]
    selection = select(given, SelectionConfig(matched=True))
    assert selection.kept == []
    assert reasons(selection)[1:] == [(id, "no trajectory of bob is left for this task") for id in "ac"]
    with pytest.raises(ConfigError, match="the trajectories are of ann"):
        select(given[:1], SelectionConfig(matched=True))


def test_tokens_are_counted_by_the_caller(make):
    def tokens(trajectory):
        if trajectory.id == "b1":
            raise UntrainableError("turn 3", "holds control markup")
        return 11 if trajectory.id == "b2" else 10

    given = [make(f"{model[0]}{n}", model, text=f"{n}") for model in ("ann", "bob") for n in range(3)]
    matched = select(given, SelectionConfig(matched=True, max_tokens=10), tokens=tokens)
    assert [t.id for t in matched.kept] == ["a0", "b0"]
    alone = select(given, SelectionConfig(max_tokens=10), tokens=tokens)
    assert [t.id for t in alone.kept] == ["a0", "a1", "a2", "b0"]
    assert reasons(alone) == [("b1", "holds control markup"), ("b2", "longer than 10 tokens")]
    with pytest.raises(ConfigError, match="max_tokens=10 needs a way to count tokens"):
        select(given, SelectionConfig(max_tokens=10))


def test_a_limit_of_tokens_leaves_the_shortest_and_the_longest_of_the_same_tasks(make):
    lengths = {"one": (5, 8, 99), "two": (5, 99)}
    given = [
        make(f"{text}{n}", text=text, turns=(Turn(DONE + " " * n, ""),))
        for text in lengths
        for n in lengths[text]
    ]
    kept = {
        which: [
            t.id
            for t in select(
                given, SelectionConfig(per_task=which, max_tokens=len(DONE) + 9), tokens=characters
            ).kept
        ]
        for which in ("shortest", "longest")
    }
    assert kept == {"shortest": ["one5"], "longest": ["one8"]}


def test_drops_are_broken_down_by_teacher_and_difficulty(make):
    given = [make("a", "ann", difficulty="hard"), make("b", "bob", reward=0.0, difficulty="hard")]
    assert select(given, SelectionConfig()).losses == [
        Loss("outcome: passed", "ann", "hard", 1, 0),
        Loss("outcome: passed", "bob", "hard", 1, 1),
    ]


def test_a_benchmarks_task_ends_the_run_or_is_dropped_and_reported(make, tmp_path):
    config = TaskConfig.model_validate({"environment": {"docker_image": "example/image"}})
    write_task(tmp_path / "sum", config, "Add up the numbers.", {"tests/test.sh": "true"})
    given = [make("a", text="Add up  the numbers."), make("b", text="Build the web server.")]
    with pytest.raises(ContaminationError, match="1 of 2 tasks"):
        select(given, SelectionConfig(decontaminate=str(tmp_path)))
    selection = select(given, SelectionConfig(decontaminate=str(tmp_path), drop_contaminated=True))
    assert [t.id for t in selection.kept] == ["b"]
    assert [row.nearest for row in selection.decontamination.rows] == ["sum", ""]
    assert select(given, SelectionConfig()).decontamination is None


def test_high_and_low_tor_by_the_real_measure(make):
    def replies(*keystrokes):
        spell = '{{"analysis": "a", "plan": "p", "commands": [{{"keystrokes": "{}\\n"}}]}}'
        return (*(Turn(spell.format(keys), "screen") for keys in keystrokes), Turn(DONE, "end"))

    given = [
        make("blind", turns=replies("rm /app/a.txt", "rm /app/b.txt")),
        make("looks", turns=replies("cat /app/a.txt", "rm /app/a.txt")),
        make("idle", turns=replies("ls")),
    ]
    kept = {
        (band, within): [t.id for t in select(given, SelectionConfig(band=band, band_within=within)).kept]
        for band in ("high", "low")
        for within in ("all", "task")
    }
    assert kept == {
        ("high", "all"): ["looks"],
        ("high", "task"): ["looks"],
        ("low", "all"): ["blind"],
        ("low", "task"): ["blind"],
    }


some = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([None, 0.0, 0.5, 1.0]),
        "last": st.sampled_from([DONE, GOING]),
        "model": st.sampled_from(["teacher", "other"]),
        "text": st.sampled_from(["one", "two"]),
        "source": st.sampled_from(["here", "there"]),
    }
)
configs = st.builds(
    SelectionConfig,
    outcome=st.sampled_from(["passed", "failed", "all"]),
    complete=st.booleans(),
    teacher=st.sampled_from([None, "teacher", "nobody"]),
    per_task=st.sampled_from([None, "shortest", "longest"]),
    dedup=st.sampled_from([None, "exact", "near"]),
    max_tokens=st.sampled_from([None, 60]),
    limit=st.none() | st.integers(1, 5),
)


def characters(trajectory):
    return sum(len(turn.reply) for turn in trajectory.turns)


@given(st.lists(some, max_size=12), configs)
def test_the_counts_add_up(make, drawn, config):
    given_ones = [make(str(number), **settings) for number, settings in enumerate(drawn)]
    selection = select(given_ones, config, tokens=characters)
    assert len(selection.kept) + len(selection.dropped) == len(given_ones)
    given_to = [len(given_ones), *(row.kept for row in selection.funnel)]
    assert [row.given for row in selection.funnel] == given_to[:-1]
    assert given_to[-1] == len(selection.kept)
    assert sum(row.dropped for row in selection.losses) == len(selection.dropped)


@given(st.lists(some, max_size=12), configs, st.booleans(), st.data())
def test_the_order_given_never_matters(make, drawn, config, matching, data):
    given_ones = [make(str(number), **settings) for number, settings in enumerate(drawn)]
    config = replace(config, matched=matching and len({t.model for t in given_ones}) == 2)
    shuffled = data.draw(st.permutations(given_ones))
    kept = [select(order, config, tokens=characters).kept for order in (given_ones, shuffled)]
    assert sorted(t.id for t in kept[0]) == sorted(t.id for t in kept[1])


@given(st.lists(some, max_size=12), configs)
def test_what_stays_is_what_was_given(make, drawn, config):
    given_ones = [make(str(number), **settings) for number, settings in enumerate(drawn)]
    kept = select(given_ones, config, tokens=characters).kept
    assert kept == [trajectory for trajectory in given_ones if any(trajectory is one for one in kept)]


def test_the_table_starts_with_what_was_met_on_disk(make):
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
