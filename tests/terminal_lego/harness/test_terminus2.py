import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from terminal_lego.errors import AgentTimeoutError, ContextLengthExceededError, ModelUnavailableError
from terminal_lego.formats import read_trajectories
from terminal_lego.harness.agents import AgentResult, Deadline
from terminal_lego.harness.agents.terminus2 import Terminus2
from terminal_lego.harness.clients import Completion
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.quirks import QUIRKS
from terminal_lego.task import Task, TaskConfig
from terminal_lego.trajectory import Message, Trajectory
from tests.terminal_lego.harness.local_sandbox import LocalSandbox, needs_tmux

pytestmark = needs_tmux

NATIVE = Profile.native()
QUIRKY = replace(NATIVE, quirks=frozenset(QUIRKS))
NEW = "New Terminal Output:\n"
Answer = str | Completion | Exception


def reply(*keystrokes: str, done: bool = False, duration: float = 0.3) -> str:
    commands = [{"keystrokes": text, "duration": duration} for text in keystrokes]
    return json.dumps({"analysis": "", "plan": "", "commands": commands, "task_complete": done})


@dataclass
class Model:
    """Gives its answers in order and keeps the conversations it was given."""

    answers: list[Answer]
    model: str = "model"
    context: int | None = None
    output_limit: int | None = None
    asked: list[list[Message]] = field(default_factory=list)
    timeouts: list[float | None] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        self.asked.append([dict(message) for message in messages])
        self.timeouts.append(timeout)
        self.then()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completion) else Completion(answer)

    def count(self, messages: list[Message]) -> int:
        return sum(len(message["content"]) for message in messages)

    @property
    def prompts(self) -> list[str]:
        return [messages[-1]["content"] for messages in self.asked]


@dataclass
class Trial:
    sandbox: LocalSandbox
    folder: Path

    def run(
        self,
        model: Model,
        max_turns: int | None = None,
        deadline: Deadline | None = None,
        profile: Profile = NATIVE,
    ) -> AgentResult:
        task = Task(Path("hello"), TaskConfig(), "Say {hello}.\n")
        deadline = deadline or Deadline(None, sleep=self.settle)
        return Terminus2(model, profile, max_turns).run(task, self.sandbox, self.folder, deadline)

    def settle(self, seconds: float) -> None:
        """Wait as asked, then on until a prompt stands at the end of the screen or the session is gone."""
        time.sleep(seconds)
        self.sandbox.wait_for(lambda: self.sandbox.at_prompt() or not self.sandbox.has_session())

    @property
    def trajectory(self) -> Trajectory:
        (trajectory,) = read_trajectories(self.folder / "agent" / "trajectory.json").trajectories
        return trajectory


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    sandbox = LocalSandbox(tmp_path)
    yield Trial(sandbox, tmp_path / "trial")
    sandbox.close()


def test_work_then_finish_takes_a_confirmation(trial: Trial):
    model = Model([reply("echo hi > f\n"), reply(done=True), reply(done=True)])
    result = trial.run(model)
    first, second, third = model.prompts
    assert first == NATIVE.initial("Say {hello}.\n", "Current Terminal Screen:\n$\n" + 39 * "\n")
    assert second.startswith(f"{NEW}$ echo hi > f\n")
    assert third == NATIVE.confirm(f"{NEW}\n$\n" + 38 * "\n")
    assert (trial.sandbox.home / "f").read_text() == "hi\n"
    assert result == AgentResult(turns=3)


def test_the_conversation_alternates_and_keeps_raw_replies(trial: Trial):
    first = "Sure:\n" + reply("ls\n") + "\n"
    model = Model([Completion(first, reasoning="hm"), reply(done=True), reply(done=True)])
    trial.run(model)
    last = model.asked[-1]
    assert [message["role"] for message in last] == ["user", "assistant"] * 2 + ["user"]
    assert last[1]["content"] == first
    assert "hm" not in json.dumps(last)


@pytest.mark.parametrize("quirks", [frozenset(), frozenset({"line-breaks-of-thoughts"})])
def test_line_breaks_that_a_thought_left_are_no_part_of_the_reply(quirks, trial: Trial):
    """The reference keeps them; training on thoughts that no later turn reads does not."""
    model = Model([Completion("\n\n" + reply("ls\n"), reasoning="hm"), reply(done=True), reply(done=True)])
    trial.run(model, profile=replace(NATIVE, quirks=quirks))
    assert model.asked[-1][1]["content"] == ("\n\n" if quirks else "") + reply("ls\n")


def test_commands_of_both_completing_replies_run(trial: Trial):
    trial.run(Model([reply("touch one\n", done=True), reply("touch two\n", done=True)]))
    trial.sandbox.wait_for(lambda: {"one", "two"} <= {file.name for file in trial.sandbox.home.iterdir()})


def test_a_clean_reply_between_takes_the_declaration_back(trial: Trial):
    model = Model([reply(done=True), reply("ls\n"), reply(done=True), reply(done=True)])
    trial.run(model)
    assert not model.answers
    assert "complete" in model.prompts[1]
    assert model.prompts[2].startswith(NEW)


def test_a_parse_error_between_keeps_the_declaration(trial: Trial):
    model = Model([reply(done=True), "what?", reply(done=True), "never asked"])
    trial.run(model)
    assert model.answers == ["never asked"]


def test_a_parse_error_runs_nothing_and_shows_no_screen(trial: Trial):
    broken = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "touch f\n"}]}'
    model = Model([broken, reply(done=True), reply(done=True)])
    trial.run(model)
    assert "ERROR: Invalid JSON" in model.prompts[1]
    assert "Terminal" not in model.prompts[1]
    assert not (trial.sandbox.home / "f").exists()


def test_warnings_are_shown_before_the_observation(trial: Trial):
    model = Model(["Sure: " + reply("ls\n"), reply(done=True), reply(done=True)])
    trial.run(model)
    warning, observation = model.prompts[1].split(NEW)
    assert "WARNINGS: - Extra text detected before JSON object" in warning
    assert observation.startswith("$ ls\n")


def test_warnings_of_a_completing_reply_are_dropped(trial: Trial):
    model = Model([f"Sure: {reply(done=True)}", reply(done=True)])
    trial.run(model)
    assert "WARNINGS" not in model.prompts[1]


@pytest.mark.parametrize(("profile", "is_right"), [(NATIVE, True), (QUIRKY, False)], ids=["native", "quirk"])
def test_the_omitted_bytes_are_right_but_where_the_output_is_limited_twice(
    trial: Trial, profile: Profile, is_right: bool
):
    line = f"yes {'x' * 99} | head -500\n"
    model = Model([reply(line), f"Sure: {reply(line)}", reply(line, done=True), reply(done=True)])
    trial.run(model, profile=profile)
    ordinary, warning, confirm = map(omitted_bytes, model.prompts[1:])
    assert confirm > 1_000
    assert [number > 1_000 for number in (ordinary, warning)] == [is_right, is_right]
    assert is_right or max(ordinary, warning) < 100


def omitted_bytes(prompt: str) -> int:
    return int(prompt.split("output limited to 10000 bytes; ")[1].split()[0])


CUT = Completion(reply("touch f\n"), finish_reason="length", completion_tokens=64)


@pytest.mark.parametrize("limit", [64, None])
def test_a_cut_reply_runs_nothing_and_is_asked_for_again(trial: Trial, limit: int | None):
    model = Model([CUT, reply(done=True), reply(done=True)], output_limit=limit)
    result = trial.run(model)
    assert model.prompts[1] == NATIVE.length(limit, NATIVE.parse(CUT.text))
    assert model.asked[1][1]["content"] == CUT.text
    assert not (trial.sandbox.home / "f").exists()
    assert (result.turns, result.completion_tokens) == (3, 64)


def test_the_warnings_of_a_cut_reply_are_shown(trial: Trial):
    cut = replace(CUT, text=f"Sure: {CUT.text}")
    model = Model([cut, reply(done=True), reply(done=True)])
    trial.run(model)
    assert "- Extra text detected before JSON object" in model.prompts[1]


def test_a_cut_reply_keeps_the_declaration(trial: Trial):
    model = Model([reply(done=True), CUT, reply(done=True), "never asked"])
    trial.run(model)
    assert model.answers == ["never asked"]


@pytest.mark.parametrize(("profile", "left"), [(NATIVE, 2), (QUIRKY, 1)], ids=["native", "quirk"])
def test_the_reference_does_not_count_cut_replies_as_turns(trial: Trial, profile: Profile, left: int):
    model = Model([CUT, reply(), "never asked"])
    result = trial.run(model, max_turns=1, profile=profile)
    assert len(model.answers) == left
    assert result.turns == 3 - left == len(trial.trajectory.turns)
    assert trial.trajectory.messages()[:-1] == model.asked[-1]


def test_a_cut_xml_reply_that_is_whole_is_used(trial: Trial):
    whole = (
        "<response>\n<analysis></analysis>\n<plan></plan>\n<commands>\n"
        '<keystrokes duration="0.3">echo $((40+2))\n</keystrokes>\n</commands>\n</response>'
    )
    profile = Profile.native("xml")
    model = Model([Completion(f"{whole}\n<respo", finish_reason="length"), "never asked"])
    trial.run(model, max_turns=1, profile=profile)
    assert trial.trajectory.turns[0].reply == whole
    assert "\n42\n" in trial.trajectory.turns[0].observation


@pytest.mark.parametrize(("profile", "runs"), [(NATIVE, True), (QUIRKY, False)], ids=["native", "quirk"])
def test_a_warning_that_quotes_an_error_is_one_in_the_reference(trial: Trial, profile: Profile, runs: bool):
    command = {"keystrokes": "touch f\n", "duration": 0.3, "ERROR:": 1}
    odd = json.dumps({"analysis": "", "plan": "", "commands": [command]})
    trial.run(Model([odd, reply()]), max_turns=2, profile=profile)
    if runs:
        trial.sandbox.wait_for((trial.sandbox.home / "f").exists)
    else:
        assert not (trial.sandbox.home / "f").exists()


def test_a_declaration_survives_a_summary(trial: Trial):
    """The first declaration fills the context; the reply after the summary is the second one."""
    declared = reply(done=True)
    model = Model([declared, "S", "Q", "A", declared, "never asked"], context=100)
    trial.run(model)
    assert model.answers == ["never asked"]
    assert model.prompts[4] == NATIVE.resume("A")
    assert model.prompts[2] == NATIVE.questions("Say {hello}.\n", "S", "$\n" + 39 * "\n")


def test_the_end_of_the_session_ends_the_run_quietly(trial: Trial):
    result = trial.run(Model([reply("exit\n", "exit\n", "ls\n"), "never asked"]))
    assert result.turns == 1
    assert trial.trajectory.exception is None


def test_the_last_turn_ends_the_run_quietly(trial: Trial):
    result = trial.run(Model([reply("ls\n"), "what?", "never asked"]), max_turns=2)
    assert result.turns == 2
    assert trial.trajectory.exception is None


def test_the_trajectory_is_the_conversation(trial: Trial):
    answers = [Completion(reply("ls\n"), prompt_tokens=5, completion_tokens=2, reasoning="hm"), "what?"]
    model = Model([*answers, reply(done=True), Completion(reply("pwd\n", done=True), prompt_tokens=6)])
    result = trial.run(model)
    trajectory = trial.trajectory
    assert trajectory.messages()[:-1] == model.asked[-1]
    assert trajectory.turns[-1].observation.startswith(f"{NEW}\n$ pwd\n")
    assert trajectory.turns[0].reasoning == "hm"
    assert (trajectory.task, trajectory.model, trajectory.agent) == ("hello", "model", "terminus-2")
    assert trajectory.extra["profile_fingerprint"] == NATIVE.fingerprint
    assert result == AgentResult(turns=4, prompt_tokens=11, completion_tokens=2)


def test_every_turn_leaves_its_prompt_and_response(trial: Trial):
    model = Model([reply("ls\n"), reply(done=True), reply(done=True)])
    trial.run(model)
    agent = trial.folder / "agent"
    assert [(agent / f"episode-{n}" / "prompt.txt").read_text() for n in range(3)] == model.prompts
    assert (agent / "episode-0" / "response.txt").read_text() == reply("ls\n")


@pytest.mark.parametrize(
    "error",
    [ContextLengthExceededError("full"), ModelUnavailableError("gone")],
    ids=lambda e: type(e).__name__,
)
def test_an_error_of_the_model_ends_the_run_and_is_noted(trial: Trial, error: Exception):
    with pytest.raises(type(error)):
        trial.run(Model([reply("ls\n"), *[error] * 4]))
    assert len(trial.trajectory.turns) == 1
    assert trial.trajectory.exception == type(error).__name__


class Clock:
    """Starts at zero and moves by sleeping, or by hand."""

    def __init__(self):
        self.now = 0.0

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_time_ends_a_wait_and_the_reply_stays_on_record(trial: Trial):
    clock = Clock()
    with pytest.raises(AgentTimeoutError):
        trial.run(Model([reply("", duration=50), reply("", duration=60)]), deadline=clock.deadline(100))
    assert clock.now == 100
    assert [turn.reply for turn in trial.trajectory.turns][-1] == reply("", duration=60)
    assert trial.trajectory.turns[-1].observation == ""
    assert trial.trajectory.exception == "AgentTimeoutError"


def test_the_model_is_given_the_time_that_is_left(trial: Trial):
    clock = Clock()
    model = Model([reply(done=True), reply(done=True)], then=lambda: clock.sleep(10))
    trial.run(model, deadline=clock.deadline(100))
    assert model.timeouts == [100, 90]


def test_a_model_that_used_up_the_time_is_a_timeout_of_the_agent(trial: Trial):
    clock = Clock()
    model = Model([ModelUnavailableError("no time")], then=lambda: clock.sleep(100))
    with pytest.raises(AgentTimeoutError):
        trial.run(model, deadline=clock.deadline(100))


def test_a_record_is_there_before_the_first_reply(trial: Trial):
    model = Model([reply(done=True), reply(done=True)])
    seen: list[int] = []
    model.then = lambda: seen.append(len(trial.trajectory.turns))
    trial.run(model)
    assert seen == [0, 1]
