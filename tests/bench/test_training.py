import json
import sys
from dataclasses import replace

import pytest

from bench import bare_loop, llama_factory, training, training_report, trl_training
from bench.__main__ import main
from bench.clock import Took
from bench.training import LLAMA_FACTORY, OURS, TRL, Side
from bench.workload import (
    SMALL,
    TINY,
    TINY_STUDENT,
    Trained,
    clocked_tokens,
    examples,
    make_base,
    sequences,
    settings,
    trajectories,
)
from terminal_lego.rendering.example import IGNORED

WORK = replace(TINY, conversations=16, batch=4, room=600, warm_up=1)


@pytest.fixture(scope="module")
def given():
    return examples(trajectories(WORK)[0])


def test_no_held_out_conversation_is_trained_on():
    trained, held_out = trajectories(WORK)
    assert len(trained) == WORK.conversations
    assert held_out and not {each.id for each in trained} & {each.id for each in held_out}


@pytest.mark.parametrize("packed", [False, True])
def test_every_conversation_is_trained_on_once(given, packed):
    lengths = [len(example.input_ids) for example in given]
    config = settings(WORK, packed)
    order = sequences(lengths, config)
    assert sorted(row for rows in order for row in rows) == list(range(len(given)))
    assert max(sum(lengths[row] for row in rows) for rows in order) <= WORK.room
    before = order[: WORK.warm_up * config.batch_size]
    assert sum(lengths[row] for rows in before for row in rows) + clocked_tokens(
        lengths, WORK, config
    ) == sum(lengths)


def test_all_sides_start_from_the_same_loss_and_read_the_same_tokens():
    ours, packed = (training.train(WORK, TINY_STUDENT, packed) for packed in (False, True))
    theirs, their_packs = (trl_training.train(WORK, TINY_STUDENT, packed) for packed in (False, True))
    tokens = [each.all_tokens for each in (ours, packed, theirs, their_packs)]
    assert tokens == [tokens[0]] * 4
    assert ours.tokens == theirs.tokens
    assert theirs.loss == pytest.approx(ours.loss, rel=1e-4)
    assert theirs.held_out == pytest.approx(ours.held_out, rel=1e-3)
    assert their_packs.held_out == pytest.approx(packed.held_out, rel=0.1)
    assert min(each.took.cpu for each in (ours, packed, theirs, their_packs)) > 0


def test_the_bare_loop_learns_what_ours_learns(given):
    ours = training.train(WORK, TINY_STUDENT, packed=True)
    took, loss = bare_loop.bare(given, TINY_STUDENT, settings(WORK, packed=True), WORK.warm_up)
    assert loss == pytest.approx(ours.loss, rel=1e-5)
    assert took.seconds > 0


def test_the_small_student_is_mostly_layers(tmp_path):
    from transformers import AutoConfig

    from train.model_shape import shape_of

    base = make_base(replace(SMALL, layers=1), tmp_path)
    shape = replace(shape_of(AutoConfig.from_pretrained(base)), layers=SMALL.layers)
    assert 45e6 < shape.parameters < 55e6
    assert shape.table_parameters < shape.parameters / 50
    assert make_base(replace(SMALL, layers=1), tmp_path) == base


def test_llama_factory_is_given_our_rows_in_our_order(given, tmp_path):
    from datasets import load_from_disk

    config = settings(WORK, packed=False)
    llama_factory.write(tmp_path, TINY_STUDENT, given, config)
    rows = load_from_disk(tmp_path / "rows")
    order = [rows for [rows] in sequences([len(each.input_ids) for each in given], config)]
    assert [row["input_ids"] for row in rows] == [list(given[index].input_ids) for index in order]
    assert [row["labels"] for row in rows] == [list(given[index].labels) for index in order]
    told = json.loads((tmp_path / "settings.json").read_text())
    assert told["tokenized_path"] == str(tmp_path / "rows")
    assert told["disable_shuffling"] and not told["neat_packing"]
    assert told["per_device_train_batch_size"] == WORK.batch


def test_a_pack_for_llama_factory_keeps_conversations_apart(given):
    one, other = given[:2]
    row = llama_factory.row([one, other], pad=0, packed=True)
    width, tokens = len(row["input_ids"]), len(one.input_ids) + len(other.input_ids)
    assert {len(column) for column in row.values()} == {width}
    assert width % llama_factory.MULTIPLE == 0 and 0 <= width - tokens < llama_factory.MULTIPLE
    assert row["attention_mask"][:tokens] == [1] * len(one.input_ids) + [2] * len(other.input_ids)
    assert row["position_ids"][len(one.input_ids)] == 0
    assert row["labels"][tokens:] == [IGNORED] * (width - tokens)


def test_an_environment_that_cannot_be_made_is_told_and_one_that_is_there_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert llama_factory.environment(tmp_path / "lf") == "it ended without a word"
    (tmp_path / "lf").mkdir()
    (tmp_path / "lf" / "ready").touch()
    assert llama_factory.environment(tmp_path / "lf") == tmp_path / "lf" / "bin" / "python"


def test_the_report_says_how_much_faster_and_why_a_peer_is_missing(tmp_path, monkeypatch, capsys):
    def sides(work, folder, threads, count, peers):
        rates = {OURS: 200.0, TRL: 100.0}
        made = [
            Side(
                name, packed, (Trained(int(rate * (1 + packed)), Took(1, 2), 5000, 2.5, 1.5),) * count, 2**30
            )
            for packed in (False, True)
            for name, rate in rates.items()
        ]
        return [*made, Side(LLAMA_FACTORY, False, (), 0, "no such package")]

    monkeypatch.setattr(training, "measure", sides)
    monkeypatch.setattr(
        bare_loop,
        "measure",
        lambda *_: bare_loop.Overhead(
            (Took(0.103, 0.206), Took(0.101, 0.202)), (Took(0.1, 0.2), Took(0.1, 0.196)), (2.5, 2.5)
        ),
    )
    monkeypatch.setattr(training_report, "WORKS", (WORK,))
    main(["--only", "training", "--folder", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "| TRL, packed | 200 | 200 | 2.00 | 100 | 2.00 | 2.5000 | 1.5000 | 5,000 | 1,024 |" in printed
    assert "| LLaMA-Factory, padded | not measured: no such package |" in printed
    assert "| ours | 103.0, 101.0 | 1.020 | 206.0, 202.0 | 1.030 | 2.5000 |" in printed
    assert "0.1 million parameters, 2 layers" in printed
    assert (tmp_path / "results.md").read_text() == printed
