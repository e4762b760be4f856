import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.grounding.event import ACTION, OBSERVATION, OTHER, VERIFICATION, Event
from terminal_lego.grounding.paths import aligned
from terminal_lego.grounding.tor import ACTIONS, DEFAULT, VARIANTS, Count, Variant, actions, links, score


def event(turn, kind, *paths, line=0, program="x", **changed) -> Event:
    acts = kind == ACTION
    edits, listed = changed.pop("edits", acts), changed.pop("listed", acts)
    place = {"reads": paths} if kind == OBSERVATION else {"writes": paths}
    return Event(turn, 0, 0, 1, line, program, kind, edits=edits, listed=listed, **place, **changed)


def test_every_setting_is_declared_once():
    assert len(VARIANTS) == len(set(VARIANTS)) == 2 * 3 * 3 * 5
    assert DEFAULT in VARIANTS and Variant("list", "strict", "previous", "command") == DEFAULT


@pytest.mark.parametrize(
    ("seen", "target", "supported_by"),
    [
        ("/app/x.py", "/app/x.py", {"exact", "strict", "loose"}),
        ("/app", "/app/src/x.py", {"strict", "loose"}),
        ("/app/src/x.py", "/app/src", {"loose"}),
        ("/old/x.py", "/app/x.py", {"loose"}),
        ("/tmp", "/app/x.py", set()),
        ("/app/x.pyc", "/app/x.py", set()),
        ("/ap", "/app/x.py", set()),
    ],
)
def test_what_aligns(seen, target, supported_by):
    counts = score([event(0, OBSERVATION, seen), event(1, ACTION, target)])
    found = {v.align for v in VARIANTS if v.window == "previous" and counts[v].supported}
    assert found == supported_by


@pytest.mark.parametrize(
    ("turns", "windows"),
    [
        ((3, 3), {"same"}),
        ((2, 3), {"same", "previous", "1", "2", "3"}),
        ((1, 3), {"same", "previous", "2", "3"}),
        ((0, 3), {"same", "previous", "3"}),
        ((0, 9), {"same", "previous"}),
    ],
)
def test_how_far_back_an_observation_may_lie(turns, windows):
    looked, acted = turns
    counts = score([event(looked, OBSERVATION, "/a"), event(acted, ACTION, "/a")])
    assert {v.window for v in VARIANTS if v.align == "exact" and counts[v].supported} == windows


def test_a_later_observation_supports_nothing():
    counts = score([event(0, ACTION, "/a"), event(0, OBSERVATION, "/a"), event(1, OBSERVATION, "/a")])
    assert {count.supported for count in counts.values()} == {0}
    assert {count.actions for count in counts.values()} == {1}


def test_looking_again_in_the_same_reply_does_not_hide_the_look_before():
    look_act_look_act = [event(0, OBSERVATION, "/a"), event(1, OBSERVATION, "/a"), event(1, ACTION, "/a")]
    assert score(look_act_look_act)[DEFAULT] == Count(1, 1)
    assert links(look_act_look_act) == {2: 0}


def test_the_three_action_sets():
    events = [
        event(0, ACTION, "/a", edits=True, listed=True),
        event(0, ACTION, "/a", edits=False, listed=True),
        event(0, ACTION, "/a", edits=False, listed=False),
        event(0, VERIFICATION, "/a"),
        event(0, OTHER, program="export"),
        event(0, OTHER, program="cd"),
        event(0, OBSERVATION, "/a"),
    ]
    counts = score(events)
    assert [counts[Variant(actions=name)].actions for name in ACTIONS] == [1, 2, 5]
    assert actions(events, Variant(actions="edits")) == [0]
    assert actions(events, Variant(actions="all")) == [0, 1, 2, 3, 4]


def test_a_line_is_what_its_first_command_is_with_the_paths_of_all():
    line = Variant(splitting="line")
    looking = [event(0, OBSERVATION, "/a", line=1), event(0, ACTION, "/b", line=1)]
    acting = [event(1, ACTION, "/c", line=2), event(1, OBSERVATION, "/b", line=2)]
    assert score(looking + acting)[DEFAULT] == Count(0, 2)
    assert score(looking + acting)[line] == Count(1, 1)


def test_a_line_that_writes_by_redirection_is_an_action():
    line = Variant(actions="edits", splitting="line")
    events = [event(0, OTHER, program="cd"), event(0, ACTION, "/a", redirects=True)]
    assert score(events)[line] == Count(0, 1)
    assert score([events[0], event(0, ACTION, "/a")])[line] == Count(0, 0)


def test_no_action_has_no_ratio():
    counts = score([event(0, OBSERVATION, "/a")])
    assert {count.ratio for count in counts.values()} == {None}


def test_links_name_the_latest_observation_that_supports():
    events = [
        event(0, OBSERVATION, "/a/b"),
        event(1, OBSERVATION, "/a"),
        event(2, ACTION, "/a/b"),
        event(3, ACTION, "/c"),
        event(4, ACTION, "/a/d"),
    ]
    assert links(events) == {2: 1, 4: 1}
    assert links(events, Variant(align="exact")) == {2: 0}
    assert links(events, Variant(window="2")) == {2: 1}


paths = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/c/b", "/d"])
events = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([OBSERVATION, ACTION, VERIFICATION, OTHER]),
        st.lists(paths, max_size=2),
        st.booleans(),
        st.booleans(),
        st.integers(0, 1),
    ),
    max_size=12,
)


@given(events)
def test_agrees_with_the_formula_word_for_word(drawn):
    turn = line = 0
    typed = []
    for turns, kind, named, edits, listed, lines in drawn:
        turn, line = turn + turns, line + turns + lines
        typed.append(event(turn, kind, *named, line=line, edits=edits, listed=listed))
    counts = score(typed)
    for variant in (v for v in VARIANTS if v.splitting == "command"):
        acting = actions(typed, variant)
        supported = [index for index in acting if supporting(typed, index, variant)]
        assert counts[variant] == Count(len(supported), len(acting))
        assert links(typed, variant) == {index: max(supporting(typed, index, variant)) for index in supported}


def supporting(typed: list[Event], index: int, variant: Variant) -> list[int]:
    """{o in O : o before a and align(o, a)}, read off the definition."""
    action = typed[index]
    far = {"same": range(10**6), "previous": range(1, 10**6)}.get(variant.window) or range(
        1, int(variant.window) + 1
    )
    return [
        earlier
        for earlier, look in enumerate(typed[:index])
        if look.kind == OBSERVATION
        and action.turn - look.turn in far
        and any(aligned(seen, target, variant.align) for seen in look.paths for target in action.paths)
    ]
