import os
import shutil
import signal
import subprocess
import sys
from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from terminal_lego.rendering import cache
from terminal_lego.rendering.cache import ROWS_PER_BATCH, TokenCache, cache_key
from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import MaskConfig, Part, TurnMask
from terminal_lego.rendering.render import render
from tests.terminal_lego.rendering.samples import QUICKSTART, ROOT, TOKENIZERS, chat

GIVEN = {"sources": ["a", "b"], "selection": {"outcome": "passed"}, "limits": {"sft.max_length": 10}}


def tokenizer(**changed):
    return AutoTokenizer.from_pretrained(QUICKSTART, **changed)


def key(student=None, mask=None, **changed) -> str:
    return cache_key(student or tokenizer(), mask or MaskConfig(), **GIVEN | changed)


def examples(count: int) -> list[Example]:
    made = []
    for number in range(count):
        turns = [TurnMask(0.5, (Part(0, 3, "action"), Part(3, 4, "observation", 0.0))), TurnMask()]
        messages = chat("reply é🦜", f"number {number}" * (1 + number % 3))
        made.append(render(messages, TOKENIZERS["small"], id=f"é {number}", turns=turns))
    return made


def test_the_key_is_the_same_for_the_same_and_another_for_anything_else():
    with_word = tokenizer()
    with_word.add_tokens("word")
    other_end = tokenizer(eos_token="<|endoftext|>")
    keys = [
        key(),
        key(tokenizer(chat_template=tokenizer().chat_template + " ")),
        key(with_word),
        key(other_end),
        key(mask=MaskConfig(["observation"])),
        key(mask=MaskConfig(["observation"], unit="span")),
        key(sources=["a", "c"]),
        key(sources=["b", "a"]),
        key(selection={"outcome": "all"}),
        key(limits={"sft.max_length": 11}),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


def test_using_a_tokenizer_does_not_change_its_key():
    used = tokenizer()
    used(["a text", "b"], truncation=True, max_length=1, padding=True)
    assert key(used) == key()


@pytest.mark.parametrize("file", ["rendering/render.py", "grounding/failures.toml", "reply.py"])
def test_the_key_follows_the_code(file, tmp_path, monkeypatch):
    before = key()
    shutil.copytree(cache.PACKAGE, tmp_path / "package", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "PACKAGE", tmp_path / "package")
    assert key() == before
    changed = tmp_path / "package" / file
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert key() != before


def test_what_is_read_back_is_what_was_written(tmp_path):
    written = examples(2 * ROWS_PER_BATCH + 3)
    folder = TokenCache(tmp_path / "cache")
    assert folder.open("k") is None
    fresh = folder.write("k", iter(written))
    found = folder.open("k")
    for stored in (fresh, found):
        assert list(stored) == written
        assert len(stored) == len(written)
        assert stored[ROWS_PER_BATCH] == written[ROWS_PER_BATCH]
        assert stored[-1] == written[-1]
        assert stored[62:67] == written[62:67]
        assert stored.trained_tokens == sum(each.trained_tokens for each in written)
        assert list(stored.lengths) == [len(each.input_ids) for each in written]
    with pytest.raises(IndexError):
        found[len(written)]
    assert (found[0].input_ids.typecode, found[0].weights.typecode) == ("i", "f")
    assert found[0].parts


@given(
    weights=st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=9), max_size=4),
)
@settings(deadline=None, max_examples=40)
def test_weights_survive_as_runs(weights, tmp_path_factory):
    written = [
        Example(str(index), array("i", range(len(own))), array("f", own), (Span("user", 0, 0, len(own)),))
        for index, own in enumerate(weights)
    ]
    stored = TokenCache(tmp_path_factory.mktemp("cache")).write("k", written)
    assert list(stored) == written
    assert stored.trained_tokens == sum(each.trained_tokens for each in written)


def test_a_data_set_is_mapped_from_the_file(tmp_path):
    written = examples(5)
    stored = TokenCache(tmp_path).write("k", written)
    rows = stored.dataset()
    assert rows.column_names == ["input_ids", "labels"]
    assert rows["labels"][:] == [list(each.labels) for each in written]
    assert rows[3]["input_ids"] == list(written[3].input_ids)
    assert [file["filename"] for file in rows.cache_files] == [str(stored.path)]


def test_notes_are_taken_last_and_kept_with_the_examples(tmp_path):
    taken = []
    folder = TokenCache(tmp_path)
    given = (taken.append(each) or each for each in examples(3))
    fresh = folder.write("k", given, lambda: {"taken": len(taken), "pair": ("é", float("nan"))})
    assert fresh.notes == folder.open("k").notes == {"taken": 3, "pair": ["é", None]}
    assert folder.write("other", []).notes == {}
    assert len(folder.open("other")) == 0


def test_other_keys_hold_other_examples(tmp_path):
    folder = TokenCache(tmp_path)
    folder.write("one", examples(1))
    folder.write("two", examples(2))
    assert [len(folder.open(name)) for name in ("one", "two")] == [1, 2]


@pytest.mark.parametrize(
    "damage", ["torn", "altered", "no voucher", "torn voucher", "no file", "another's voucher", "other notes"]
)
def test_a_damaged_file_is_not_trusted_and_can_be_written_again(tmp_path, damage):
    folder, written = TokenCache(tmp_path), examples(3)
    path = folder.write("k", written).path
    voucher = path.with_suffix(".json")
    content = path.read_bytes()
    match damage:
        case "torn":
            path.write_bytes(content[:-100])
        case "altered":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        case "no voucher":
            voucher.unlink()
        case "torn voucher":
            voucher.write_text(voucher.read_text()[:-20])
        case "no file":
            path.unlink()
        case "other notes":
            voucher.write_text(voucher.read_text().replace('"notes": {}', '"notes": {"more": 1}'))
        case "another's voucher":
            other = folder.write("other", examples(1)).path.with_suffix(".json")
            voucher.write_text(other.read_text())
    assert folder.open("k") is None
    assert list(folder.write("k", written)) == written
    assert list(folder.open("k")) == written


def test_an_error_while_writing_leaves_nothing_behind(tmp_path):
    def failing():
        yield from examples(2)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        TokenCache(tmp_path).write("k", failing())
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.terminal_lego.rendering.test_cache import examples
from terminal_lego.rendering.cache import ROWS_PER_BATCH, TokenCache

def some():
    yield from examples(ROWS_PER_BATCH + 1)
    os.kill(os.getpid(), signal.SIGKILL)

TokenCache(Path(sys.argv[1])).write("k", some())
"""


@pytest.mark.parametrize("before", [False, True])
def test_a_writer_that_was_killed_leaves_what_was_there_before(tmp_path, before):
    folder, written = TokenCache(tmp_path), examples(3)
    if before:
        folder.write("k", written)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], env=environment, cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (folder.open("k") is not None) == before
    assert list(folder.write("k", written)) == list(folder.open("k")) == written


def test_a_cached_example_is_as_good_as_a_fresh_one(tmp_path):
    fresh = examples(1)[0]
    stored = TokenCache(tmp_path).write("k", [fresh])[0]
    assert replace(stored, id="x") == replace(fresh, id="x")
    assert stored.labels == fresh.labels
    assert np.asarray(stored.weights).dtype == np.float32
