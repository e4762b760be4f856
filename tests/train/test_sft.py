import json
import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GenerationConfig
from trl import SFTTrainer

from terminal_lego.errors import StudentError
from terminal_lego.rendering.cache import Examples, TokenCache
from terminal_lego.rendering.render import Example, render_trajectory
from tests.train.scripted import conversations
from train.checkpoints import COMPLETE
from train.config import SftConfig, StudentConfig
from train.sft import Outcome, load_tokenizer, planned_steps, sft

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
STUDENT = StudentConfig(str(BASE), precision="fp32")
STEPS = 5
torch.set_num_threads(1)  # these models gain nothing from more


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(STUDENT)


@pytest.fixture(scope="module")
def examples(tokenizer) -> list[Example]:
    """Five, of different lengths: three steps of two make an epoch."""
    return [render_trajectory(each, tokenizer) for each in conversations(5)]


def settings(**changed) -> SftConfig:
    given = {"max_steps": STEPS, "batch_size": 2, "learning_rate": 3e-3, "save_steps": 2, "max_length": 4096}
    return SftConfig(**given | changed)


class Training:
    """One start: what was logged, which batches the model saw."""

    def __init__(self, examples, tokenizer, folder: Path, monkeypatch, on_step=lambda step: None, **changed):
        self.logged: dict[int, dict[str, float]] = {}
        self.batches: list[list[list[int]]] = []
        step = SFTTrainer.training_step

        def recorded(trainer, model, inputs, *rest):
            self.batches.append(inputs["input_ids"].tolist())
            return step(trainer, model, inputs, *rest)

        def on_log(step: int, metrics: dict[str, float]) -> None:
            self.logged.setdefault(step, {}).update(metrics)
            on_step(step)

        self.outcome: Outcome | None = None
        with monkeypatch.context() as patch:
            patch.setattr(SFTTrainer, "training_step", recorded)
            try:
                self.outcome = sft(examples, STUDENT, tokenizer, settings(**changed), folder, on_log=on_log)
            except (KeyboardInterrupt, RuntimeError) as error:
                self.error = error


def learnt(metrics: dict[str, float]) -> dict[str, float]:
    """What does not depend on the machine, and not on whether a start ended at this step."""
    return {
        key: value
        for key, value in metrics.items()
        if key.startswith("train/") and key != "train/tokens_per_second"
    }


def same(one: Outcome, other: Outcome) -> bool:
    return replace(one, path=other.path, measured=other.measured) == other


@pytest.fixture
def start(examples, tokenizer, monkeypatch):
    def begin(folder: Path, **changed) -> Training:
        return Training(changed.pop("examples", examples), tokenizer, folder, monkeypatch, **changed)

    return begin


@pytest.fixture(scope="module")
def straight(examples, tokenizer, tmp_path_factory) -> Training:
    """A whole training without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        return Training(examples, tokenizer, tmp_path_factory.mktemp("straight") / "student", patch)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same_student(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)


def end_at(last: int):
    """A signal while the step before is being logged: it is heard at the end of step `last`."""
    return lambda step: os.kill(os.getpid(), signal.SIGTERM) if step == last - 1 else None


def test_the_loss_falls_and_the_student_is_complete(straight, examples, tokenizer):
    outcome, logged = straight.outcome, straight.logged
    assert list(logged) == list(range(1, STEPS + 1))
    assert logged[STEPS]["train/loss"] < logged[1]["train/loss"] - 1
    assert outcome.loss == pytest.approx(logged[STEPS]["train/loss"])
    assert outcome.steps == STEPS
    assert outcome.tokens == round(STEPS / 3 * sum(example.trained_tokens for example in examples))

    assert GenerationConfig.from_pretrained(outcome.path).eos_token_id == tokenizer.eos_token_id
    reloaded = load_tokenizer(StudentConfig(str(outcome.path)))
    assert reloaded.chat_template == tokenizer.chat_template
    before, after = weights(BASE), weights(outcome.path)
    assert before.keys() == after.keys()
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_a_finished_training_is_not_repeated(straight, start):
    again = start(straight.outcome.path)
    assert again.outcome == straight.outcome
    assert again.batches == []


def test_the_loss_is_over_the_trained_tokens_and_no_others(start, examples, tmp_path):
    """The trainer's first loss against the mean of -log p(label) computed here."""
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    total, count = 0.0, 0
    for example in examples:
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([example.input_ids])).logits[0, :-1].log_softmax(-1)
        targets, masked = torch.tensor(example.input_ids)[1:], torch.tensor(example.weights)[1:] > 0
        total -= scores.gather(1, targets[:, None])[:, 0][masked].sum().item()
        count += int(masked.sum())
    assert 0 < count < sum(len(example.input_ids) for example in examples)
    first = start(tmp_path, max_steps=1, batch_size=len(examples)).logged[1]
    assert first["train/loss"] == pytest.approx(total / count, rel=1e-4)


def test_accumulation_does_not_change_the_step(start, examples, tmp_path):
    four = {"examples": examples[:4], "max_steps": 1}
    one = start(tmp_path / "one", **four, batch_size=1, accumulation=4)
    other = start(tmp_path / "other", **four, batch_size=4)
    assert [len(batch) for batch in one.batches + other.batches] == [1, 1, 1, 1, 4]
    for key in ("train/loss", "train/grad_norm"):
        assert one.logged[1][key] == pytest.approx(other.logged[1][key], rel=1e-4)


@pytest.mark.parametrize("after", [3, 4, STEPS])
def test_an_interrupted_training_continues_as_if_nothing_had_happened(after, start, straight, tmp_path):
    """Also at the end of an epoch (3), and when only the saving is left (5)."""
    handler = signal.getsignal(signal.SIGTERM)
    first = start(tmp_path, on_step=end_at(after))
    assert isinstance(first.error, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert list(first.logged) == list(range(1, after + 1))
    assert not (tmp_path / "outcome.json").exists()

    second = start(tmp_path)
    assert first.batches + second.batches == straight.batches
    for step, metrics in (first.logged | second.logged).items():
        assert learnt(metrics) == pytest.approx(learnt(straight.logged[step]), rel=1e-5)
    assert same(second.outcome, straight.outcome)
    assert_same_student(tmp_path, straight.outcome.path)


def test_after_a_crash_the_newest_complete_checkpoint_counts(start, straight, tmp_path):
    def crash(step: int) -> None:
        if step == 3:
            raise RuntimeError("power cut")

    assert str(start(tmp_path, on_step=crash).error) == "power cut"
    checkpoints = tmp_path / "checkpoints"
    torn = checkpoints / "checkpoint-9"
    shutil.copytree(checkpoints / "checkpoint-2", torn)
    (torn / COMPLETE).unlink()
    (torn / "model.safetensors").write_bytes(b"torn")

    second = start(tmp_path, on_step=end_at(4))
    assert second.batches == straight.batches[2:4]
    assert not torn.exists()
    start(tmp_path)
    assert_same_student(tmp_path, straight.outcome.path)


def test_the_last_step_is_logged_whatever_the_interval(start, tmp_path):
    run = start(tmp_path / "a", max_steps=2, logging_steps=10)
    assert list(run.logged) == [2]
    assert run.outcome.loss == run.logged[2]["train/loss"] > 0


@pytest.mark.parametrize(("epochs", "batch", "accumulation"), [(1, 2, 2), (1.5, 2, 1), (0.1, 1, 1)])
def test_the_plan_is_what_the_trainer_does(epochs, batch, accumulation, start, tmp_path):
    changed = {"max_steps": None, "epochs": epochs, "batch_size": batch, "accumulation": accumulation}
    outcome = start(tmp_path, **changed).outcome
    assert outcome.steps == planned_steps(5, settings(**changed))
    assert json.loads((tmp_path / "outcome.json").read_text())["steps"] == outcome.steps


def test_examples_of_a_cache_are_read_when_they_are_due(start, straight, examples, tmp_path, monkeypatch):
    cached = TokenCache(tmp_path / "cache").write("key", examples)
    monkeypatch.delattr(Examples, "__iter__")  # which would be all of them, up front
    run = start(tmp_path / "student", examples=cached)
    assert run.batches == straight.batches
    assert same(run.outcome, straight.outcome)
    assert_same_student(tmp_path / "student", straight.outcome.path)


def test_a_loss_that_is_no_number_ends_the_training(examples, tokenizer, tmp_path):
    seen: list[float] = []

    def on_log(step: int, metrics: dict[str, float]) -> None:
        seen.extend(metrics[key] for key in metrics if key == "train/loss")

    with pytest.raises(StudentError) as caught:
        sft(
            examples,
            STUDENT,
            tokenizer,
            settings(learning_rate=1e30, scheduler="constant"),
            tmp_path,
            on_log=on_log,
        )
    assert str(caught.value).startswith(f"the loss at step {len(seen)} is ")
    assert str(caught.value).endswith("lower sft.learning_rate or sft.clip.")
    assert "\n" not in str(caught.value)
    assert [math.isfinite(loss) for loss in seen] == [True] * (len(seen) - 1) + [False]
    assert not (tmp_path / "outcome.json").exists()


BREAKAGES = {
    "no folder": lambda folder: shutil.rmtree(folder),
    "empty folder": lambda folder: [file.unlink() for file in folder.iterdir()],
    "torn configuration": lambda folder: (folder / "config.json").write_text("{"),
    "unknown architecture": lambda folder: (folder / "config.json").write_text('{"model_type": "zorg"}'),
    "torn weights": lambda folder: (folder / "model.safetensors").write_bytes(b"torn"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_model_is_refused_in_one_sentence(breakage, examples, tokenizer, tmp_path):
    folder = tmp_path / "some" / "model"
    shutil.copytree(BASE, folder)
    BREAKAGES[breakage](folder)
    with pytest.raises(StudentError, match=r"cannot be loaded \(.+\); give a folder") as caught:
        sft(
            examples,
            replace(STUDENT, name_or_path=str(folder)),
            tokenizer,
            settings(),
            tmp_path,
            on_log=print,
        )
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_student_needs_a_tokenizer_with_a_chat_template(tmp_path, tokenizer):
    shutil.copytree(BASE, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    student = StudentConfig(str(tmp_path / "model"))
    with pytest.raises(StudentError, match=r"no chat template; set student\.chat_template"):
        load_tokenizer(student)
    assert load_tokenizer(replace(student, chat_template=str(BASE / "chat_template.jinja"))).chat_template
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    with pytest.raises(StudentError, match="has no tokenizer that can be loaded"):
        load_tokenizer(student)
