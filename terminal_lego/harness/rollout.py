"""Collecting a teacher's trajectories: a job like any other, whose calls are paid for."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from terminal_lego.errors import ModelUnavailableError
from terminal_lego.harness.add_on import AddOn, Teacher
from terminal_lego.harness.harbor_wheel import harbor_profile
from terminal_lego.harness.job import JobResult, run_job, trial_name
from terminal_lego.harness.metered import MeteredClient
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.record import TrialResult, TrialSettings, read_result
from terminal_lego.harness.rollout_config import RolloutConfig
from terminal_lego.harness.spending import Spending
from terminal_lego.task import find_tasks

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Rollout", "RolloutConfig"]

CALLS = "calls.log"
LOSSES_PER_WORKER = 2


class Rollout:
    """What is to be collected, and where it goes.

    Attributes:
        path: the job's folder, a source of trajectories.
        planned: trials of the whole job.
        spending: of all runs of the job so far.

    Raises:
        ConfigError: a setting that cannot work, or a key that is not there.
        TaskError: there is no task, or one is not valid.
    """

    def __init__(self, config: RolloutConfig) -> None:
        self._config = config
        self._tasks = find_tasks(str(config.tasks))
        self._profile = _profile(config)
        self._add_on = AddOn.read(config.add_on) if config.add_on else None
        self.path = config.folder
        self.planned = len(self._tasks) * config.attempts
        self.spending = Spending(self.path / CALLS, config.prices, config.max_cost)
        self._lost_in_a_row, self._loss = 0, ""
        self._lock = threading.Lock()
        url, key = config.server
        self._client = MeteredClient(
            str(config.teacher),
            url,
            spending=self.spending,
            api_key_env=key,
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            max_input_tokens=config.max_input_tokens,
            extra_body=config.extra_body,
        )

    @property
    def kept(self) -> int:
        """Trials that are done already."""
        names = (trial_name(task, n + 1) for n in range(self._config.attempts) for task in self._tasks)
        found = (read_result(self.path / name) for name in names)
        return sum(result is not None and not result.is_infrastructure_error for result in found)

    @property
    def stopped(self) -> str | None:
        """Why no further trial begins; None when they may."""
        if self._lost_in_a_row >= LOSSES_PER_WORKER * self._config.concurrency:
            return f"the last {self._lost_in_a_row} trials got no answer from the teacher: {self._loss}"
        return self.spending.enough

    def run(
        self, on_trial: Callable[[TrialResult], None] | None = None, client: "DockerClient | None" = None
    ) -> JobResult:
        """Run what is missing, as far as `stopped` lets it; see `run_job`."""

        def make_agent() -> Teacher:
            return Teacher(
                self._client,
                self._profile,
                self._config.max_turns,
                add_on=self._add_on,
                sampling=self._config.sampling,
            )

        def note(trial: TrialResult) -> None:
            self._note(trial)
            if on_trial:
                on_trial(trial)

        return run_job(
            self._tasks,
            make_agent,
            self.path,
            attempts=self._config.attempts,
            concurrency=self._config.concurrency,
            settings=TrialSettings(timeout_multiplier=self._config.timeout_multiplier),
            enough=lambda: self.stopped is not None,
            on_trial=note,
            client=client,
        )

    def _note(self, trial: TrialResult) -> None:
        with self._lock:
            if trial.exception_type == ModelUnavailableError.__name__:
                self._lost_in_a_row += 1
                self._loss = trial.data["exception_info"]["exception_message"]
            else:
                self._lost_in_a_row = 0


def _profile(config: RolloutConfig) -> Profile:
    if config.profile == "native":
        return Profile.native(config.parser)
    if config.profile == "harbor":
        return harbor_profile(config.parser, config.wheel)
    return Profile.load(config.profile)
