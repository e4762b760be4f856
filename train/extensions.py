"""What DeepSpeed compiles when it is first needed on a machine: where that is kept, and who waits for whom.

Torch compiles such code in a folder that all environments of a user share, so two of them compile over each
other; and it marks the folder with a file while it does. Killed in these minutes it leaves the file behind,
and every later start waits for it without a word, for ever.
"""

import fcntl
import hashlib
import os
import sys
from pathlib import Path

NEVER_USED = "deepspeed_shm_comm"
"""Adds up tensors in shared memory when a model answers on CPUs. Training does not, but compiles it."""


def prepare() -> None:
    """To be called before DeepSpeed is asked for anything: it compiles on demand from then on.

    What is compiled lies in TORCH_EXTENSIONS_DIR, by default a folder of this Python environment's own.
    """
    import deepspeed
    from torch.utils import cpp_extension

    deepspeed.ops.__compatible_ops__[NEVER_USED] = False
    place = Path(os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(folder())))
    place.mkdir(parents=True, exist_ok=True)
    if _can_lock(place):
        cpp_extension.FileBaton = Lock


class Lock:
    """Held by the one process that compiles; like torch's FileBaton, but gone with that process."""

    def __init__(self, path: str) -> None:
        # Not `path` itself: torch without this class takes that file, held or not, for a lock.
        self._file = os.open(f"{path}.flock", os.O_CREAT | os.O_RDWR, 0o600)

    def try_acquire(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self) -> None:
        """Until it was released, or its holder is gone."""
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self.release()

    def release(self) -> None:
        os.close(self._file)


def folder() -> Path:
    """Where it is kept if TORCH_EXTENSIONS_DIR does not say."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
    return home / "terminal-lego" / "compiled" / environment


def _can_lock(place: Path) -> bool:
    """Some file systems of clusters cannot; there torch's own way is better than none."""
    try:
        Lock(str(place / "try")).wait()
    except OSError:
        return False
    return True
