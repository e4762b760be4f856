import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.curation.band import NAMES, part, within_all, within_task
from terminal_lego.errors import ConfigError


def tor(trajectory):
    return trajectory.extra["tor"]


def by_text(trajectory):
    return trajectory.prompt


def all_of(band, size=None, seed=0):
    return within_all(band, size, seed, tor)


def task_of(band, size=None, seed=0):
    return within_task(band, size, seed, tor, by_text)


@pytest.fixture(scope="session")
def ranked(make):
    return [make(f"{n:02}", tor=n / 10) for n in range(9)] + [make("idle", tor=None)]


@pytest.mark.parametrize(
    ("band", "size", "ids"),
    [
        ("high", None, ["06", "07", "08"]),
        ("low", None, ["00", "01", "02"]),
        ("high", 1, ["08"]),
        ("low", 2, ["00", "01"]),
        ("1/3", None, ["00", "01", "02"]),
        ("3/3", None, ["06", "07", "08"]),
        ("2/2", None, ["04", "05", "06", "07", "08"]),
        ("1/2", None, ["00", "01", "02", "03"]),
    ],
)
def test_bands_of_all(band, size, ids, ranked, kept):
    assert kept(all_of(band, size), ranked) == ids


def test_who_is_outside_and_who_has_no_tor(ranked, reasons):
    assert reasons(all_of("high", 8), ranked) == {"00": "outside the band", "idle": "no action to ground"}
    assert reasons(all_of("random", 9), ranked) == {"idle": "no action to ground"}


def test_a_random_band_differs_by_seed_and_never_holds_those_without_a_tor(ranked, kept):
    draws = [tuple(kept(all_of("random", 3, seed), ranked)) for seed in range(20)]
    assert len(set(draws)) > 5
    assert {len(draw) for draw in draws} == {3}
    assert "idle" not in {id for draw in draws for id in draw}


def test_a_size_takes_a_sample_of_a_part(ranked, kept):
    assert set(kept(all_of("1/2", 2), ranked)) < {"00", "01", "02", "03"}
    assert len(kept(all_of("1/2", 2), ranked)) == 2


def test_more_than_there_is_is_refused(ranked, make):
    for step in (all_of("high", 10), all_of("1/2", 5)):
        with pytest.raises(ConfigError, match=r"band_size=\d+ is more than the \d trajectories"):
            step(ranked)
    with pytest.raises(ConfigError, match="band_size=1 is more than the 0 tasks"):
        task_of("high", 1)([make("1", tor=0.5)])


def test_within_task_the_best_and_the_worst_of_each(make, kept, reasons):
    given = [
        make("a", text="one", tor=0.1),
        make("b", text="one", tor=0.9),
        make("c", text="one", tor=0.5),
        make("d", text="equal", tor=0.5),
        make("e", text="equal", tor=0.5),
        make("f", text="alone", tor=0.5),
        make("g", text="alone", tor=None),
        make("h", "other", text="alone", tor=0.1),
        make("i", "other", text="one", tor=0.2),
        make("j", "other", text="one", tor=0.3),
    ]
    assert kept(task_of("high"), given) == ["b", "j"]
    assert kept(task_of("low"), given) == ["a", "i"]
    assert kept(task_of("3/3"), given) == ["b"]
    assert kept(task_of("2/3"), given) == ["c"]
    dropped = reasons(task_of("high"), given)
    assert dropped["a"] == dropped["i"] == "another trajectory of its task is in the band"
    assert dropped["d"] == dropped["e"] == "all trajectories of its task have the same TOR"
    assert dropped["f"] == dropped["h"] == "fewer than 2 trajectories of its task to choose from"
    assert dropped["g"] == "no action to ground"
    assert {kept(task_of("random", seed=seed), given)[0] for seed in range(20)} == {"a", "b", "c"}


def test_the_tasks_of_a_size_are_drawn_by_seed(make):
    given = [make(f"{n}{tor}", text=f"task {n}", tor=tor) for n in range(10) for tor in (0.0, 1.0)]
    draws = {tuple(t.prompt for t in task_of("high", 3, seed)(given)[0]) for seed in range(20)}
    assert len(draws) > 5
    assert {len(draw) for draw in draws} == {3}


values = st.none() | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
populations = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from("stuvw"), values), min_size=6, max_size=24
)
bands = st.sampled_from([*NAMES, "1/2", "2/3"])


def build(make, drawn):
    return [make(f"{n:02}", model, text=text, tor=value) for n, (model, text, value) in enumerate(drawn)]


@given(populations, st.integers(0, 3))
def test_high_low_and_random_of_all_have_one_size_and_one_population(make, drawn, seed):
    trajectories = build(make, drawn)
    population = {t.id for t in trajectories if tor(t) is not None}
    sets = {band: {t.id for t in all_of(band, None, seed)(trajectories)[0]} for band in NAMES}
    assert len({len(ids) for ids in sets.values()}) == 1
    assert all(ids <= population for ids in sets.values())
    assert len(population) < 2 or not sets["high"] & sets["low"]


@given(populations, st.integers(0, 3), st.booleans())
def test_high_low_and_random_within_task_have_the_same_tasks(make, drawn, seed, limited):
    trajectories = build(make, drawn)
    whole, _ = task_of("high", None, seed)(trajectories)
    size = max(1, len({t.prompt for t in whole}) // 2) if limited and whole else None
    sets = {band: task_of(band, size, seed)(trajectories)[0] for band in NAMES}
    groups = [sorted((t.model, t.prompt) for t in chosen) for chosen in sets.values()]
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups[0])) == len(groups[0])
    if size:
        assert len({t.prompt for t in sets["high"]}) == size
    best = {(t.model, t.prompt): tor(t) for t in sets["high"]}
    assert all(tor(t) < best[t.model, t.prompt] for t in sets["low"])
    assert all(tor(t) is not None for t in sets["random"])


@given(populations, bands, st.sampled_from([all_of, task_of]), st.data())
def test_the_order_given_never_matters(make, kept, drawn, band, step_of, data):
    trajectories = build(make, drawn)
    shuffled = data.draw(st.permutations(trajectories))
    assert kept(step_of(band), trajectories) == kept(step_of(band), shuffled)


@given(populations, st.integers(2, 5))
def test_parts_of_all_share_out_everything_ranked(make, drawn, n):
    trajectories = build(make, drawn)
    parts = [[t.id for t in all_of(f"{k}/{n}")(trajectories)[0]] for k in range(1, n + 1)]
    assert sorted(id for ids in parts for id in ids) == [t.id for t in trajectories if tor(t) is not None]
    sizes = [len(ids) for ids in parts]
    assert max(sizes) - min(sizes) <= 1


def test_parts():
    assert [part(band) for band in ("high", "1/2", "10/10")] == [None, (1, 2), (10, 10)]


@pytest.mark.parametrize("band", ["", "best", "0/3", "4/3", "1/1", "1/0", "1/2/3", "-1/3", "1.5/2", "²/3"])
def test_parts_that_mean_nothing(band):
    with pytest.raises(ConfigError, match="band="):
        part(band)
