import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from terminal_lego.cli import main
from terminal_lego.errors import ConfigError, TrialError
from terminal_lego.formats import read_trajectories
from terminal_lego.harness import job as jobs
from terminal_lego.harness.add_on import AddOn
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.record import TrialRecord, TrialSettings
from terminal_lego.harness.rollout import Rollout, RolloutConfig
from tests.terminal_lego.harness.teacher_server import TeacherServer, teacher_server


def reply(*lines: str, done: bool = False) -> str:
    commands = [{"keystrokes": f"{line}\n", "duration": 0.1} for line in lines]
    return json.dumps({"analysis": "", "plan": "", "commands": commands, "task_complete": done})


def policy(messages: list[dict[str, str]]) -> str:
    return reply("echo done > out.txt") if len(messages) == 1 else reply(done=True)


@pytest.fixture
def server() -> Iterator[TeacherServer]:
    with teacher_server(policy) as server:
        yield server


@pytest.fixture
def words(make_task, server, tmp_path) -> list[str]:
    """A command over three tasks; a call costs 0.25."""
    for name in ("one", "two", "three"):
        make_task(name)
    server.usage |= {"cost": 0.25}
    return [
        *("teacher=lab/m", f"tasks={tmp_path / 'tasks'}", f"base_url={server.url}"),
        *(f"job_dir={tmp_path / 'job'}", "concurrency=1"),
    ]


@pytest.fixture
def one_call(monkeypatch) -> None:
    """Trials are one call of the model each, without a container."""

    def run_trial(task, agent, folder: Path, settings: TrialSettings, **_: object):
        record = TrialRecord(task, agent, folder, settings)
        try:
            record.agent_result(AgentResult(1))
            agent.client.complete([{"role": "user", "content": task.name}])
            record.rewards({"reward": 1.0})
        except TrialError as error:
            record.fail(error)
        return record.finish()

    monkeypatch.setattr(jobs, "run_trial", run_trial)
    monkeypatch.setattr(jobs, "connect_all", lambda: nullcontext([None]))
    monkeypatch.setattr(jobs, "remove_leftovers", lambda *_: None)


def rollout(*words: str) -> int:
    return main(["rollout", *words])


def test_a_teacher_leaves_a_job_to_train_on(engine, words, server, tmp_path, capsys):
    """Real containers: the add-on reaches the model, the record and the job; the cap and the resume hold."""
    words = [*words, "add_on=inspect_first", "temperature=0.5"]
    assert rollout(*words, "max_cost=0.5") == 1
    told = capsys.readouterr().out
    assert "1 of 3 trials, 1 passed. 3,000 tokens in, 300 out, cost 0.75" in told
    assert "stopped: max_cost=0.5 is reached with 0.75 spent: give more to go on." in told
    assert rollout(*words, "max_cost=0.5") == 1
    assert len(server.requests) == 3
    assert rollout(*words, "concurrency=2") == 0
    assert "3 of 3 trials, 3 passed. 9,000 tokens in, 900 out, cost 2.25" in capsys.readouterr().out
    read = read_trajectories(tmp_path / "job")
    assert read.set_aside == []
    text = AddOn.read("inspect_first").text
    for trajectory in read.trajectories:
        assert (trajectory.reward, trajectory.extra["add_on"]) == (1.0, "inspect_first")
        assert f"Solve {trajectory.task}.\n\n{text}\n" in trajectory.prompt
    config = json.loads((tmp_path / "job" / "config.json").read_text())["agent"]["config"]
    assert config["add_on"] == {"name": "inspect_first", "text": text}
    assert config["temperature"] == server.requests[0]["temperature"] == 0.5


def test_another_add_on_is_another_job(one_call, words, tmp_path, capsys):
    assert rollout(*words) == 0
    (tmp_path / "mine.md").write_text("Be brief.")
    assert rollout(*words, f"add_on={tmp_path / 'mine.md'}") == 2
    assert "another agent.config.add_on" in capsys.readouterr().err


def test_trials_that_run_are_finished_when_the_cap_is_reached(one_call, words, server, tmp_path):
    together = threading.Barrier(2)
    server.policy = lambda messages: f"{together.wait(20)}"
    words = [word for word in words if not word.startswith("concurrency")]
    config = RolloutConfig(**dict(word.split("=", 1) for word in words), max_cost=0.2, concurrency=2)
    result = Rollout(config).run()
    assert [trial.reward for trial in result.trials] == [1.0, 1.0]
    assert result.n_planned == 3


def test_a_teacher_who_never_answers_ends_the_collection(one_call, words, server, tmp_path, capsys):
    server.refusals = [(401, {})] * 2
    assert rollout(*words) == 1
    told = capsys.readouterr().out
    assert "stopped: the last 2 trials got no answer from the teacher: lab/m at" in told
    assert "3 are missing, 2 of them lost" in told
    assert rollout(*words) == 0
    assert len(server.requests) == 5


def test_a_finished_job_needs_no_server(one_call, words, server, capsys):
    assert rollout(*words) == 0
    before = len(server.requests)
    assert rollout(*words) == 0
    assert len(server.requests) == before == 3
    assert "3 of 3 trials, 3 passed" in capsys.readouterr().out


def test_progress_tells_rate_and_cost(one_call, words, monkeypatch, capsys):
    monkeypatch.setattr("terminal_lego.cli.rollout.PLAIN_SECONDS", 0.0)
    rollout(*words, "max_cost=0.25")
    capsys.readouterr()
    assert rollout(*words) == 0
    kept, first, last = capsys.readouterr().err.splitlines()
    assert kept == "1 of 3 trials are kept"
    assert first.startswith("2 of 3 trials, 1 passed, 0 lost, ") and first.endswith("cost 0.50")
    assert last.startswith("3 of 3 trials, 2 passed, 0 lost, ") and "/min, " in last


def test_an_interrupted_collection_says_how_to_go_on(words, monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("terminal_lego.harness.rollout.run_job", interrupted)
    assert rollout(*words) == 130
    assert "stopped: the same command runs what is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "teacher is not set: add teacher=<model>"),
        (["teacher=m"], "tasks is not set"),
        (["teacher=m", "tasks=t", "price_in=1"], "price_in and price_out go together"),
        (["teacher=m", "tasks=t", "max_cost=0"], "max_cost=0.0 leaves nothing"),
        (["teacher=m", "tasks=t", "temperature=-1"], "temperature=-1.0 means nothing"),
        (["teacher=m", "tasks=t", "attempts=0"], "attempts=0 runs nothing"),
        (["teacher=m", "tasks=t", "attempts=some"], "could not be converted to Integer"),
        (["teacher=m", "tasks=t", "parser=yaml"], "parser=yaml is not known"),
        (["teacher=m", "tasks=t", "wheel=w.whl"], "wheel=w.whl is only read for profile=harbor"),
        (["teacher=m", "tasks=t", "student=x"], "rollout student=x: give KEY=VALUE with a KEY of add_on,"),
        (["teacher=m", "tasks=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence, capsys):
    assert rollout(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and sentence in line


def test_an_add_on_is_named_or_a_file(tmp_path):
    (tmp_path / "careful.md").write_text("Be careful.\n")
    assert AddOn.read(str(tmp_path / "careful.md")) == AddOn("careful", "Be careful.")
    with pytest.raises(ConfigError, match=r"add_on=kind cannot be read.* one of inspect_first"):
        AddOn.read("kind")
    (tmp_path / "careful.md").write_text(" \n")
    with pytest.raises(ConfigError, match="is empty"):
        AddOn.read(str(tmp_path / "careful.md"))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str | None]]:
    """The server that some settings lead to, with both variables set."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://env/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    return lambda **given: RolloutConfig(teacher="m", tasks="t", **given).server


def test_a_key_of_the_environment_goes_only_to_its_own_server(settled, monkeypatch):
    assert settled() == ("http://env/v1", "OPENAI_API_KEY")
    assert settled(base_url="http://other/v1") == ("http://other/v1", None)
    assert settled(base_url="http://other/v1", api_key_env="OTHER") == ("http://other/v1", "OTHER")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert settled() == ("http://env/v1", None)
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(ConfigError, match="set OPENAI_BASE_URL"):
        settled()


def test_the_folder_follows_from_what_is_collected():
    def folder(**given: object) -> Path:
        return RolloutConfig(teacher="lab/m", tasks="t", **given).folder

    assert folder() == folder(max_cost=3.0, concurrency=9, base_url="http://x")
    assert folder().name.startswith("lab-m__")
    assert len({folder(), folder(add_on="inspect_first"), folder(temperature=0.1), folder(attempts=2)}) == 4
