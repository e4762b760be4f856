import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import ConfigError
from train import compose, slurm
from train.scale_config import LauncherConfig

PROFILES = sorted((compose.HOME / "slurm" / "profiles").glob("*.yaml"))


@pytest.fixture
def config(tmp_path):
    (tmp_path / "rows.jsonl").write_text("{}\n")

    def make(*words: str):
        run = f"run_dir={tmp_path / 'run'}"
        return compose.load([f"data.path={tmp_path / 'rows.jsonl'}", "launcher=slurm", run, *words])

    return make


def options(script: str) -> list[str]:
    lines = [line for line in script.splitlines() if line.startswith("#SBATCH ")]
    return [shlex.split(line)[1] for line in lines]


def command(script: str) -> list[str]:
    [line] = [line for line in script.splitlines() if line.startswith("srun ")]
    assert line.endswith(" &")
    return shlex.split(line[:-2])


def test_a_script_asks_only_for_what_was_set(config, tmp_path):
    asked = options(slurm.script(config(), ()))
    assert [option.partition("=")[0] for option in asked] == [
        "--job-name",
        "--dependency",
        "--nodes",
        "--ntasks-per-node",
        "--time",
        "--signal",
        "--output",
        "--open-mode",
        "--requeue",
    ]
    assert {"--nodes=1", "--ntasks-per-node=1", "--time=1440", "--signal=B:USR2@300"} <= set(asked)
    assert f"--output={tmp_path}/run/slurm/%j.log" in asked


def test_every_setting_reaches_sbatch(config):
    words = (
        "launcher.partition=a",
        "launcher.account=b",
        "launcher.qos=c",
        "launcher.gres='gpu:big:4'",
        "launcher.constraint='d&e'",
        "launcher.minutes=90",
        "launcher.notice=60",
        "launcher.cpus=7",
        "launcher.memory_gb=0",
        "launcher.requeue=false",
        "launcher.options=[--exclusive,'--comment=two words']",
        "launcher.setup=['module load x']",
        "parallel.nodes=3",
    )
    script = slurm.script(config(*words), words)
    asked = options(script)
    assert {"--partition=a", "--account=b", "--qos=c", "--gres=gpu:big:4", "--constraint=d&e"} <= set(asked)
    assert {"--time=90", "--signal=B:USR2@60", "--cpus-per-task=7", "--mem=0G", "--no-requeue"} <= set(asked)
    assert {"--exclusive", "--comment=two words", "--nodes=3", "--ntasks-per-node=4"} <= set(asked)
    assert "\nmodule load x\n" in script
    assert "scontrol requeue" not in script
    assert "--cpus-per-task=7" in command(script)


def test_the_job_runs_what_was_typed_but_for_launching(config, tmp_path):
    words = ("launcher=slurm", "launcher.partition=a", "++launcher.qos=b", "sft.seed=1", "run_dir=elsewhere")
    line = command(slurm.script(config(), words))
    assert line[line.index("-m") - 1 :] == [
        sys.executable,
        "-m",
        "train",
        "sft.seed=1",
        "launcher.kind=local",
        f"run_dir={tmp_path / 'run'}",
    ]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), min_size=1).map(lambda s: f"/{s}"))
def test_any_folder_survives_shell_and_hydra(folder):
    line = shlex.join(slurm.job_words((), Path(folder)))
    [parsed] = OverridesParser.create().parse_overrides([shlex.split(line)[-1]])
    assert parsed.value() == str(Path(folder))


@pytest.mark.parametrize("requeue", ["true", "false"])
def test_bash_understands_the_script(requeue, config):
    script = slurm.script(config(f"launcher.requeue={requeue}"), ("mask.name=it's",))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_container_sees_the_checkout_the_run_and_what_was_named(config, tmp_path):
    words = ("launcher.container=image", "launcher.mounts=[/data,'/cache:/c']")
    line = command(slurm.script(config(*words), words))
    [mounts] = [word for word in line if word.startswith("--container-mounts=")]
    here, run = Path.cwd(), tmp_path / "run"
    assert mounts == f"--container-mounts={here}:{here},{run}:{run},/data:/data,/cache:/c"
    assert "--container-image=image" in line
    assert line[line.index("-m") - 1] == "python"


def test_runs_have_jobs_of_different_names(config, tmp_path):
    one, same, other = (
        options(slurm.script(config(f"run_dir={tmp_path / name}"), ()))[0] for name in ("a", "a", "b")
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        (None, None),
        ("disk:2", None),
        ("gpu", 1),
        ("gpu:8", 8),
        ("gpu:big", 1),
        ("gpu:big:4", 4),
        ("disk:1,gpu:2", 2),
        ("gpu:4(S:0-1)", 4),
    ],
)
def test_gpus_are_counted_in_gres(gres, gpus, config):
    assert slurm.gpus_of(gres) == gpus
    assert slurm.tasks_per_node(config(f"launcher.gres={'null' if gres is None else repr(gres)}")) == (
        gpus or 1
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["launcher=cloud"], "launcher=cloud does not exist: choose one of"),
        (["launcher.kind=cloud"], "launcher.kind=cloud is not known"),
        (["launcher.minutes=0"], "launcher.minutes=0 is too small"),
        (["launcher.memory_gb=-1"], "launcher.memory_gb=-1 is too small"),
        (["launcher.minutes=5"], "launcher.notice=300 seconds leave no time to train"),
        (["launcher.partition='a b'"], "launcher.partition='a b' is empty or has a space"),
        (["launcher.account=''"], "launcher.account='' is empty"),
        (["launcher.options=[exclusive]"], "launcher.options='exclusive' is no option of sbatch"),
        (["launcher.mounts=[/data]"], "launcher.mounts is for a container: set launcher.container"),
        (["launcher.patition=a"], "launcher.patition is not a setting: did you mean partition?"),
    ],
)
def test_settings_that_cannot_work_are_refused(words, sentence, config):
    with pytest.raises(ConfigError) as caught:
        config(*words)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_processes_than_gpus_are_refused(config):
    wrong = config("launcher.gres='gpu:4'", "parallel.processes=8")
    with pytest.raises(ConfigError, match=r"^parallel\.processes=8 are more than .* launcher\.gres=gpu:4"):
        slurm.script(wrong, ())


def test_without_sbatch_one_sentence_says_so(config, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^launcher=slurm needs Slurm's sbatch"):
        slurm.submit(config(), ())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_a_block_of_launchers(profile, config):
    assert yaml.safe_load(profile.read_text())["defaults"] == ["slurm"]
    found = config(f"launcher={profile.stem}", "launcher.container=image")
    assert found.launcher.kind == "slurm"
    assert slurm.tasks_per_node(found) == 8


def dry_run(folder: Path, *words: str) -> tuple[str, dict]:
    """The script and the settings that a dry run in `folder` prints."""
    (folder / "rows.jsonl").write_text("{}\n")
    code = f"import sys; sys.path.insert(0, {str(compose.HOME)!r}); from train.__main__ import main; main()"
    command = [sys.executable, "-c", code, *words, "data.path=rows.jsonl", "launcher.dry_run=true"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    script, _, settings = done.stdout.partition("# The settings:\n")
    return script, yaml.safe_load(settings)


def test_a_dry_run_prints_script_and_settings_and_leaves_nothing(tmp_path):
    script, settings = dry_run(tmp_path, "launcher=slurm", "sft.seed=7")
    assert script.startswith("#!/bin/bash\n#SBATCH --job-name=custom-")
    assert "sft.seed=7" in command(script)
    assert settings["sft"]["seed"] == 7
    assert settings["launcher"]["minutes"] == LauncherConfig().minutes
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_jobs_of_a_sweep_are_told_apart(tmp_path):
    (tmp_path / "rows.jsonl").write_text("{}\n")
    words = ("--multirun", "sft.seed=1,2", "launcher=slurm", "launcher.dry_run=true", "data.path=rows.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "train", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(compose.HOME)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = [option for option in options(done.stdout) if option.startswith("--job-name=")]
    assert len(names) == len(set(names)) == 2
    folders = [line.partition("=")[2] for line in done.stdout.splitlines() if line.startswith("run=")]
    assert [Path(folder).name for folder in folders] == ["TIME", "TIME_2"]


def test_a_job_that_is_not_what_was_planned_is_told(config):
    eight = "hardware=h100x8"
    assert slurm.other_gpus(config()) is None, "nothing was planned"
    assert slurm.other_gpus(config(eight, "launcher=single_node")) is None
    sentence = slurm.other_gpus(config(eight))
    assert "8 GPUs (8x H100 80GB), but this job starts 1 process: ask for as many" in sentence
    four = slurm.other_gpus(config(eight, "launcher=multi_node", "parallel.nodes=4"))
    assert "starts 32 processes" in four


def test_a_profile_of_ones_own_is_found_here_and_by_the_job(tmp_path):
    (tmp_path / "own" / "launcher").mkdir(parents=True)
    (tmp_path / "own" / "launcher" / "ours.yaml").write_text("defaults: [slurm]\npartition: long\n")
    script, settings = dry_run(tmp_path, "--config-dir=own", "launcher=ours")
    assert "--partition=long" in options(script)
    assert settings["launcher"]["kind"] == "slurm"
    assert f"--config-dir={tmp_path / 'own'}" in command(script)


TASK = {
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "n[07-08]",
    "SLURM_PROCID": "11",
    "SLURM_LOCALID": "3",
    "SLURM_JOB_ID": "123456",
}


def test_a_task_of_srun_is_a_process_of_the_run():
    assert slurm.environment_from_slurm(TASK) == {
        "RANK": "11",
        "WORLD_SIZE": "16",
        "LOCAL_RANK": "3",
        "LOCAL_WORLD_SIZE": "8",
        "MASTER_ADDR": "n07",
        "MASTER_PORT": "13456",
    }
    given = {"MASTER_ADDR": "other", "MASTER_PORT": "1"}
    assert slurm.environment_from_slurm(TASK | given).items() >= given.items()


@pytest.mark.parametrize("environment", [{}, TASK | {"SLURM_STEP_NUM_TASKS": "1"}, TASK | {"RANK": "0"}])
def test_a_process_alone_or_of_another_launcher_takes_nothing_from_slurm(environment):
    assert slurm.environment_from_slurm(environment) == {}
