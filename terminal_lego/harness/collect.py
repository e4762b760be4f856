"""What a task wants kept of the container: collect hooks, then artifacts. Best effort, never an error."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from terminal_lego.errors import InfrastructureError
from terminal_lego.task import Task
from terminal_lego.task_config import Artifact

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox


def collect_artifacts(sandbox: "Sandbox", task: Task, trial_dir: Path, log: Callable[[str], None]) -> None:
    """Run `[[verifier.collect]]` and copy `artifacts` to trial_dir/artifacts/<their absolute path>."""
    for hook in task.config.verifier.collect:
        try:
            result = sandbox.exec(hook.command, user=hook.user, timeout=hook.timeout_sec)
            log(f"collect hook ended with {result.exit_code}: {hook.command}")
        except InfrastructureError as error:
            log(f"collect hook failed: {error}")
    for artifact in task.config.artifacts:
        entry = Artifact(source=artifact) if isinstance(artifact, str) else artifact
        place = PurePosixPath(entry.destination or entry.source)
        parts = [part for part in place.parts if part not in ("/", "..")]
        try:
            sandbox.download(entry.source, trial_dir.joinpath("artifacts", *parts))
        except InfrastructureError as error:
            log(f"artifact not kept: {error}")
