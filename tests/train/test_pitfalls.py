"""Faults that trainers of conversations are known for, and that no part of this one shows alone.

Each test says which fault it guards against. Those of one part are tested beside it.
"""

import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest
from transformers import GenerationConfig, Qwen3NextConfig, Qwen3NextForCausalLM

from terminal_lego.errors import ConfigError
from terminal_lego.formats import read_trajectories
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.length import ends_done
from terminal_lego.rendering.masks import MaskConfig
from terminal_lego.rendering.render import render_all
from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.trajectory import Trajectory, Turn
from tests.train import one_step as steps
from tests.train import together
from tests.train.one_step import BASE, EIGHT, VOCABULARY, one_step, plain, student
from tests.train.scripted import conversations
from tests.train.test_loss import assert_equal
from tests.train.test_parallel import ROOT, Training
from train import compose, model
from train.config import SftConfig, StudentConfig
from train.packing import Collator
from train.parallel import trainer_arguments
from train.prepare import prepare
from train.scale_config import ParallelConfig, TuningConfig
from train.sft import load_tokenizer as tokenizer_of
from train.sft import sft

LOOK = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "ls\\n", "duration": 0.1}]}'
GRAD_NORM = "train/grad_norm"


@pytest.fixture
def prepared(tmp_path):
    def make(*words: str, given: list[Trajectory] | None = None):
        data = tmp_path / "rows.jsonl"
        data.touch()
        light = ("student=tiny", "evaluation=skip", "tracking=local", f"data.path={data}")
        config = compose.load([*light, f"cache_dir={tmp_path / 'cache'}", "sft.max_length=512", *words])
        return prepare(given or conversations(3), tokenizer_of(config.student), config, ["d"])

    return make


@pytest.mark.parametrize("word", ["student.thinking=keep", "student.thinking=last_turn", "sft.length=cut"])
def test_what_shapes_the_tokens_beside_the_template_is_part_of_the_caches_key(word, prepared):
    """Guards against tokens of an earlier run that were rendered with another policy for thoughts, which the
    template need not show, or were shortened in another way."""
    before, after = prepared(), prepared(word)
    assert after.key != before.key
    assert not after.was_cached


def test_another_template_is_rendered_anew(prepared, tmp_path):
    """Guards against cached tokens of a template that has changed since, be it by one character."""
    template = tmp_path / "chat.jinja"
    template.write_text((BASE / "chat_template.jinja").read_text())
    before = prepared(f"student.chat_template={template}")
    assert prepared(f"student.chat_template={template}").was_cached
    template.write_text(template.read_text().replace("<|im_end|>\n", "<|im_end|>\n\n"))
    after = prepared(f"student.chat_template={template}")
    assert not after.was_cached
    assert after.examples[0].input_ids != before.examples[0].input_ids


def test_too_long_conversations_are_dropped_and_none_loses_its_end(prepared):
    """Guards against truncation from the right: the turn that declares the task complete would go first, and
    the student would never finish one."""
    given = conversations(6)
    given[2] = replace(given[2], turns=(Turn(LOOK, "long " * 600), *given[2].turns))
    made = prepared(given=given)
    assert all(ends_done(example) for example in made.examples)
    assert (len(made.examples), made.length.dropped, made.length.cut_done) == (5, 1, 0)
    assert made.length.share_kept == made.length.share_given == 1


@pytest.mark.parametrize("packed", [False, True])
def test_an_end_of_turn_that_is_also_the_padding_is_trained(packed, monkeypatch):
    """Guards against masking by the padding token's id where it ends turns, too: such students never stop."""
    (common, count), *_ = Counter(token for row in EIGHT for token in row.input_ids).most_common(1)
    assert count > 3
    monkeypatch.setattr(steps, "PAD", common)
    step = one_step(EIGHT, [[0, 1], [2, 3], [4, 5], [6, 7]], batch=2, accumulation=2, packed=packed)
    assert_equal(step, *plain(student(), EIGHT))
    batch = Collator(EIGHT, common, packed=packed)([{"rows": range(8)}])
    weighted = batch["labels"][:, 1:] == common
    assert batch["shift_weights"][:, :-1][weighted].sum() > 0


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_base_that_ends_elsewhere_becomes_a_student_that_ends_its_turns(method, tmp_path):
    """Guards against a generation config that stops at the base's end of text, which no reply ended with."""
    made, checkpoint = tmp_path / "base", tmp_path / "checkpoint"
    shutil.copytree(BASE, made)
    tokenizer = load_tokenizer(str(BASE))
    elsewhere = GenerationConfig(eos_token_id=tokenizer.pad_token_id)
    elsewhere.save_pretrained(made)
    base, tuning = StudentConfig(str(made), precision="fp32"), TuningConfig(method, rank=2)
    model.load(base, tuning, ParallelConfig()).save_pretrained(checkpoint)
    model.save(checkpoint, tmp_path / "student", base, tuning, tokenizer)
    ends = GenerationConfig.from_pretrained(tmp_path / "student").eos_token_id
    assert ends == tokenizer.eos_token_id != elsewhere.eos_token_id


def test_a_packed_training_looks_for_leaks_before_its_first_step():
    """Guards against packing with layers that carry state from one conversation into the next, unasked."""
    config = Qwen3NextConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        linear_num_value_heads=2,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention"],
        num_experts=0,
    )
    with pytest.raises(ConfigError, match=r"set sft.packing=false"):
        one_step(EIGHT, [[0, 1]], model=Qwen3NextForCausalLM(config), batch=1, packed=True)


@pytest.mark.slow
def test_packs_shared_by_processes_are_refused_where_attention_ignores_their_borders(tmp_path, monkeypatch):
    """Guards against Ulysses with sdpa, which drops every mask and attends across conversations."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("XDG_CACHE_HOME")
    training = Training(tmp_path / "run", together.write_base(tmp_path / "base"))
    asked = {
        "sft": {"packing": True, "max_length": 128, "accumulation": 2},
        "parallel": {"engine": "zero3", "sequence_parallel": 2},
    }
    assert training.start(2, asked) == 2
    assert "reads from one conversation of a pack in the next" in (training.folder / "logs/1.log").read_text()
    assert not (training.folder / "logged.jsonl").exists()


def test_a_training_that_clips_every_step_says_so(tmp_path, capsys):
    """Guards against a limit taken over from a recipe whose loss or optimiser is another: then it is the
    limit, and no longer the gradient, that says how far a step goes."""
    base = StudentConfig(str(BASE), precision="fp32")
    tokenizer = tokenizer_of(base)
    examples = [example for _, example in render_all(conversations(2), tokenizer, MaskConfig())]
    norms: list[float] = []
    sft(
        examples,
        base,
        tokenizer,
        SftConfig(max_steps=50, clip=1e-4, max_length=4096),
        tmp_path,
        on_log=lambda step, metrics: norms.extend(metrics[key] for key in metrics if key == GRAD_NORM),
    )
    assert "100% of 50 logged steps were clipped to sft.clip=0.0001" in capsys.readouterr().err
    assert len(norms) == 50
    assert min(norms) > 1e-2, "as it was before clipping"


def step_of(source: str, message: str, seen: str = "", **fields: object) -> dict:
    return {"source": source, "message": message, "observation": {"results": [{"content": seen}]}} | fields


def reply(number: int, **fields: object) -> str:
    return json.dumps({"analysis": f"{number}", "plan": "", "commands": []} | fields)


def test_each_recorded_reply_is_trained_once(tmp_path):
    """Guards against steps trained twice: copied into the context of a continued trial, told again before a
    summary, or exported once for each episode."""
    prompt = step_of("user", "do it")
    agent = [step_of("agent", reply(number), f"screen {number}") for number in range(4)]
    copied = [step | {"is_copied_context": True} for step in (prompt, *agent[:2])]
    files = {
        "trajectory": [prompt, *agent[:2]],
        "trajectory.cont-1": [*copied, *agent[2:]],
    }
    for name, recorded in files.items():
        numbered = [{"step_id": number} | step for number, step in enumerate(recorded, start=1)]
        document = {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": {"name": "a"}}
        if name == "trajectory":
            document["continued_trajectory_ref"] = "trajectory.cont-1.json"
        (tmp_path / f"{name}.json").write_text(json.dumps(document | {"steps": numbered}))
    said = [text for number in range(4) for text in (f"prompt or screen {number}", reply(number))]
    roles = ("user", "assistant")
    rows = [
        {
            "conversations": [{"role": roles[n % 2], "content": text} for n, text in enumerate(said[:end])],
            "episode": f"episode-{end // 2 - 1}",
            "trial_name": "t",
            "run_id": "r",
        }
        for end in (2, 4, 6, 8)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))

    tokenizer = load_tokenizer(str(BASE))
    for source in ("trajectory.json", "rows.json"):
        found = read_trajectories(tmp_path / source).trajectories
        pairs = Counter()
        for _, example in render_all(found, tokenizer, MaskConfig()):
            assert isinstance(example, Example), example
            for span in example.spans:
                if example.weights[span.start]:
                    context = bytes(example.input_ids[: span.start])
                    pairs[context, tokenizer.decode(example.input_ids[span.start : span.end])] += 1
        assert set(pairs.values()) == {1}
        assert sorted(text for _, text in pairs) == [f"{reply(number)}<|im_end|>" for number in range(4)]


def test_processes_that_hold_all_weights_wait_for_no_unused_one():
    """Guards against a walk through the whole graph after every step, which is the library's default."""
    told = trainer_arguments(ParallelConfig(), on_gpu=False, attention="sdpa")
    assert told["ddp_find_unused_parameters"] is False
