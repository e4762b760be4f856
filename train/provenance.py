"""What a run was made of: commit, packages, data digests, hardware. Never the environment or a secret."""

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
_SECRET = re.compile(r"(?:^|[._-])(?:key|token|secret|password)$", re.IGNORECASE)
_MASK = "***"


def masked(value: Any) -> Any:
    """`value` with every mapping entry whose key reads like a secret's replaced by `***`."""
    if isinstance(value, dict):
        return {key: _MASK if value[key] and _SECRET.search(key) else masked(value[key]) for key in value}
    return [masked(item) for item in value] if isinstance(value, list | tuple) else value


def masked_words(words: Sequence[str]) -> list[str]:
    """The same for command-line words of the form key=value."""
    keys = [word.partition("=")[0] for word in words]
    return [f"{key}={_MASK}" if _SECRET.search(key) else word for key, word in zip(keys, words, strict=True)]


def digest(path: Path) -> str:
    """sha256 of a file's bytes; of a folder: over the sorted relative paths and digests of its files."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(path).as_posix()}\0{digest(file)}\n".encode())
    return total.hexdigest()


def git_state(home: Path = HOME) -> tuple[dict[str, Any], str]:
    """(commit, whether anything is uncommitted, untracked files), and the uncommitted diff as text.

    Nothing is known where `home` is not itself the top of a checkout, as in site-packages.
    """
    top = _output("git", "-C", str(home), "rev-parse", "--show-toplevel")
    if not top or Path(top.strip()).resolve() != home.resolve():
        return {"commit": None, "is_dirty": None, "untracked": []}, ""
    commit = _output("git", "-C", str(home), "rev-parse", "--verify", "--quiet", "HEAD").strip() or None
    diff = _output("git", "-C", str(home), "diff", "HEAD", "--") if commit else ""
    untracked = _output("git", "-C", str(home), "ls-files", "--others", "--exclude-standard").splitlines()
    return {"commit": commit, "is_dirty": bool(diff or untracked), "untracked": untracked}, diff


def packages() -> dict[str, str]:
    """Versions of every installed distribution, by name."""
    found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def hardware() -> dict[str, Any]:
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": _output("nvidia-smi", *query).splitlines(),
    }


def software() -> dict[str, str]:
    return {"python": platform.python_version(), "os": platform.platform()}


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
