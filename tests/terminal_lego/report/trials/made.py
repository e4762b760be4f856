"""Job folders made by hand, in the layout of Harbor."""

import json
from pathlib import Path
from typing import Any

from terminal_lego.formats import write_atif
from terminal_lego.trajectory import Trajectory, Turn

PROMPT = (
    "Answer with JSON.\n\nThe service on port 8080 does not start. Make it listen on 9090.\n\nroot@1f:/app# "
)
LISTING = "root@1f:/app# cat conf.toml\n[server]\nport = 8080\nworkers = 4\nroot@1f:/app# "


def reply(analysis: str, *lines: str, done: bool = False) -> str:
    commands = [{"keystrokes": f"{line}\n", "duration": 0.1} for line in lines]
    fields = {"analysis": analysis, "plan": "Go on.", "commands": commands, "task_complete": done}
    return json.dumps(fields, indent=2)


TURNS = (
    Turn(
        reply("I look first.", "cat conf.toml"),
        LISTING,
        prompt_tokens=812,
        completion_tokens=64,
        seconds=1.25,
        finish_reason="stop",
    ),
    Turn(
        reply("Now the port.", "sed -i s/8080/9090/ conf.toml"),
        "root@1f:/app# sed -i s/8080/9090/ conf.toml\nroot@1f:/app# ",
        prompt_tokens=1_024,
        completion_tokens=71,
        seconds=2.5,
    ),
    Turn(reply("Done.", done=True), "Are you sure?", prompt_tokens=1_130, completion_tokens=40, seconds=0.75),
)
MINUTE = {"started_at": "2026-03-01T10:00:00+00:00", "finished_at": "2026-03-01T10:01:40+00:00"}


def write_trial(
    job: Path,
    name: str,
    reward: float | None = 1.0,
    error: str | None = None,
    *,
    started: int = 0,
    model: str = "student",
    turns: tuple[Turn, ...] = TURNS,
    prompt: str = PROMPT,
    stdout: str = "collected 2 items\n2 passed in 0.10s\n",
    **result: Any,
) -> Path:
    """A trial `<task>__<anything>`; `started` is the minute it began, `result` more of result.json."""
    folder = job / name
    (folder / "agent").mkdir(parents=True)
    (folder / "verifier").mkdir()
    task = name.rpartition("__")[0]
    write_atif(Trajectory(name, task, model, prompt, turns), folder / "agent" / "trajectory.json")
    (folder / "verifier" / "test-stdout.txt").write_text(stdout)
    data = {
        "task_name": task,
        "trial_name": name,
        "agent_info": {"name": "terminus-2", "version": "2.0.0", "model_info": {"name": model}},
        "agent_result": {"n_input_tokens": 2_966, "n_output_tokens": 175},
        "verifier_result": None if reward is None else {"rewards": {"reward": reward}},
        "exception_info": error
        and {
            "exception_type": error,
            "exception_message": "It ended here.",
            "exception_traceback": f"Traceback:\n{error}",
        },
        "started_at": f"2026-03-01T10:{started:02}:00+00:00",
        "finished_at": f"2026-03-01T11:{started:02}:00+00:00",
        "agent_execution": MINUTE,
        **result,
    }
    (folder / "result.json").write_text(json.dumps(data))
    (folder / "config.json").write_text(json.dumps({"agent": {"model_name": f"provider/{model}"}}))
    return folder


def write_job(job: Path) -> Path:
    """Three tasks, six trials, one of every outcome."""
    write_trial(job, "fix-port__bbb", 1.0, started=1)
    write_trial(job, "fix-port__aaa", 0.0, started=2, stdout="1 failed, 1 passed in 0.20s\n")
    write_trial(job, "fix-port__ccc", 0.0, "AgentTimeoutError", started=3)
    write_trial(job, "count-rows__aaa", 0.5, started=4, stdout="1 failed, 1 passed in 0.20s\n")
    write_trial(job, "rename__aaa", None, "SandboxError", started=5, turns=())
    unfinished = write_trial(job, "rename__bbb", None, started=6)
    (unfinished / "result.json").unlink()
    return job


EVALUATION = {
    "pass_at_1": 0.4167,
    "interval": [0.25, 0.625],
    "interval_method": "bootstrap over tasks",
    "pass_at_1_without_infrastructure_errors": 0.5,
    "interval_without_infrastructure_errors": [0.3, None],
}
