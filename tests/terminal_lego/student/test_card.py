import json
from pathlib import Path

import pytest
import yaml

from eval.evaluate import summarize
from terminal_lego.cli import main
from terminal_lego.harness.record import TrialResult
from terminal_lego.student.card import card
from terminal_lego.student.run import read_run
from train.loss import NORMALISER
from train.result import SCORE


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def row(text: str, name: str) -> list[str]:
    """The other cells of the table row that begins with `name`."""
    [line] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def change(file: Path, edit) -> None:
    """Edits what a JSON or YAML file holds in place."""
    read, write = (yaml.safe_load, yaml.safe_dump) if file.suffix == ".yaml" else (json.loads, json.dumps)
    value = read(file.read_text())
    edit(value)
    file.write_text(write(value))


def test_the_card_says_what_the_run_recorded(lora_run, capsys):
    assert main(["student", "card", str(lora_run)]) == 0
    path = lora_run / "student" / "README.md"
    assert capsys.readouterr().out == f"Written to {path}\n"
    text = path.read_text()
    result = json.loads((lora_run / "result.json").read_text())
    provenance = json.loads((lora_run / "provenance.json").read_text())
    assert front(text)["library_name"] == "peft"
    assert front(text)["tags"] == ["agent", "terminal", "distillation", "sft", "lora"]
    assert "Teacher: `inspector`." in text
    assert f"`{provenance['data'][0]['sha256']}`" in text
    assert row(text, "outcome: passed") == ["1", "1", "0", ""]
    assert row(text, "assistant") == ["100.0 %"]
    assert row(text, "`sft.learning_rate`") == ["`0.01`"]
    assert row(text, "`tuning.rank`") == ["`4`"]
    assert row(text, "optimiser steps") == ["2"]
    assert row(text, "trained tokens, repetitions counted") == [f"{result['tokens_trained']:,}"]
    assert row(text, "last logged loss") == [f"{result['loss']:.4f}"]
    assert f"divided by the {NORMALISER}." in text
    assert row(text, "seed") == ["0"]
    assert row(text, provenance["started"])[0] == f"`{provenance['git']['commit']}`"
    assert row(text, "`torch`") == [provenance["packages"]["torch"]]
    assert "Stop token: `<|im_end|>` (id 2)" in text
    assert "Serve without a reasoning parser." in text
    assert "this run was set to train only" in text
    assert "not recorded" not in text.partition("## Hyperparameters")[2].partition("## Licence")[0]


def test_no_path_of_the_machine_is_in_it(lora_run, full_run):
    for run in (lora_run, full_run):
        for merged in (False, True):
            text = card(read_run(run), merged=merged)
            assert "`rows.parquet`" in text
            assert "secret-place" not in text
            assert str(Path.cwd()) not in text


def test_names_of_the_hub_are_linked(full_run, copied):
    run = copied(full_run)
    digest = "d" * 64

    def edit(record: dict) -> None:
        paths = ("glm=some/set@v1", "some/set@v1", str(run), "other/rows.jsonl")
        record["data"] = [{"path": path, "sha256": digest} for path in paths]

    change(run / "provenance.json", edit)
    change(run / "config.yaml", lambda config: config["student"].update(name_or_path="Qwen/Qwen3-8B"))
    text = card(read_run(run), merged=True)
    assert front(text) | {"tags": []} == {
        "base_model": "Qwen/Qwen3-8B",
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": [],
        "datasets": ["some/set"],
    }
    assert [line for line in text.splitlines() if digest in line] == [
        f"| `some/set@v1` | glm | `{digest}` |",
        f"| `some/set@v1` | as the data says | `{digest}` |",
        f"| `{run.name}` | as the data says | `{digest}` |",
        f"| `rows.jsonl` | as the data says | `{digest}` |",
    ]


def test_what_was_not_recorded_is_said_to_be_so(full_run, copied):
    run = copied(full_run)
    for name in ("result.json", "provenance.json"):
        (run / name).unlink()
    for name in ("generation_config.json", "chat_template.jinja"):
        (run / "student" / name).unlink()
    change(run / "config.yaml", lambda config: [config["student"].pop("thinking"), config.pop("mask")])
    text = card(read_run(run), merged=True)
    assert "divided by what is not recorded." in text
    assert row(text, "conversations trained on") == ["not recorded"]
    for sentence in (
        "Sources and digests are not recorded.",
        "How many trajectories each step kept is not recorded.",
        "Which share of the tokens carries loss is not recorded.",
        "What was trained of a reply is not recorded.",
        "Commit, machine and package versions are not recorded.",
        "None is recorded: the run has not come to its end after training.",
        "Stop token: not recorded.",
        "Chat template: not recorded.",
        "Thoughts: not recorded.",
    ):
        assert sentence in text


def scored(tmp_path: Path, rewards: dict[str, float]) -> dict:
    trials = [
        TrialResult(
            tmp_path,
            {"task_name": task, "trial_name": task, "verifier_result": {"rewards": {"reward": reward}}},
        )
        for task, reward in rewards.items()
    ]
    record = summarize("x", list(rewards), trials, tmp_path).to_dict()
    return {key: record[key] for key in SCORE}


def test_scores_stand_with_their_intervals(full_run, copied, tmp_path):
    run = copied(full_run)
    base = scored(tmp_path, {"a": 0.0, "b": 0.0, "c": 0.0, "d": 1.0})
    student = scored(tmp_path, {"a": 1.0, "b": 1.0, "c": 0.0, "d": 1.0})
    change(run / "result.json", lambda result: result.update(base=base, student=student))
    change(run / "config.yaml", lambda c: c["evaluation"].update(tasks="/secret-place/held-out", attempts=1))
    text = card(read_run(run), merged=True)
    low, high = (100 * bound for bound in student["interval"])
    assert row(text, "base")[:2] == ["1 of 4", "4"]
    assert row(text, "student")[:3] == ["3 of 4", "4", rf"75.0 % \[{low:.1f}, {high:.1f}\]"]
    assert "Trials on the tasks `held-out`, 1 per task" in text
    assert student["interval_method"] in text
    assert "secret-place" not in text


def test_why_there_are_no_scores(full_run, copied):
    run = copied(full_run)
    change(run / "result.json", lambda result: result.update(not_evaluated="no engine | here"))
    assert r"Evaluation was not run: no engine \| here" in card(read_run(run), merged=True)


@pytest.mark.parametrize(
    ("thinking", "command", "said"),
    [
        ("keep", "vllm serve FOLDER\n", "Serve without a reasoning parser, so that they stay"),
        ("last_turn", "vllm serve FOLDER --reasoning-parser qwen3\n", "read by no later one"),
    ],
)
def test_thoughts_decide_how_to_serve(full_run, copied, thinking, command, said):
    run = copied(full_run)
    change(run / "config.yaml", lambda config: config["student"].update(thinking=thinking))
    text = card(read_run(run), merged=True)
    assert command in text
    assert said in text


def test_what_a_mask_left_out(full_run, copied):
    run = copied(full_run)
    hidden = {"hide": ["observation", "failed"], "unit": "turn", "random": True}
    change(run / "config.yaml", lambda config: config["mask"].update(hidden))
    assert "Not trained: random whole replies, with as many tokens as observation, failed would hide" in card(
        read_run(run), merged=True
    )


def test_adapters_in_four_bits_are_told(lora_run, copied):
    run = copied(lora_run)
    change(run / "config.yaml", lambda config: config["tuning"].update(method="qlora"))
    whole, beside = (card(read_run(run), merged=merged) for merged in (True, False))
    assert "which are not the 4-bit ones they were trained on" in whole
    assert "terminal-lego student export RUN --out FOLDER" in beside
    assert "have been added" not in beside


def test_every_start_is_told_in_its_order(full_run, copied):
    run = copied(full_run)
    record = json.loads((run / "provenance.json").read_text())
    for number in (2, 10):
        later = record | {"started": f"start {number}", "packages": {"torch": f"{number}.0"}}
        (run / f"provenance-{number}.json").write_text(json.dumps(later))
    text = card(read_run(run), merged=True)
    assert text.index(record["started"]) < text.index("start 2") < text.index("start 10")
    assert row(text, "`torch`") == ["10.0"]


def test_recorded_words_are_no_markup(full_run, copied):
    run = copied(full_run)
    bad = "a|b <script>*x*</script>\n# y"
    change(run / "result.json", lambda result: result["funnel"][0].update(step=bad, dropped={bad: 3}))
    change(run / "config.yaml", lambda config: config.update(teacher="x`|y"))
    text = card(read_run(run), merged=True)
    shown = r"a\|b \<script\>\*x\*\</script\> # y"
    assert f"| {shown} | 4 | 1 | 3 | 3: {shown} |" in text
    assert r"Teacher: x\`\|y." in text


def test_a_card_of_somebody_else_stays(full_run, copied, capsys):
    run = copied(full_run)
    assert main(["student", "card", str(run)]) == main(["student", "card", str(run)]) == 0
    (run / "student" / "README.md").write_text("mine")
    assert main(["student", "card", str(run)]) == 2
    assert "was written by somebody else" in capsys.readouterr().err
    assert (run / "student" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("action", [["card"], ["export", "--out", "x"]])
def test_what_is_no_finished_run_is_refused_in_one_sentence(action, full_run, copied, tmp_path, capsys):
    def error(run: Path) -> str:
        assert main(["student", action[0], str(run), *action[1:]]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "holds no run" in error(tmp_path / "nowhere")
    run = copied(full_run)
    (run / "result.json").write_text("{torn")
    assert f"{run / 'result.json'} cannot be read" in error(run)
    (run / "student" / "outcome.json").unlink()
    assert "has not finished training" in error(run)
    assert not Path("x").exists()
