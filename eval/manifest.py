"""manifest.json: what an evaluation measures, written into its job before the first trial.

`conditions` and `tasks` decide what the figures mean: a job is resumed, merged or compared only with the
same ones. Name, groups and versions may differ.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from terminal_lego import __version__
from terminal_lego.errors import ConfigError
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.record import TrialSettings
from terminal_lego.json_files import write_json
from terminal_lego.task import Task

MANIFEST = "manifest.json"
HASHED_BYTES = 1 << 20


def manifest_of(
    name: str,
    tasks: Sequence[Task],
    agent: Agent,
    attempts: int,
    settings: TrialSettings,
    *,
    conditions: Mapping[str, Any] | None = None,
    groups: Callable[[str], str] | None = None,
    shard: str | None = None,
) -> dict[str, Any]:
    """What `evaluate` is about to run.

    Args:
        name: the student in tables.
        agent: one of those that will run; its `config` is part of the conditions.
        conditions: further ones, such as sampling.
    """
    manifest = {
        "name": name,
        "model": agent.model,
        "weights": weights_digest(agent.model),
        "shard": shard,
        "conditions": {
            "agent": agent.name,
            "agent_version": agent.version,
            "attempts": attempts,
            "timeout_multiplier": settings.timeout_multiplier,
            "hostname": settings.hostname,
            **flat(getattr(agent, "config", {})),
            **flat(conditions or {}),
        },
        "tasks": {task.name: task.checksum for task in tasks},
        "groups": {task.name: groups(task.name) for task in tasks} if groups else {},
        "made_with": {"terminal-lego": __version__, "python": platform.python_version()},
    }
    return json.loads(json.dumps(manifest))


def open_manifest(job_dir: Path, manifest: Mapping[str, Any]) -> None:
    """Write the job's manifest, or check it against the one that is there.

    Raises:
        ConfigError: the folder holds another evaluation, or the manifest in it is damaged.
    """
    if (job_dir / MANIFEST).exists():
        there = read_manifest(job_dir)
        differing = [*differences(there, manifest), *_identity(there, manifest)]
        if differing:
            raise ConfigError(
                f"{job_dir} holds an evaluation with another {', '.join(differing)}; "
                "run with the same settings to resume it, or choose another job_dir."
            )
    job_dir.mkdir(parents=True, exist_ok=True)
    write_json(job_dir / MANIFEST, manifest)


def read_manifest(job_dir: Path) -> dict[str, Any]:
    """Raises ConfigError when there is none, or it is damaged."""
    file = job_dir / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
        manifest["conditions"]["attempts"], manifest["tasks"].items()
    except FileNotFoundError:
        raise ConfigError(f"{file} is missing; give the folder of an evaluation.") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ConfigError(f"{file} is damaged ({error}); choose another folder.") from None
    return manifest


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of the conditions and tasks that two manifests do not share."""
    keys = _unequal(one["conditions"], other["conditions"])
    tasks = sorted(one["tasks"].keys() ^ other["tasks"].keys())
    if tasks:
        keys.append(f"set of tasks ({_some(tasks)})")
    both = one["tasks"].keys() & other["tasks"].keys()
    if changed := sorted(task for task in both if one["tasks"][task] != other["tasks"][task]):
        keys.append(f"content of tasks ({_some(changed)})")
    return keys


def weights_digest(model: str | None) -> str | None:
    """sha256 over names, sizes and both ends of the files in a model's folder; None for a name.

    Weights that were trained further differ in both ends, so gigabytes need not be read.
    """
    folder = Path(model) if model else None
    if folder is None or not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".safetensors", ".bin", ".json", ".jinja", ".model"):
            size = file.stat().st_size
            with file.open("rb") as content:
                head = content.read(HASHED_BYTES)
                content.seek(max(size - HASHED_BYTES, 0))
                digest.update(b"%b\0%d\0%b%b" % (file.name.encode(), size, head, content.read()))
    return digest.hexdigest()


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    return dict(_leaves(values))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _identity(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = ("model", "weights", "shard")
    return _unequal({key: one.get(key) for key in names}, {key: other.get(key) for key in names})


def _unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
