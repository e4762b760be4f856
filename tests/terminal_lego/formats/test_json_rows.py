"""Big JSON files are read piece by piece, and as `json.loads` would read them whole."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import SetAside, iter_trajectories, json_rows, read_trajectories
from terminal_lego.formats.json_rows import json_rows as rows

ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
FEW = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small(monkeypatch):
    """Read in pieces of so many bytes."""
    return lambda chunk: monkeypatch.setattr(json_rows, "_CHUNK", chunk)


@FEW
@given(st.lists(values, max_size=6), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_a_list_in_pieces_is_the_list(tmp_path, small, items, chunk, indent, ascii_only):
    small(chunk)
    file = tmp_path / "list.json"
    file.write_text(json.dumps(items, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    found = list(rows(file))
    assert [value for _, value in found] == items
    assert [place for place, _ in found] == [f":{number}" for number in range(1, len(items) + 1)]


@FEW
@given(values.filter(lambda value: not isinstance(value, list)), st.integers(1, 40))
def test_a_document_in_pieces_is_the_document(tmp_path, small, value, chunk):
    small(chunk)
    file = tmp_path / "one.json"
    file.write_text(f" \n{json.dumps(value)}\n ", encoding="utf-8")
    assert list(rows(file)) == [("", value)]


@FEW
@given(st.lists(values, min_size=1, max_size=4), st.integers(1, 40), st.data())
def test_a_list_that_breaks_off_gives_nothing(tmp_path, small, items, chunk, data):
    small(chunk)
    text = json.dumps(items)
    end = data.draw(st.integers(1, len(text) - 1))
    file = tmp_path / "list.json"
    file.write_text(text[:end], encoding="utf-8")
    met = []
    with pytest.raises(TrajectoryError):
        met.extend(rows(file))
    assert met == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"a": 1} {"b": 2}]', "breaks off after item 1"),
        ("[1,]", "Expecting value"),
        ("[1, 2", "breaks off after item 2"),
        ('[1, "\ud800"]', "not UTF-8"),
        ("[" + "9" * 5000 + "]", "not valid JSON"),
        (f"[{'1, ' * 60}x{', 1' * 60}]", "(character 181)"),
        ("", "Expecting value"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, small, text, why):
    small(16)
    file = tmp_path / "list.json"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(TrajectoryError) as caught:
        list(rows(file))
    assert why in str(caught.value)


def test_lists_one_after_another_are_lines(tmp_path, small):
    small(8)
    (tmp_path / "lines.json").write_text('["a"]\n["b"]\n')
    assert list(rows(tmp_path / "lines.json")) == [(":1", b'["a"]'), (":2", b'["b"]')]


def test_a_long_line_is_set_aside_and_the_next_one_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "MAX_ROW", 1000)
    lines = [json.dumps(ROW), "x" * 1001, json.dumps(ROW), "y" * 5000]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    result = read_trajectories(tmp_path / "rows.jsonl")
    assert [trajectory.id for trajectory in result.trajectories] == ["rows.jsonl:1", "rows.jsonl:3"]
    assert [entry.source.rpartition(":")[2] for entry in result.set_aside] == ["2", "4"]
    assert all("larger than" in entry.reason for entry in result.set_aside)


def test_a_long_item_takes_its_list_with_it(tmp_path, small, monkeypatch):
    small(100)
    monkeypatch.setattr(json_rows, "MAX_ROW", 1000)
    (tmp_path / "list.json").write_text(json.dumps([ROW, "x" * 5000, ROW]))
    result = read_trajectories(tmp_path / "list.json")
    assert result.trajectories == []
    assert [entry.reason for entry in result.set_aside] == [
        f"not readable: the value at character {len(json.dumps(ROW)) + 3} is {json_rows.TOO_LARGE}"
    ]


@pytest.mark.parametrize("name", ["many.json", "many.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, small, name):
    small(2**16)
    text = "x" * 20_000
    row = json.dumps(
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]}
    )
    whole = f"[{', '.join([row] * 600)}]" if name == "many.json" else f"{row}\n" * 600
    (tmp_path / name).write_text(whole)
    del whole
    tracemalloc.start()
    count = sum(not isinstance(found, SetAside) for found in iter_trajectories(tmp_path / name))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 600
    assert (tmp_path / name).stat().st_size > 24e6
    assert peak < 4e6
