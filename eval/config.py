"""The settings of `python -m eval`."""

from dataclasses import dataclass

from omegaconf import MISSING

from terminal_lego.errors import ConfigError

AGENTS = ("terminus-2", "oracle", "nop")


@dataclass
class EvaluationConfig:
    """One evaluation of one student.

    Attributes:
        student: folder of a model, or its name at `base_url`; not needed for the oracle and nop agents.
        tasks: a task folder, a folder of task folders, or a glob.
        agent: terminus-2, oracle (runs the task's own solution) or nop (does nothing).
        base_url: an OpenAI-compatible server; null loads the student into this process.
        api_key_env: environment variable that holds the server's key; null for a server without one.
        profile: folder with the wording the student was trained on; null for this project's own.
        attempts: trials of each task.
        concurrency: trials at a time.
        max_turns: replies per trial; null leaves only the task's own time limit.
        max_new_tokens: longest reply of a student in this process.
        group_by: key of `[metadata]` in task.toml; scores are also given per value.
        job_dir: where trials and results go; an unfinished job there is taken up again.
    """

    student: str | None = None
    tasks: str = MISSING
    agent: str = "terminus-2"
    base_url: str | None = None
    api_key_env: str | None = None
    profile: str | None = None
    attempts: int = 1
    concurrency: int = 4
    max_turns: int | None = None
    max_new_tokens: int = 4096
    group_by: str = "category"
    job_dir: str = "jobs/${now:%Y-%m-%d__%H-%M-%S}"

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ConfigError(f"agent={self.agent} is not known: choose one of {', '.join(AGENTS)}.")
        for name in ("attempts", "concurrency", "max_turns", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value} runs nothing: give 1 or more.")
        if self.agent == "terminus-2" and not self.student:
            raise ConfigError(
                "agent=terminus-2 needs a student: "
                "add student=<folder of a model>, or student=<name> base_url=<url>."
            )
