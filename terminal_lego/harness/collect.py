"""What a task wants kept of the container: collect hooks, then artifacts. Best effort, never an error."""

import shutil
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import InfrastructureError
from terminal_lego.json_files import write_json
from terminal_lego.task import Task
from terminal_lego.task_config import Artifact

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox

PUBLISHED = "/logs/artifacts"
"""The folder that is kept whatever the task asks for."""

MANIFEST = "manifest.json"


def collect_artifacts(sandbox: "Sandbox", task: Task, trial_dir: Path, log: Callable[[str], None]) -> None:
    """Run `[[verifier.collect]]`, copy `artifacts` to trial_dir/artifacts/<their absolute path>.

    An artifact whose place is taken, or lies in or around another's, is skipped. manifest.json lists every
    one with what became of it.
    """
    for hook in task.config.verifier.collect:
        try:
            result = sandbox.exec(hook.command, user=hook.user, timeout=hook.timeout_sec)
            log(f"collect hook ended with {result.exit_code}: {hook.command}")
        except InfrastructureError as error:
            log(f"collect hook failed: {error}")
    folder = trial_dir / "artifacts"
    taken = [folder / MANIFEST]
    entries = []
    for artifact in artifacts_of(task):
        place = place_of(artifact, folder)
        if any(place == other or place in other.parents or other in place.parents for other in taken):
            log(f"artifact skipped, its place is taken: {artifact.source}")
            entries.append(_entry(artifact, place, folder, "skipped"))
            continue
        taken.append(place)
        try:
            sandbox.download(artifact.source, place)
            _leave_out(place, artifact.exclude)
            status = "empty" if place.is_dir() and not any(place.iterdir()) else "ok"
        except InfrastructureError as error:
            log(f"artifact not kept: {error}")
            status = "failed"
        entries.append(_entry(artifact, place, folder, status if place.exists() else "failed"))
    write_json(folder / MANIFEST, entries)


def place_artifacts(sandbox: "Sandbox", task: Task, trial_dir: Path) -> None:
    """Copy what was collected to where it came from, in another container. Raises SandboxError."""
    for artifact in artifacts_of(task):
        place = place_of(artifact, trial_dir / "artifacts")
        if place.exists():
            sandbox.upload(place, artifact.source)


def artifacts_of(task: Task) -> list[Artifact]:
    """Those of the task, after the published folder."""
    named = [Artifact(source=entry) if isinstance(entry, str) else entry for entry in task.config.artifacts]
    published = [] if any(a.source.rstrip("/") == PUBLISHED for a in named) else [Artifact(source=PUBLISHED)]
    return [*published, *named]


def place_of(artifact: Artifact, folder: Path) -> Path:
    """Below `folder`, whatever the destination says."""
    place = PurePosixPath(artifact.destination or artifact.source)
    return folder.joinpath(*(part for part in place.parts if part not in ("/", "//", "..")))


def _leave_out(folder: Path, patterns: list[str]) -> None:
    """Remove what a pattern names by its path below `folder`, or by its last component."""
    for path in sorted(folder.rglob("*"), reverse=True) if patterns else ():
        names = (path.name, path.relative_to(folder).as_posix())
        if any(fnmatchcase(name, pattern.rstrip("/")) for pattern in patterns for name in names):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _entry(artifact: Artifact, place: Path, folder: Path, status: str) -> dict[str, Any]:
    is_folder = place.is_dir() if place.exists() else not PurePosixPath(artifact.source).suffix
    return {
        "source": artifact.source,
        "destination": (PurePosixPath("artifacts") / place.relative_to(folder)).as_posix(),
        "type": "directory" if is_folder else "file",
        "status": status,
        "service": artifact.service,
        "exclude": artifact.exclude if is_folder else [],
    }
