"""What a trial leaves on disk, in Harbor's layout and field names.

    config.json  result.json  trial.log  exception.txt  agent/  verifier/  artifacts/
    steps/<name>/{agent,verifier,artifacts}/    of a task of several steps

result.json is written last and at once: a trial without it did not finish.
"""

import json
import shutil
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import InfrastructureError, TrialError
from terminal_lego.harness.scrub import scrub, scrub_folder, secrets_of
from terminal_lego.json_files import finite, write_json, write_whole
from terminal_lego.task import Task

if TYPE_CHECKING:
    from terminal_lego.harness.agents import Agent, AgentResult

FOLDERS = ("agent", "verifier", "artifacts")
PHASES = ("environment_setup", "agent_setup", "agent_execution", "verifier")


@dataclass(frozen=True)
class TrialSettings:
    """What applies to every trial of a job.

    Attributes:
        timeout_multiplier: scales the agent's and the verifier's time.
        hostname: the container's, visible in prompts.
        keep_containers: leave them running, to look inside.
    """

    timeout_multiplier: float = 1.0
    hostname: str = "terminal"
    keep_containers: bool = False


@dataclass(frozen=True)
class TrialResult:
    """One finished trial: its folder and its result.json."""

    path: Path
    data: dict[str, Any]

    @property
    def task_name(self) -> str:
        return self.data["task_name"]

    @property
    def trial_name(self) -> str:
        return self.data["trial_name"]

    @property
    def rewards(self) -> dict[str, float]:
        return (self.data.get("verifier_result") or {}).get("rewards") or {}

    @property
    def reward(self) -> float | None:
        """The reward of that name, else the only one; None without a verdict."""
        only = next(iter(self.rewards.values())) if len(self.rewards) == 1 else None
        return self.rewards.get("reward", only)

    @property
    def exception_type(self) -> str | None:
        return (self.data.get("exception_info") or {}).get("exception_type")

    @property
    def is_infrastructure_error(self) -> bool:
        """No verdict, and not because of what the agent did."""
        return not self.rewards and self.exception_type not in (None, *AGENT_ERRORS)

    @property
    def turns(self) -> int | None:
        return ((self.data.get("agent_result") or {}).get("metadata") or {}).get("n_episodes")

    @property
    def seconds(self) -> float:
        """From the first phase to the last."""
        began, ended = (datetime.fromisoformat(self.data[key]) for key in ("started_at", "finished_at"))
        return (ended - began).total_seconds()

    def brief(self) -> "TrialResult":
        """Only what scores and summaries need: a job holds one of these for each of its trials."""
        data = {key: self.data.get(key) for key in BRIEF}
        if error := data["exception_info"]:
            data["exception_info"] = error | {"exception_traceback": ""}
        return TrialResult(self.path, data)


BRIEF = (
    *("task_name", "trial_name", "source", "agent_info", "agent_result", "verifier_result"),
    *("exception_info", "started_at", "finished_at"),
)


# Those of the reference that mean the same and are not raised here.
FOREIGN_AGENT_ERRORS = {
    "AgentSafetyRefusalError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "OutputTokenExceededError",
}
AGENT_ERRORS = FOREIGN_AGENT_ERRORS | {
    error.__name__ for error in TrialError.__subclasses__() if not issubclass(error, InfrastructureError)
}


def read_result(trial_dir: Path) -> TrialResult | None:
    """The finished trial in a folder; None when there is none, or its result.json is damaged."""
    try:
        data = json.loads((trial_dir / "result.json").read_bytes())
        result = TrialResult(trial_dir, data)
        whole = result.trial_name == trial_dir.name and bool(result.task_name) and result.seconds >= 0
        consistent = result.reward is None or isinstance(result.reward, int | float)
        return result if whole and consistent else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def now() -> str:
    return datetime.now(UTC).isoformat()


def agent_info(agent: "Agent") -> dict[str, Any]:
    """Harbor's split of a model's name: what stands before the first slash is its provider."""
    provider, slash, name = (agent.model or "").partition("/")
    model_info = {"name": name, "provider": provider} if slash else {"name": provider, "provider": None}
    return {"name": agent.name, "version": agent.version, "model_info": model_info if agent.model else None}


class Section:
    """Results of one agent at one instruction while it runs: a trial's, or those of a step."""

    def __init__(self, data: dict[str, Any], trial_dir: Path):
        self._data, self._path = data, trial_dir

    def log(self, line: str) -> None:
        with (self._path / "trial.log").open("a", encoding="utf-8") as file:
            file.write(f"{now()} {line}\n")

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Times a phase; the time is noted when the phase fails too."""
        timing: dict[str, str | None] = {"started_at": now(), "finished_at": None}
        self._data[name] = timing
        self.log(f"{name} begins")
        try:
            yield
        finally:
            timing["finished_at"] = now()
            self.log(f"{name} ends")

    def agent_result(self, result: "AgentResult") -> None:
        self._data["agent_result"] = {
            "n_input_tokens": result.prompt_tokens,
            "n_cache_tokens": result.cached_tokens,
            "n_output_tokens": result.completion_tokens,
            "cost_usd": None,
            "metadata": {"n_episodes": result.turns, "summarization_count": result.summarizations},
        }

    def rewards(self, rewards: dict[str, float]) -> None:
        self._data["verifier_result"] = {"rewards": rewards}
        self.log(f"rewards {rewards}")

    def fail(self, error: Exception) -> None:
        """Note what ended the trial, or a phase of it; a later error replaces an earlier one."""
        text = "".join(traceback.format_exception(error))
        self._data["exception_info"] = {
            "exception_type": type(error).__name__,
            "exception_message": str(error),
            "exception_traceback": text,
            "occurred_at": now(),
        }
        (self._path / "exception.txt").write_text(text, encoding="utf-8")
        self.log(f"{type(error).__name__}: {error}")

    @property
    def failed(self) -> bool:
        return self._data["exception_info"] is not None

    @property
    def verdict(self) -> dict[str, float] | None:
        return (self._data["verifier_result"] or {}).get("rewards")


class TrialRecord(Section):
    """The record of the whole trial."""

    def __init__(self, task: Task, agent: "Agent", trial_dir: Path, settings: TrialSettings):
        for folder in FOLDERS:
            (trial_dir / folder).mkdir(parents=True, exist_ok=True)
        self._secrets = secrets_of(task)
        config = {
            "task": {"path": str(task.path)},
            "trial_name": trial_dir.name,
            "trials_dir": str(trial_dir.parent),
            "agent": {"name": agent.name, "model_name": agent.model},
            **asdict(settings),
        }
        write_json(trial_dir / "config.json", config)
        data = {
            "id": str(uuid.uuid4()),
            "task_name": task.name,
            "trial_name": trial_dir.name,
            "trial_uri": trial_dir.absolute().as_uri(),
            "task_id": {"path": str(task.path)},
            "source": task.config.source,
            "task_checksum": task.checksum,
            "config": config,
            "agent_info": agent_info(agent),
            "agent_result": None,
            "verifier_result": None,
            "verifier_environment_mode": None if task.steps else task.config.verifier.environment_mode,
            "exception_info": None,
            "started_at": now(),
            "finished_at": None,
            **dict.fromkeys(PHASES),
            "step_results": [] if task.steps else None,
        }
        super().__init__(data, trial_dir)

    def step(self, name: str) -> Section:
        """A section for a step, which begins now."""
        results = ("agent_result", "verifier_result", "exception_info", "agent_execution", "verifier")
        data = {"step_name": name, **dict.fromkeys(results)}
        self._data["step_results"].append(data)
        self.log(f"step {name} begins")
        return Section(data, self._path)

    def archive(self, name: str) -> None:
        """Move what a step left in the trial's folders to steps/<name>/."""
        for folder in FOLDERS:
            target = self._path / "steps" / name / folder
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._path / folder, target)
            (self._path / folder).mkdir()

    def finish(self) -> TrialResult:
        """Scrub the secrets, then write result.json."""
        self._data["finished_at"] = now()
        scrub_folder(self._path, self._secrets)
        text = scrub(json.dumps(finite(self._data), indent=2, ensure_ascii=False, default=str), self._secrets)
        write_whole(self._path / "result.json", f"{text}\n")
        return TrialResult(self._path, json.loads(text))
