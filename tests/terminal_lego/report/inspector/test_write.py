import base64
import gzip
import json
import re
import weakref
from collections.abc import Iterator

import pytest

from terminal_lego.errors import RenderError
from terminal_lego.report.inspector import Entry, ReplyTokens, write_inspector
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.report.inspector.made import port_change, selection


def test_bodies_and_index_agree(tmp_path):
    html = write_inspector(selection(), tmp_path / "new" / "page.html", title="Some").read_text("utf-8")
    packed = re.findall(r'class="body">([^<]*)<', html)
    bodies = [json.loads(gzip.decompress(base64.b64decode(text))) for text in packed]
    index = json.loads(re.search(r'id="index">([^<]*)<', html)[1])
    assert [entry["turns"] for entry in index] == [len(body["turns"]) for body in bodies] == [4, 4, 2]


def test_the_same_entries_give_the_same_bytes(tmp_path):
    pages = [write_inspector(selection(), tmp_path / name, title="Some").read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_entries_are_not_kept(tmp_path):
    seen: list[weakref.ref] = []
    alive: list[int] = []

    def entries() -> Iterator[Entry]:
        for _ in range(6):
            alive.append(sum(ref() is not None for ref in seen))
            entry = port_change()
            seen.append(weakref.ref(entry.trajectory))
            yield entry
            del entry

    write_inspector(entries(), tmp_path / "page.html", title="Some")
    assert max(alive) <= 1


def test_a_failure_leaves_the_page_that_was_there(tmp_path):
    path = write_inspector(selection(), tmp_path / "page.html", title="Before")
    before = path.read_bytes()
    wrong = Entry(Trajectory("i", "t", "m", "", (Turn("hello"),)), replies=[ReplyTokens([1], [1.0])])
    with pytest.raises(RenderError):
        write_inspector([port_change(), wrong], path, title="After")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_in_the_page_points_outside(tmp_path):
    html = write_inspector(selection(), tmp_path / "page.html", title="Some").read_text("utf-8")
    assert not re.search(r"<(?:link|img|iframe|base)\b|\b(?:src|href)=|@import|url\(|fetch\(", html)
    assert "default-src &#39;none&#39;" in html
