import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal_lego.harness import archive as module
from terminal_lego.harness.archive import unpack


def tar(*entries: tuple[str, bytes | None] | tarfile.TarInfo) -> Iterator[bytes]:
    """Files, folders (None) and anything else, as the engine would send them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as file:
        for entry in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry[0])
            content = b"" if isinstance(entry, tarfile.TarInfo) else entry[1]
            info.size = len(content or b"")
            if content is None:
                info.type = tarfile.DIRTYPE
            file.addfile(info, io.BytesIO(content or b""))
    yield buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def found(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_leaves_the_folder(tmp_path):
    hostile = [
        ("logs/../../up", b"x"),
        ("/logs/absolute", b"x"),
        special("logs/link", tarfile.SYMTYPE, "/etc"),
        ("logs/link/below", b"x"),
        special("logs/hard", tarfile.LNKTYPE, "/etc/passwd"),
        special("logs/device", tarfile.CHRTYPE),
        special("logs/pipe", tarfile.FIFOTYPE),
        ("logs/plain", b"kept"),
    ]
    unpack(tar(*hostile), tmp_path / "dest")
    assert found(tmp_path) == {"dest/link/below": b"x", "dest/logs/absolute": b"x", "dest/plain": b"kept"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_names_that_clash_or_are_too_long_are_left_out(tmp_path):
    entries = [("d/a", b"1"), ("d/a/b", b"2"), ("d/a", b"3"), (f"d/{'n' * 300}", b"4"), ("d/c", b"5")]
    unpack(tar(*entries), tmp_path)
    assert found(tmp_path) == {"a": b"1", "c": b"5"}


@pytest.mark.parametrize(
    ("limit", "value", "kept"),
    [("MEMBER_BYTES", 5, {"a", "c"}), ("TOTAL_BYTES", 8, {"a", "c"}), ("TOTAL_MEMBERS", 1, {"a"})],
)
def test_a_container_cannot_fill_the_disk(tmp_path, monkeypatch, limit, value, kept):
    monkeypatch.setattr(module, limit, value)
    unpack(tar(("d/a", b"12345"), ("d/b", b"123456"), ("d/c", b"123")), tmp_path)
    assert found(tmp_path).keys() == kept
