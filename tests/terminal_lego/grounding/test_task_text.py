import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.formats import read_trajectories
from terminal_lego.grounding.task_text import task_hash, task_text
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Trajectory

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "trajectories"
RULES = "You work in a terminal. You are given a task description.\n\n"
TASK = "Write `done` to /app/out.txt.\n\n- one line\n- no more"


def screen(host: str = "cpu1") -> str:
    return f"Current Terminal Screen:\nroot@{host}:/app#" + "\n" * 39


def terminus2(task: str, shown: str) -> str:
    return f"{RULES}Task Description:\n{task}\n\nCurrent terminal state:\n{shown}\n"


def terminus1(task: str, shown: str) -> str:
    return (
        f"{RULES}Instruction:\n{task}\n\nYour response must be a JSON object of this schema:\n\n{{}}\n\n"
        f"The current terminal state is:\n{shown}"
    )


def native(task: str, shown: str) -> str:
    return Profile.native().initial(task, shown)


WORDINGS = {"terminus-2": terminus2, "terminus-1": terminus1, "native": native}
wordings = pytest.mark.parametrize("wording", WORDINGS.values(), ids=list(WORDINGS))


def trajectory(prompt: str, id: str = "a") -> Trajectory:
    return Trajectory(id=id, task="t", model="m", prompt=prompt, turns=())


@wordings
def test_the_instruction_is_taken_out_of_the_wording(wording):
    assert task_text(trajectory(wording(TASK + "\n", screen()))) == TASK


@wordings
@pytest.mark.parametrize("inner", WORDINGS.values(), ids=list(WORDINGS))
def test_an_instruction_may_hold_the_words_of_a_harness(wording, inner):
    task = f"Explain this prompt.\n\n{inner('A task.', screen('other'))}\nWhat is wrong with it?"
    assert task_text(trajectory(wording(task, screen()))) == task


def test_an_instruction_may_begin_and_end_with_the_marks():
    task = "# Task\n\nDo it.\n\n# Terminal\n\nUse it."
    assert task_text(trajectory(native(task, screen()))) == task


def test_an_empty_instruction_is_empty():
    assert task_text(trajectory("Task Description:\n\nCurrent terminal state:\n" + screen())) == ""
    assert task_text(trajectory("Task Description:\nCurrent terminal state:\n" + screen())) == ""


def test_of_an_unknown_wording_everything_but_the_screen_is_kept():
    assert task_text(trajectory(f"Please do this.\n\n{TASK}\n\n{screen()}")) == f"Please do this.\n\n{TASK}"
    assert task_text(trajectory(f"{TASK}\n\nroot@cpu1:/app# \n\n\n")) == TASK
    assert task_text(trajectory(TASK)) == TASK
    assert task_text(trajectory("")) == ""


def test_one_task_has_one_hash_in_every_wording_and_on_every_host():
    prompts = [wording(TASK, screen(host)) for wording in WORDINGS.values() for host in ("cpu1", "cpu2")]
    prompts.append(terminus2(TASK + " \n\n", screen()).replace("\n", "\r\n"))
    prompts.append(native(TASK.replace("line\n", "line \t\n"), screen()))
    assert len({task_hash(trajectory(prompt)) for prompt in prompts}) == 1
    assert len(set(prompts)) == len(prompts)


def test_different_tasks_under_one_id_have_different_hashes():
    tasks = [TASK, TASK.lower(), TASK + "!", "  indented\n" + TASK, TASK.replace("- no", "  - no"), ""]
    assert len({task_hash(trajectory(native(task, screen()), id="same")) for task in tasks}) == len(tasks)


def test_composed_and_decomposed_letters_are_the_same():
    composed, decomposed = (unicodedata.normalize(form, "Überprüfe é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert task_hash(trajectory(composed)) == task_hash(trajectory(decomposed))


def test_a_hash_is_64_digits_that_stay():
    assert task_hash(trajectory("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.text(st.characters(exclude_categories=())))
def test_any_prompt_has_a_hash(prompt):
    assert len(task_hash(trajectory(prompt))) == 64


@wordings
@given(task=st.text(st.sampled_from("ab#: \n")))
def test_any_instruction_comes_back(wording, task):
    assert task_text(trajectory(wording(task, screen()))) == task.strip()


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded trials at ../shared/data/trajectories")
def test_recorded_trials_of_one_task_agree():
    by_task: dict[str, set[str]] = {}
    for recorded in read_trajectories(RECORDED).trajectories:
        text = task_text(recorded)
        assert text
        assert text in recorded.prompt
        assert "root@" not in text
        assert "keystrokes" not in text
        assert "terminal state" not in text
        by_task.setdefault(recorded.task, set()).add(task_hash(recorded))
    assert len(by_task["fix-git"]) == 1
    assert len(set.union(*by_task.values())) == len(by_task) > 1
