"""Files into and out of a container, as tar streams. Everything that goes in belongs to root."""

import errno
import io
import itertools
import shutil
import tarfile
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

MEMBER_BYTES = 64 * 1024 * 1024
TOTAL_BYTES = 1024 * 1024 * 1024
TOTAL_MEMBERS = 100_000


def pack(sources: dict[str, Path]) -> IO[bytes]:
    """A tar to be unpacked at `/`.

    Args:
        sources: place in the container -> file, or folder whose contents go there. Executable bits,
            links and modification times are kept; scripts of tests and solution are always executable.
    """
    buffer = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for place, source in sources.items():
            for path, name in _members(source, PurePosixPath(place)):
                tar.add(path, str(name).lstrip("/"), recursive=False, filter=_owned_by_root)
    buffer.seek(0)
    return buffer


def unpack(chunks: Iterator[bytes], dest: Path, only: Container[str] | None = None) -> None:
    """Write the files of a tar whose first component stands for `dest`.

    Only folders and regular files up to 64 MiB, 1 GiB and 100,000 entries in all: links and devices of a
    container mean nothing here, and a container cannot fill the host's disk. A file that is already there
    is kept, so a container can never replace what the host has recorded; a name this host cannot hold is
    left out.

    Args:
        only: names directly below `dest` to take; None for all.
    """
    room = TOTAL_BYTES
    with tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks)), mode="r|") as tar:
        for member in itertools.islice(tar, TOTAL_MEMBERS):
            parts = PurePosixPath(member.name).parts[1:]
            unwanted = only is not None and (not parts or parts[0] not in only)
            if unwanted or ".." in parts:
                continue
            size = member.size if member.isreg() else 0
            if size > min(MEMBER_BYTES, room) or not (member.isreg() or member.isdir()):
                continue
            try:
                _write(tar, member, dest.joinpath(*parts))
            except (FileExistsError, NotADirectoryError):
                continue
            except OSError as error:
                if error.errno not in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
                    raise
            room -= size


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)


def _members(source: Path, place: PurePosixPath) -> Iterator[tuple[Path, PurePosixPath]]:
    if not source.is_dir():
        yield source, place
        return
    for path in sorted(source.rglob("*")):
        yield path, place / path.relative_to(source).as_posix()


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    if not entry.issym():
        is_script = entry.name.startswith(("tests/", "solution/")) and entry.name.endswith(".sh")
        runs = entry.isdir() or entry.mode & 0o100 or is_script
        entry.mode = 0o755 if runs else 0o644
    return entry


class _Chunks(io.RawIOBase):
    """A byte iterator as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]):
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
