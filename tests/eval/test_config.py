import pytest

from eval.config import PASSING_ERRORS, EvaluationConfig, HarnessConfig
from terminal_lego import errors
from terminal_lego.errors import ConfigError


def config(**more) -> EvaluationConfig:
    return EvaluationConfig(**{"student": "org/m", "tasks": "t", **more})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"agent": "claude"}, "agent=claude is not known"),
        ({"serve": "ollama"}, "serve=ollama is not known: choose one of auto, vllm, transformers"),
        ({"student": None}, "needs a student"),
        ({"attempts": 0}, "attempts=0 runs nothing"),
        ({"retries": -1}, "retries=-1"),
        ({"timeout_multiplier": 0.0}, "leaves no time"),
        ({"timeout_multiplier": float("nan")}, "leaves no time"),
        ({"shard": "3/2"}, "shard=3/2"),
    ],
)
def test_what_cannot_work_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        config(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"parser": "yaml"}, r"harness\.parser=yaml is not known"),
        ({"max_turns": 0}, r"harness\.max_turns=0"),
        ({"max_input_tokens": 0}, r"harness\.max_input_tokens=0"),
        ({"temperature": -1.0}, r"harness\.temperature=-1"),
        ({"wheel": "x.whl"}, r"only read for harness\.profile=harbor"),
    ],
)
def test_so_it_is_within_the_harness(wrong, message):
    with pytest.raises(ConfigError, match=message):
        HarnessConfig(**wrong)


def test_the_same_command_finds_its_job_again_whatever_is_left_to_run():
    first = config()
    assert first.folder == config(concurrency=9, retries=2, shard="1/2", force=True).folder
    assert str(first.folder).startswith("jobs/m__")


@pytest.mark.parametrize(
    "other", [{"attempts": 2}, {"tasks": "u"}, {"student": "n/m"}, {"harness": HarnessConfig(max_turns=3)}]
)
def test_another_measurement_has_another_job(other):
    assert config(**other).folder != config().folder


def test_a_job_can_be_named():
    assert str(config(job_dir="x/y").folder) == "x/y"


def test_errors_that_may_pass_are_not_the_agents():
    for name in set(PASSING_ERRORS) - {"VerifierBootstrapError"}:
        assert issubclass(getattr(errors, name), errors.InfrastructureError)
