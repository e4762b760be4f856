from collections.abc import Callable

import pytest

from terminal_lego.trajectory import Trajectory, Turn

DONE = '{"analysis": "a", "plan": "p", "commands": [], "task_complete": true}'
GOING = '{"analysis": "a", "plan": "p", "commands": []}'
PROMPT = "You are given a task.\n\nTask Description:\n{}\n\n\nCurrent terminal state:\nroot@host:/app# "


@pytest.fixture(scope="session")
def make() -> Callable[..., Trajectory]:
    """A trajectory that passed and is done; `text` is the instruction, `extra` what came with it."""

    def make(
        id="1",
        model="teacher",
        *,
        text="Do it.",
        last=DONE,
        turns=None,
        reward=1.0,
        exception=None,
        task="task",
        source="",
        **extra,
    ):
        turns = (Turn(GOING, "screen"), Turn(last, "end")) if turns is None else turns
        prompt = PROMPT.format(text)
        return Trajectory(
            id, task, model, prompt, turns, reward=reward, exception=exception, source=source, extra=extra
        )

    return make


@pytest.fixture(scope="session")
def kept() -> Callable[..., list[str]]:
    """Ids that a step keeps, sorted."""
    return lambda step, trajectories: sorted(trajectory.id for trajectory in step(trajectories)[0])


@pytest.fixture(scope="session")
def reasons() -> Callable[..., dict[str, str]]:
    """Reason of each id that a step drops."""
    return lambda step, trajectories: {drop.trajectory.id: drop.reason for drop in step(trajectories)[1]}
