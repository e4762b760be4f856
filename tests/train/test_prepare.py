import json
from dataclasses import replace
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.formats import write_parquet
from terminal_lego.trajectory import Turn
from tests.train.scripted import conversations
from train import compose
from train.pipeline import run
from train.prepare import cache_folder, prepare
from train.sft import load_tokenizer

LIGHT = ("student=tiny", "evaluation=skip", "tracking=local")
LOOK = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "ls\\n", "duration": 0.1}]}'


@pytest.fixture
def made(tmp_path):
    """Prepares twelve conversations with settings of one's own."""
    path = tmp_path / "rows.parquet"
    trajectories = conversations(12)
    write_parquet(trajectories, path)

    def make(*words: str, digests=("d",), given=trajectories):
        config = compose.load(
            [*LIGHT, f"data.path={path}", f"cache_dir={tmp_path / 'cache'}", "sft.max_length=512", *words]
        )
        return prepare(given, load_tokenizer(config.student), config, digests)

    return make


def test_the_second_time_tokens_and_account_come_from_the_cache(made):
    first, second = made(), made()
    assert (first.was_cached, second.was_cached) == (False, True)
    assert first.key == second.key
    assert list(first.examples) == list(second.examples)
    assert (first.funnel, first.losses, first.dropped) == (second.funnel, second.losses, second.dropped)
    assert first.coverage == second.coverage


@pytest.mark.parametrize(
    "word", ["mask=observation_turns", "selection.limit=3", "sft.max_length=511", "selection.seed=1"]
)
def test_another_setting_is_another_key(made, word):
    assert made(word).key != made().key


def test_other_data_is_another_key(made):
    assert made(digests=("e",)).key != made().key


def test_a_setting_that_shapes_no_token_keeps_the_key(made):
    assert made("sft.learning_rate=0.5", "sft.seed=3").key == made().key


def test_every_trajectory_is_trained_on_or_has_a_reason(made):
    given = conversations(12)
    given[0] = replace(given[0], reward=0.0)
    given[1] = replace(given[1], turns=(Turn("<|im_end|>", "o"), *given[1].turns))
    given[2] = replace(given[2], turns=(Turn(LOOK, "long " * 600), *given[2].turns))
    prepared = made(given=given)
    reasons = dict(prepared.dropped)
    assert reasons == {
        given[0].id: "failed",
        given[1].id: "a reply holds the text of a special token",
        given[2].id: "longer than 512 tokens",
    }
    assert len(prepared.examples) == 9
    assert prepared.funnel[-1].kept == 9
    assert {row.step for row in prepared.losses} >= {"render", "length: 512 tokens"}


def test_a_matched_selection_counts_tokens_before_it_trains(made):
    given = [replace(t, model=model, id=f"{model}{t.id}") for model in ("a", "b") for t in conversations(3)]
    long = replace(given[0], turns=(Turn(LOOK, "long " * 600), *given[0].turns))
    prepared = made("selection=matched", "teacher=b", given=[long, *given[1:]])
    assert len(prepared.examples) == 2
    assert all(example.id.startswith("b") for example in prepared.examples)


@pytest.mark.parametrize("name", sorted(path.stem for path in (compose.CONF / "mask").glob("*.yaml")))
def test_every_mask_prepares(made, name):
    looked = [replace(t, turns=(Turn(LOOK, "a\n"), *t.turns)) for t in conversations(12)]
    prepared = made(f"mask={name}", given=looked)
    rows = {row.part: row for row in prepared.coverage}
    assert 0 < rows["all tokens"].share < 1
    assert rows["user"].trained == 0
    looks = rows.get("observation commands")
    if name == "observation_commands":
        assert looks.trained == 0
    if name == "observation_turns":  # looks in replies that act, too, stay
        assert looks.trained < looks.tokens
    if name in ("none", "parse_errors", "warned_turns", "failed_commands"):
        assert looks.trained == looks.tokens


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (compose.CONF / "selection").glob("*.yaml") if path.stem != "failed")
)
def test_every_selection_composes(made, name):
    given = [replace(t, model=model, id=f"{model}{t.id}") for model in ("a", "b") for t in conversations(6)]
    given += [replace(t, id=f"again{t.id}", turns=(Turn(LOOK, "a\n"), *t.turns)) for t in given]
    assert len(made(f"selection={name}", given=given).examples) > 0


def test_dropped_rows_and_an_unusual_mask_are_told(made, tmp_path, capsys):
    words = ("dry_run=true", "mask.least=0.99", "selection.limit=5", f"run_dir={tmp_path / 'run'}")
    run(compose.load([*LIGHT, f"data.path={tmp_path / 'rows.parquet'}", *words]))
    printed = " ".join(capsys.readouterr().out.split())
    assert "outside the expected 99.0% to 100.0%" in printed
    rows = [json.loads(line) for line in (tmp_path / "run" / "dropped.jsonl").read_text().splitlines()]
    assert len(rows) == 7
    assert {row["reason"] for row in rows} == {"not drawn"}


def test_the_cache_lies_where_caches_lie(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder(None) == Path("/x/terminal-lego/tokens")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(None) == Path.home() / ".cache/terminal-lego/tokens"
    assert cache_folder("~/c") == Path.home() / "c"


def test_a_benchmark_that_is_no_folder_is_refused(made):
    with pytest.raises(ConfigError, match="is no folder"):
        made("selection.decontaminate=/no/such")
