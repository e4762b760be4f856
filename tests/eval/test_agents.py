import json

import pytest

from eval import agents
from eval.agents import Plan
from eval.config import EvaluationConfig, HarnessConfig
from terminal_lego.errors import ConfigError
from terminal_lego.harness.fingerprint import identify
from terminal_lego.harness.profile import Profile


def config(harness=None, **more) -> EvaluationConfig:
    given = {"student": "m", "tasks": "t", "base_url": "http://127.0.0.1:1/v1", **more}
    return EvaluationConfig(**given, harness=HarnessConfig(**(harness or {})))


def test_oracle_and_nop_need_no_model(tmp_path):
    for name in ("oracle", "nop"):
        plan = Plan(config(student=None, agent=name, base_url=None))
        with plan.opened(tmp_path) as make_agent:
            assert make_agent().name == plan.describe().name == name
        assert plan.conditions == {}


def test_the_described_agent_is_the_one_that_runs(tmp_path):
    plan = Plan(config({"max_turns": 7, "summarize": False, "max_input_tokens": 999, "temperature": 0.7}))
    with plan.opened(tmp_path) as make_agent:
        agent = make_agent()
    assert agent.config == plan.describe().config
    assert (agent.config["max_turns"], agent.config["summarize"]) == (7, False)
    assert (agent.client.context, agent.model) == (999, "m")
    assert plan.conditions == {"serving": "server", "temperature": 0.7, "max_input_tokens": 999}


def test_agents_of_one_job_share_the_client(tmp_path):
    with Plan(config()).opened(tmp_path) as make_agent:
        one, two = make_agent(), make_agent()
    assert one is not two and one.client is two.client


def test_a_profile_is_a_name_or_a_folder(tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    for message in ("initial", "confirm", "error", "warning"):
        (own / f"{message}.md").write_text(Profile.native().templates[message] + "!")
    assert Plan(config({"profile": str(own)})).describe().profile.name == "mine"
    assert Plan(config()).describe().profile.fingerprint == Profile.native().fingerprint
    assert Plan(config({"parser": "xml"})).describe().profile.parser == "xml"
    with pytest.raises(ConfigError, match="/no/such"):
        Plan(config({"profile": "/no/such"}))


@pytest.mark.parametrize("key", ["temperature", "max_input_tokens"])
def test_a_student_in_this_process_has_no_such_setting(key):
    with pytest.raises(ConfigError, match=rf"harness\.{key}=1.* needs a server"):
        Plan(config({key: 1}, base_url=None, serve="transformers"))


def test_a_student_in_this_process_decodes_greedily_and_the_manifest_says_so():
    found = Plan(config(base_url=None, serve="transformers")).conditions
    assert (found["temperature"], found["max_new_tokens"]) == (0.0, 4096)


def test_vllm_is_taken_where_it_is_and_has_a_gpu(monkeypatch, tmp_path):
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.6, "eos_token_id": 1}')
    for can, expected in ((True, "vllm"), (False, "transformers")):
        monkeypatch.setattr(agents, "has_vllm_and_gpu", lambda can=can: can)
        found = Plan(config(base_url=None, student=str(tmp_path))).conditions
        assert found["serving"] == expected
        # Two students with other defaults are sampled otherwise, though the requests are equal.
        assert found.get("model_defaults") == ({"temperature": 0.6} if can else None)


def test_wording_a_student_was_not_trained_on_is_refused_unless_forced(tmp_path):
    (tmp_path / "training.json").write_text(json.dumps({"profiles": ["harbor-B-json"]}))
    with pytest.raises(ConfigError, match=r"was trained on harbor-B-json, .* or set force=true"):
        Plan(config(student=str(tmp_path)))
    Plan(config(student=str(tmp_path), force=True))
    (tmp_path / "training.json").write_text(json.dumps({"profiles": ["x", identify(Profile.native().head)]}))
    Plan(config(student=str(tmp_path)))


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"profiles": []}'])
def test_a_student_that_says_nothing_of_its_training_passes(tmp_path, text):
    if text is not None:
        (tmp_path / "training.json").write_text(text)
    Plan(config(student=str(tmp_path)))


def test_a_student_that_reads_no_thoughts_is_served_with_a_parser(tmp_path):
    student = config(student=str(tmp_path), base_url=None, serve="vllm", vllm_args=["--seed", "1"])
    assert agents._vllm_arguments(student) == ["--seed", "1"]
    (tmp_path / "training.json").write_text(json.dumps({"thinking": "last_turn"}))
    assert agents._vllm_arguments(student) == ["--seed", "1", "--reasoning-parser", "qwen3"]
    student.vllm_args = ["--reasoning-parser=other"]
    assert agents._vllm_arguments(student) == ["--reasoning-parser=other"]
