import subprocess
import sys
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from train import compose

ROOT = compose.HOME
HEAVY = {"torch", "transformers", "trl", "datasets", "wandb", "docker", "openai", "pandas"}


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    return f"data.path={path}"


def train(*words: str, folder: Path) -> subprocess.CompletedProcess:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from train.__main__ import main; main()"
    command = [sys.executable, "-X", "importtime", "-c", code, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def imported(done: subprocess.CompletedProcess) -> set[str]:
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def message(done: subprocess.CompletedProcess) -> str:
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))


def test_quickstart_is_composed_from_the_blocks(rows):
    config = compose.load(["recipe=quickstart", rows])
    assert config.recipe == "quickstart"
    assert config.teacher == "inspector"
    assert config.selection.teacher is None, "data of one's own must not be filtered by the recipe's teacher"
    assert config.student.precision == "fp32"
    assert config.sft.max_length == config.student.max_length
    assert config.sft.epochs is None
    assert config.evaluation.enabled
    assert not config.dry_run


def test_teacher_is_a_shorthand_and_in_the_quickstart_a_file(rows):
    assert compose.load([rows, "teacher=guesser"]).selection.teacher == "guesser"
    quickstart = compose.load(["recipe=quickstart", "teacher=guesser"])
    assert [Path(source).name for source in quickstart.data.sources] == ["guesser.parquet"]


def test_the_command_line_wins_over_the_recipe(rows):
    config = compose.load(["recipe=quickstart", rows, "sft.max_steps=2", "student.max_length=99"])
    assert config.sft.max_steps == 2
    assert config.sft.max_length == 99


@pytest.mark.parametrize(
    "student", ["tiny", "qwen3_0.6b", "qwen3_1.7b", "qwen3_4b", "qwen3_8b", "qwen3_14b", "qwen3_32b"]
)
def test_every_student_composes(student, rows):
    config = compose.load([f"student={student}", rows])
    assert config.student.max_length <= config.student.model_limit


def test_several_data_paths(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    config = compose.load([f"data.path=[{tmp_path / 'a'},{tmp_path / 'b'}]"])
    assert config.data.sources == [str(tmp_path / "a"), str(tmp_path / "b")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recipe=nope"], "recipe=nope does not exist: choose one of"),
        (["student=nope"], "student=nope does not exist: choose one of qwen3_0.6b, qwen3_1.7b, qwen3_14b"),
        (["sft.learning_rat=1"], "sft.learning_rat is not a setting: did you mean learning_rate?"),
        (["zorg=1"], "zorg is not a setting: choose one of student, data"),
        (["+sft.seeds=1"], "sft.seeds is not a setting: did you mean seed?"),
        (["+zorg.a=1"], "zorg.a is not a setting: choose one of student"),
        (["sft.max_steps=many"], "sft.max_steps: Value 'many'"),
        (["sft.batch_size=null"], "sft.batch_size cannot be null"),
        (["nonsense"], "'nonsense' cannot be read: write key=value"),
        (["sft.epochs=null"], "sft.max_steps and sft.epochs are both null"),
        (["sft.max_steps=5"], "both say when training stops"),
        (["sft.batch_size=0"], "sft.batch_size=0 is too small"),
        (["sft.learning_rate=0"], "sft.learning_rate=0.0 must be above 0"),
        (["sft.learning_rate=nan"], "sft.learning_rate=nan must be above 0"),
        (["sft.warmup=1"], "sft.warmup=1.0 is out of range"),
        (["sft.scheduler=cubic"], "sft.scheduler=cubic is not known: choose one of constant"),
        (["evaluation=docker"], "evaluation.enabled=true needs tasks"),
        (["data.path=null"], "data.path is empty"),
        (["data.path=/no/such/place"], "data.path=/no/such/place does not exist"),
        (["student.max_length=40000"], "student.max_length=40000 is beyond what"),
        (["sft.max_length=40000"], "sft.max_length=40000 is beyond what"),
        (["student.name_or_path=''"], "student.name_or_path is empty"),
        (["student.precision=int4"], "student.precision=int4 is not known"),
        (["student.chat_template=/no/such.jinja"], "student.chat_template=/no/such.jinja is no file"),
        (["tracking.mode=loud"], "tracking.mode=loud is not known"),
        (["mask.unit=word"], "mask.unit=word is not known"),
        (["mask.hide=[looks]"], "mask.hide=looks is not known"),
        (["evaluation=docker", "evaluation.tasks=x", "evaluation.max_new_tokens=32768"], "leaves no room"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(words, sentence, rows):
    with pytest.raises(ConfigError) as caught:
        compose.load([rows, *words])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_recipe_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [1\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml is not valid YAML"):
        compose.register(tmp_path)
    (tmp_path / "bad.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml holds no settings"):
        compose.register(tmp_path)


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        (["--help"], 0, "recipe: claude_inspect_first, "),
        (["recipe=quickstart", "--cfg", "job"], 0, "max_steps"),
        (["recipe=nope"], 2, "error: recipe=nope does not exist"),
        (["data.path=/no/such/place"], 2, "error: data.path=/no/such/place does not exist"),
    ],
)
def test_answers_from_any_folder_need_no_heavy_import(words, status, shown, tmp_path):
    done = train(*words, folder=tmp_path)
    assert done.returncode == status
    assert shown in done.stdout + message(done)
    assert "Traceback" not in done.stderr
    assert not imported(done) & HEAVY
    assert not list(tmp_path.iterdir())


def test_help_and_every_group_in_it(tmp_path):
    text = train("--help", folder=tmp_path).stdout
    groups = {path.name for path in compose.CONF.iterdir() if path.is_dir()} - {"hydra"} | {"recipe"}
    assert groups <= {line.partition(":")[0] for line in text.splitlines()}
