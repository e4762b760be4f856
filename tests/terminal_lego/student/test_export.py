import json
import resource
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from terminal_lego.cli import main
from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.rendering.render import render_trajectory
from terminal_lego.student import export as exporting
from terminal_lego.student.export import export
from terminal_lego.student.run import read_run
from tests.terminal_lego.student.models import write_base
from tests.train.scripted import conversations
from train import compose

BASE = compose.HOME / "recipes" / "quickstart" / "base"


@pytest.fixture(scope="module")
def merged(lora_run, tmp_path_factory) -> Path:
    return export(read_run(lora_run), tmp_path_factory.mktemp("out") / "new" / "merged").folder


@pytest.fixture(scope="module")
def whole(full_run, tmp_path_factory) -> Path:
    return export(read_run(full_run), tmp_path_factory.mktemp("out") / "whole").folder


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def logits(model, length: int = 32) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 5 + length)[None]).logits[0]


def test_a_folder_is_complete_and_holds_nothing_else(merged, whole, lora_run, full_run):
    for folder, run in ((merged, lora_run), (whole, full_run)):
        files = {path.name for path in folder.iterdir()}
        assert files == {
            *("config.json", "generation_config.json", "model.safetensors", "README.md"),
            *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "training.json"),
        }
        config = json.loads((folder / "config.json").read_text())
        assert config["architectures"] == ["Qwen3ForCausalLM"]
        assert (config["dtype"], config["tie_word_embeddings"]) == ("float32", True)
        assert "lm_head.weight" not in tensors(folder)
        template = (folder / "chat_template.jinja").read_bytes()
        assert template == (run / "student" / "chat_template.jinja").read_bytes()
        assert "library_name: transformers" in (folder / "README.md").read_text()
        for name in files - {"model.safetensors"}:
            assert str(run.parent) not in (folder / name).read_text()
            assert str(compose.HOME) not in (folder / name).read_text()


def test_the_stop_token_is_the_end_of_turn_that_was_trained(merged, whole):
    """The last trained token of each trained turn is the one that ends a reply on the server."""
    for folder in (merged, whole):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        example = render_trajectory(conversations(1)[0], tokenizer)
        ends = {example.input_ids[span.end - 1] for span in example.spans if span.role == "assistant"}
        generation = GenerationConfig.from_pretrained(folder)
        assert ends == {generation.eos_token_id} == {tokenizer.eos_token_id}
        assert generation.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id
        config = json.loads((folder / "config.json").read_text())
        assert (config["eos_token_id"], config["pad_token_id"]) == (2, 0)


def test_merged_weights_are_the_base_with_the_adapters(merged, lora_run):
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(BASE)
    untaught = logits(base)
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):
        adapted = PeftModel.from_pretrained(base, lora_run / "student")
    written = AutoModelForCausalLM.from_pretrained(merged)
    torch.testing.assert_close(logits(written), logits(adapted), rtol=0, atol=1e-3)
    assert (logits(written) - untaught).abs().max() > 1


def test_whole_weights_are_those_of_the_training(whole, full_run):
    ours, theirs = tensors(whole), tensors(full_run / "student")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_generation_ends_where_a_turn_ends(whole):
    tokenizer = AutoTokenizer.from_pretrained(whole)
    model = AutoModelForCausalLM.from_pretrained(whole)
    taught = conversations(1)[0]
    given = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
    prompt = tokenizer.apply_chat_template(taught.messages()[:1], **given)
    written = model.generate(**prompt, max_new_tokens=60)[0][prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(written) == taught.turns[0].reply + tokenizer.eos_token


def test_a_base_in_bf16_with_its_own_output_layer(train, untied_base, tmp_path, capsys):
    words = ("tuning=lora", "student.precision=bf16", "student.model_limit=4096", "sft.max_length=4096")
    run = train("untied", *words, "student.max_length=4096", f"student.name_or_path={untied_base}")
    moved = shutil.move(untied_base, tmp_path / "moved")
    capsys.readouterr()
    out = tmp_path / "out"
    assert main(["student", "export", str(run), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error == f"error: the base {untied_base} is not there; say where it is with --base.\n"
    assert not out.exists()

    assert main(["student", "export", str(run), "--out", str(out), "--base", str(moved)]) == 0
    said = capsys.readouterr().out
    assert f"Written to {out}, weights in bfloat16\n" in said
    assert "(teaching moved them by" in said
    assert f"vllm serve {out}\n" in said
    held = tensors(out)
    assert "lm_head.weight" in held
    assert {tensor.dtype for tensor in held.values()} == {torch.bfloat16}
    config = json.loads((out / "config.json").read_text())
    assert (config["dtype"], config["tie_word_embeddings"]) == ("bfloat16", False)


def test_adapters_that_cannot_be_merged_are_refused(lora_run, copied, tmp_path):
    """Of an output layer that is the input embedding too: the sum would change both."""
    from peft import LoraConfig, get_peft_model

    run = copied(lora_run)
    torch.manual_seed(0)
    adapters = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["lm_head"], init_lora_weights=False)
    with pytest.warns(Warning):
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(BASE), adapters)
        model.save_pretrained(run / "student")
    with pytest.raises(StudentError, match=r"cannot be merged into .*leave them out of tuning\.targets"):
        export(read_run(run), tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_adapters_of_another_base_are_refused(lora_run, tmp_path):
    other = write_base(tmp_path / "wider", heads=8)
    with pytest.raises(StudentError, match=r"do not fit .*name their own base") as caught:
        export(read_run(lora_run), tmp_path / "out", str(other))
    assert "\n" not in str(caught.value)


def test_adapters_that_are_no_numbers_are_refused(lora_run, copied, tmp_path):
    run = copied(lora_run)
    held = load_file(run / "student" / "adapter_model.safetensors")
    next(iter(held.values())).fill_(float("nan"))
    save_file(held, run / "student" / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(StudentError, match=r"cannot be merged into .* differ by inf"):
        export(read_run(run), tmp_path / "out")


def spoil(draft: Path) -> None:
    """One weight, as a bad disk would."""
    held = tensors(draft)
    held["model.norm.weight"] *= 1.001
    save_file(held, draft / "model.safetensors", {"format": "pt"})


def test_what_was_written_is_compared_with_what_was_trained(full_run, tmp_path, monkeypatch):
    write = exporting._write

    def spoilt(run, draft, *rest):
        told = write(run, draft, *rest)
        spoil(draft)
        return told

    monkeypatch.setattr(exporting, "_write", spoilt)
    with pytest.raises(StudentError, match="are not those that were trained"):
        export(read_run(full_run), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def other_stop(student: Path) -> None:
    config = GenerationConfig.from_pretrained(student)
    config.eos_token_id = 0
    config.save_pretrained(student)


def other_template(student: Path) -> None:
    """Its turns end with another token than replies do."""
    file = student / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|im_end|>", "<|endoftext|>"))


@pytest.mark.parametrize(
    ("damage", "what"),
    [(other_stop, "the stop token"), (other_template, "the end of turn that the chat template writes")],
)
def test_a_student_that_would_not_stop_is_refused(damage, what, full_run, copied, tmp_path):
    run = copied(full_run)
    damage(run / "student")
    with pytest.raises(StudentError, match=f"{what} of full did not come out as trained"):
        export(read_run(run), tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_a_student_without_a_generation_config_is_refused(full_run, copied, tmp_path):
    run = copied(full_run)
    (run / "student" / "generation_config.json").unlink()
    with pytest.raises(StudentError, match="nobody knows where its replies end"):
        export(read_run(run), tmp_path / "out")


def test_a_full_disk_leaves_nothing_behind(full_run, tmp_path):
    """No file may grow beyond 100 kB; the weights have 500."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ConfigError, match=r"--out .* cannot be written: .*File too large"):
            export(read_run(full_run), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_stays_as_it_is(full_run, tmp_path):
    run = read_run(full_run)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    for name in ("full", "file"):
        with pytest.raises(ConfigError, match=f"--out .*/{name} is not empty"):
            export(run, tmp_path / name)
    with pytest.raises(ConfigError, match=r"--out .* cannot be written: Not a directory"):
        export(run, tmp_path / "file" / "below")
    with pytest.raises(ConfigError, match="--base x is not needed: full trained all weights"):
        export(run, tmp_path / "new", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    (tmp_path / "full" / "mine").unlink()
    assert export(run, tmp_path / "full").away == 0
