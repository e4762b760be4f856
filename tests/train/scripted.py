"""Conversations of the quickstart's teachers, with screens made up instead of recorded."""

from recipes.quickstart.teachers import TEACHERS
from recipes.quickstart.world import Scenario, scenarios
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Trajectory, Turn


def screen(scenario: Scenario) -> str:
    """What any of the families' look commands could show: one of the lines fits."""
    slots = scenario.slots
    path = f"/app/{slots['folder']}/{slots['file']}"
    return f"New Terminal Output:\n{slots['file']}\n{path}\n{path}: {slots['value']}\nroot@terminal:/app# "


def conversation(scenario: Scenario, teacher: str = "inspector", number: int = 0) -> Trajectory:
    prompt = Profile.native().initial(scenario.instruction, "root@terminal:/app# ")
    chat = [{"role": "user", "content": prompt}]
    turns = []
    while not turns or not turns[-1].parsed.task_complete:
        turns.append(Turn(TEACHERS[teacher](chat), screen(scenario)))
        chat.append({"role": "assistant", "content": turns[-1].reply})
        chat.append({"role": "user", "content": turns[-1].observation})
    name = f"{scenario.family.name}-{number}"
    return Trajectory(f"{teacher}/{name}", name, teacher, prompt, tuple(turns), reward=1.0)


def conversations(count: int, teacher: str = "inspector") -> list[Trajectory]:
    return [conversation(each, teacher, i) for i, each in enumerate(scenarios("train", count))]
