import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import ConfigError
from terminal_lego.grounding.event import KINDS, Event
from terminal_lego.rendering.masks import HIDEABLE, MaskConfig, Part, TurnMask, mask_events, whole
from terminal_lego.trajectory import Trajectory, Turn


def reply(commands: int = 1, extra: str = "") -> str:
    typed = [{"keystrokes": f"command {number}\n", "duration": 1} for number in range(commands)]
    return json.dumps({"analysis": "", "plan": "", "commands": typed}) + extra


def trajectory(*turns: str | Turn) -> Trajectory:
    made = [turn if isinstance(turn, Turn) else Turn(turn, f"screen {n}") for n, turn in enumerate(turns)]
    return Trajectory("id", "task", "m", "prompt", tuple(made))


def events(*turns: str, failed: tuple[int, ...] = ()) -> list[Event]:
    """One string per turn, one word per command: initials of the kinds of its events; x is for `other`."""
    kinds = {"o": "observation", "a": "action", "v": "verification", "x": "other"}
    return [
        Event(turn, command, 0, 1, 0, "p", kinds[initial], failed=turn in failed)
        for turn, words in enumerate(turns)
        for command, word in enumerate(words.split(" "))
        for initial in word
    ]


def hidden(given: Trajectory, found: list[Event], *hide: str, **settings) -> list[bool]:
    masked = mask_events(given, found, MaskConfig(list(hide), **settings))
    assert masked.trajectory is given
    return [turn.weight == 0 for turn in masked.turns]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"hide": ["thoughts"]}, "mask.hide=thoughts is not known: choose among observation, action"),
        ({"unit": "token"}, "mask.unit=token is not known"),
        ({"hide": ["action", "warned"], "unit": "span"}, "mask.unit=span cannot hide warned"),
        ({"hide": ["parse_error"], "unit": "span"}, "mask.unit=span cannot hide parse_error"),
        ({"hide": ["action"], "unit": "context", "random": True}, "set mask.unit=turn"),
        ({"random": True}, "mask.random=true has nothing to match"),
        ({"least": 0.5, "most": 0.4}, "mask.least=0.5 and mask.most=0.4 are no band"),
        ({"most": 1.5}, "are no band"),
    ],
)
def test_masks_that_cannot_be_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as caught:
        MaskConfig(**settings)
    assert sentence in str(caught.value)


def test_a_turn_is_hidden_for_what_its_commands_are():
    turns = ["o", "o x", "o a", "ov", "x", "a", "v x", ""]
    given, found = trajectory(*[reply(2)] * len(turns)), events(*turns)
    as_word = "".join
    for kind, expected in {
        (): "........",
        ("observation",): "HH......",
        ("action",): "..H..H..",
        ("verification",): "...H..H.",
        ("observation", "action"): "HHH..H..",
        ("failed",): "........",
    }.items():
        assert as_word(".H"[each] for each in hidden(given, found, *kind)) == expected
    assert hidden(given, events(*turns, failed=(1, 5)), "failed") == [index in (1, 5) for index in range(8)]


def test_a_turn_is_hidden_for_how_its_reply_reads():
    broken, warned, good = "no JSON", reply(extra=" and more"), reply()
    given = trajectory(broken, warned, good)
    assert hidden(given, [], "parse_error") == [True, False, False]
    assert hidden(given, [], "warned") == [False, True, False]
    assert hidden(given, [], "parse_error", "warned") == [True, True, False]


def test_copied_turns_are_never_trained():
    given = trajectory(Turn(reply(), "screen", is_copied=True), reply())
    assert hidden(given, events("o", "o")) == [True, False]


def test_every_command_with_events_is_a_part_named_by_what_weighs_most():
    given = trajectory(reply(6))
    (masked,) = mask_events(given, events("o x oa ov va"), MaskConfig()).turns
    text = given.turns[0].reply
    assert [part.label for part in masked.parts] == [
        "observation",
        "other",
        "action",
        "verification",
        "action",
    ]
    assert masked.weight == 1
    assert {part.weight for part in masked.parts} == {1}
    assert [json.loads(text[part.start : part.end])["keystrokes"] for part in masked.parts] == [
        f"command {number}\n" for number in range(5)
    ]


@pytest.mark.parametrize(
    ("hide", "expected"),
    [
        (["observation"], "HH......"),
        (["action"], "..H....."),
        (["observation", "action"], "HHHH...."),
        (["verification", "observation"], "HH..HH.."),
    ],
)
def test_a_command_is_hidden_when_all_of_it_is(hide, expected):
    found = events("o ox a oax ov v va x")
    (turn,) = mask_events(trajectory(reply(8)), found, MaskConfig(hide, unit="span")).turns
    assert turn.weight == 1
    assert "".join("H" if part.weight == 0 else "." for part in turn.parts) == expected


def test_a_failed_command_can_be_hidden_alone():
    found = [Event(0, command, 0, 1, command, "p", "action", failed=command == 1) for command in range(3)]
    found.append(Event(0, 1, 5, 6, 1, "p", "other", failed=None))
    (turn,) = mask_events(trajectory(reply(3)), found, MaskConfig(["failed"], unit="span")).turns
    assert [part.weight for part in turn.parts] == [1, 0, 1]


def test_hidden_turns_leave_the_conversation_with_what_they_were_answered():
    copied = Turn(reply(), "screen 3", is_copied=True)
    given = trajectory(reply(), reply(2), reply(), copied, "thought", reply(3), reply())
    found = events("o", "a o", "o", "o", "", "a a", "o")
    masked = mask_events(given, found, MaskConfig(["observation"], unit="context"))
    kept = [1, 3, 4, 5, 6]
    assert masked.trajectory.turns == tuple(given.turns[index] for index in kept)
    assert [message["content"] for message in masked.trajectory.messages()][:4] == [
        "prompt",
        reply(2),
        "screen 1",
        reply(),
    ]
    assert [turn.weight for turn in masked.turns] == [1, 0, 1, 1, 0]
    assert [[part.label for part in turn.parts] for turn in masked.turns] == [
        ["action", "observation"],
        ["observation"],
        [],
        ["action", "action"],
        ["observation"],
    ]
    assert masked.trajectory.id == given.id
    assert len(given.turns) == 7


def test_nothing_hidden_leaves_the_trajectory_as_it_is():
    given = trajectory(reply(), reply())
    assert (
        mask_events(given, events("a", "a"), MaskConfig(["observation"], unit="context")).trajectory is given
    )


def test_the_whole_of_a_mask_keeps_its_parts():
    masked = [TurnMask(0.0, (Part(1, 2, "a", 0.0),)), TurnMask()]
    assert whole(masked) == [TurnMask(1.0, (Part(1, 2, "a", 1.0),)), TurnMask()]


@given(
    turns=st.lists(st.lists(st.sampled_from(KINDS), max_size=3), min_size=1, max_size=5),
    hide=st.lists(st.sampled_from([name for name in HIDEABLE if name not in ("parse_error", "warned")])),
)
def test_what_a_span_mask_hides_a_turn_mask_of_the_same_kinds_hides_too(turns, hide):
    """A turn of one command is hidden whenever the command is."""
    given = trajectory(*[reply()] * len(turns))
    found = [Event(turn, 0, 0, 1, 0, "p", kind) for turn, kinds in enumerate(turns) for kind in kinds]
    by_span = mask_events(given, found, MaskConfig(hide, unit="span")).turns
    by_turn = mask_events(given, found, MaskConfig(hide)).turns
    for span, turn in zip(by_span, by_turn, strict=True):
        assert all(part.weight == 1 for part in turn.parts)
        if any(part.weight == 0 for part in span.parts):
            assert turn.weight == 0
        if not hide:
            assert turn.weight == 1
