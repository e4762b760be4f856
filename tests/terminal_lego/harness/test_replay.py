"""Recorded conversations, rebuilt: every user message from the replies and the screens recorded in it."""

from collections import Counter
from pathlib import Path

import pytest

from terminal_lego.formats import read_trajectories
from terminal_lego.harness.harbor_wheel import harbor_profile
from terminal_lego.harness.observation import delta, limit
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Trajectory

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "trajectories"
NEW, SCREEN = "New Terminal Output:\n", "Current Terminal Screen:\n"
CUT = "interior bytes omitted ...]\n"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recorded trials at ../shared/data/trajectories"
)


def test_every_recorded_user_message_is_rebuilt(harbor_wheel: Path):
    profile = harbor_profile(source=harbor_wheel)
    trajectories = read_trajectories(RECORDED).trajectories
    counts: Counter[str] = Counter()
    for trajectory in trajectories:
        assert all(turn.is_raw for turn in trajectory.turns)
        counts += rebuilt(trajectory, profile)
    assert counts.pop("first") == len(trajectories)
    messages = sum(1 for trajectory in trajectories for turn in trajectory.turns if turn.observation)
    assert sum(counts[kind] for kind in ("plain", "warning", "error", "confirm", "last")) == messages
    # A first screen below text that had scrolled off: the conversation does not hold what was above.
    assert counts["below unseen text"] <= 1
    assert all(counts[kind] for kind in ("plain", "warning", "error", "confirm", "last", "delta", "limited"))


def rebuilt(trajectory: Trajectory, profile: Profile) -> Counter[str]:
    """Build each message anew, stop at the first that differs, count by kind.

    The wrapping comes from the reply alone. Of what a screen shows nothing is invented: a delta must
    follow from the text before it, a limited one from halves of the recorded size.
    """
    first, middle, end = profile.initial("\0", "\1").replace("\1", "\0").split("\0")
    shown = trajectory.prompt.removeprefix(first).removesuffix(end)
    instruction, _, screen = shown.rpartition(middle)
    assert trajectory.prompt == profile.initial(instruction, screen)
    assert screen == limit(screen) and screen.startswith(SCREEN)

    counts, known, declared = Counter(first=1), screen.removeprefix(SCREEN), False
    for turn in trajectory.turns:
        reply, message = profile.parse(turn.reply), turn.observation
        if not message:
            continue
        if reply.error:
            assert message == profile.error(reply)
            counts["error"] += 1
            continue
        once = reply.task_complete
        if once and declared:
            kind, wrapped = "last", "\0"
        elif once:
            kind, wrapped = "confirm", profile.confirm("\0")
        elif reply.warning:
            kind, wrapped = "warning", profile.warning(reply, "\0")
        else:
            kind, wrapped = "plain", "\0"
        declared = once
        before, after = wrapped.split("\0")
        observation = message.removeprefix(before).removesuffix(after)
        assert message == before + observation + after
        known = follow(known, observation, once, counts)
        counts[kind] += 1
    return counts


def follow(known: str, observation: str, once: bool, counts: Counter[str]) -> str:
    """Check an observation against the end of the capture before it; return the end of its own."""
    if CUT in observation:
        head, _, rest = observation.partition("\n[... output limited")
        tail = rest.partition(CUT)[2]
        fillers = ("x" * 10**digits for digits in range(1, 8))
        whole = (head + filler + tail for filler in fillers)
        assert once or observation in [limit(limit(text)) for text in whole]
        counts["limited"] += 1
        return tail
    assert observation == limit(observation)
    if observation.startswith(SCREEN):
        counts["screen"] += 1
        return observation.removeprefix(SCREEN)
    text = observation.removeprefix(NEW)
    for above, kind in (("", "delta"), ("unseen\n", "below unseen text")):
        old = f"{above}{known}".strip()
        full = old[: max(old.rfind("\n"), 0)] + text
        if delta(above + known, full, "", relative_offset=True) == observation:
            counts[kind] += 1
            return full
    raise AssertionError(f"{observation[:300]!r} does not follow from {known[-300:]!r}")
