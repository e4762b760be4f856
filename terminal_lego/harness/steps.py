"""A task of several steps: one container, one agent run and one verdict per step."""

from collections import defaultdict
from collections.abc import Callable
from shlex import quote
from typing import TYPE_CHECKING

from terminal_lego.errors import InfrastructureError, StepSetupError
from terminal_lego.harness.healthcheck import wait_until_healthy
from terminal_lego.task import Task
from terminal_lego.task_config import Step

if TYPE_CHECKING:
    from terminal_lego.harness.attempt import Attempt
    from terminal_lego.harness.record import Section, TrialRecord
    from terminal_lego.harness.sandbox import DockerSandbox

# The next agent finds no trace of the last grading. Links are removed, not followed.
FOLDERS = "/logs/agent /logs/verifier /logs/artifacts"
RESET = f"rm -rf /tests /solution {FOLDERS}; mkdir -p {FOLDERS}; chmod 777 {FOLDERS}"
RESET_SECONDS = 60
SETUP_SECONDS = 600


def run_steps(
    task: Task,
    sandbox: "DockerSandbox",
    record: "TrialRecord",
    make_attempt: "Callable[[Task, Section, bool], Attempt]",
) -> None:
    """Run the steps until one ends without a verdict, or below its `min_reward`.

    The trial's rewards are the mean per name over the steps that have any, a missing name counting as 0, or
    those of the last step that ran. Raises what cost a step its verdict: the trial then has none either.
    """
    verdicts = []
    for index, (step, part) in enumerate(zip(task.config.steps, task.steps, strict=True)):
        section = record.step(step.name)
        try:
            _prepare(part, sandbox, is_first=index == 0)
            make_attempt(part, section, part is task.steps[-1]).run(sandbox)
        except Exception as error:
            section.fail(error)
            raise
        finally:
            record.archive(step.name)
        verdicts.append(section.verdict or {})
        if missed := _missed(step, verdicts[-1]):
            record.log(f"step {step.name}: {missed}; the steps after it are left out")
            break
    final = task.config.multi_step_reward_strategy == "final"
    record.rewards(verdicts[-1] if final else mean_rewards(verdicts))


def mean_rewards(verdicts: list[dict[str, float]]) -> dict[str, float]:
    """Per name; one that a verdict does not have counts as 0 there."""
    sums: defaultdict[str, float] = defaultdict(float)
    for verdict in verdicts:
        for name, value in verdict.items():
            sums[name] += value
    return {name: total / len(verdicts) for name, total in sums.items()}


def _missed(step: Step, rewards: dict[str, float]) -> str | None:
    """The first reward that is below what the step asks for."""
    least = step.min_reward
    wanted = least if isinstance(least, dict) else {} if least is None else {"reward": least}
    for name, value in wanted.items():
        if rewards.get(name, float("-inf")) < value:
            return f"{name} is {rewards.get(name)}, below min_reward {value:g}"
    return None


def _prepare(part: Task, sandbox: "DockerSandbox", is_first: bool) -> None:
    """Clean what the step before left, add the step's own files, run its setup.sh and its health check."""
    if not is_first:
        sandbox.exec(RESET, user="root", timeout=RESET_SECONDS)
    if part.workdir:
        sandbox.upload(part.workdir, sandbox.workdir)
        if (part.workdir / "setup.sh").is_file():
            script = f"bash {quote(sandbox.workdir.rstrip('/') + '/setup.sh')}"
            try:
                result = sandbox.exec(script, user=part.config.agent.user, timeout=SETUP_SECONDS)
            except InfrastructureError as error:
                raise StepSetupError(f"{part.step}: setup.sh could not be run: {error}") from error
            if result.exit_code:
                raise StepSetupError(
                    f"{part.step}: setup.sh ended with {result.exit_code}: {result.output[-1000:]}"
                )
    if check := part.config.environment.healthcheck:
        wait_until_healthy(sandbox, check)
