import json

import pytest

from terminal_lego.formats import read_trajectories

RAW = '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.1}]}'
PROMPT = {"source": "user", "message": "do it"}


def document(*steps, version="ATIF-v1.6", **fields):
    numbered = [{"step_id": number} | step for number, step in enumerate(steps, start=1)]
    agent = {"name": "terminus-2", "version": "2.0.0", "model_name": "some/model"}
    return {"schema_version": version, "session_id": "s", "agent": agent, "steps": numbered} | fields


def agent(message, observation=None, **fields):
    return {"source": "agent", "message": message, "observation": observation} | fields


def seen(content):
    return {"results": [{"content": content}]}


def read(folder, data, name="some.json"):
    (folder / name).write_text(json.dumps(data))
    return read_trajectories(folder / name)


def only(result):
    assert result.set_aside == []
    (trajectory,) = result.trajectories
    return trajectory


def reason(result):
    assert result.trajectories == []
    (set_aside,) = result.set_aside
    return set_aside.reason


@pytest.mark.parametrize("minor", range(2, 9))
def test_every_version_reads_alike(tmp_path, minor):
    data = document(PROMPT, agent(RAW, seen("screen")), agent(RAW, seen("last")), version=f"ATIF-v1.{minor}")
    trajectory = only(read(tmp_path, data))
    assert trajectory.messages() == [
        {"role": "user", "content": "do it"},
        {"role": "assistant", "content": RAW},
        {"role": "user", "content": "screen"},
        {"role": "assistant", "content": RAW},
    ]
    assert (trajectory.model, trajectory.agent, trajectory.agent_version) == (
        "some/model",
        "terminus-2",
        "2.0.0",
    )
    assert trajectory.id == "some.json"


def test_metrics_and_reasoning_are_kept(tmp_path):
    metrics = {"prompt_tokens": 7, "completion_tokens": 3, "cost_usd": 0.1}
    step = agent(RAW, seen("x"), metrics=metrics, reasoning_content="hm")
    (turn,) = only(read(tmp_path, document(PROMPT, step))).turns
    assert (turn.prompt_tokens, turn.completion_tokens, turn.reasoning) == (7, 3, "hm")


def test_replies_are_read_in_the_format_of_their_agent(tmp_path):
    xml = (
        "<response><analysis>a</analysis><plan>p</plan><commands>"
        '<keystrokes duration="0.1">ls\n</keystrokes></commands></response>'
    )
    data = document(PROMPT, agent(xml, seen("x")))
    assert only(read(tmp_path, data)).turns[0].parsed.error
    data["agent"]["extra"] = {"parser": "xml"}
    (turn,) = only(read(tmp_path, data)).turns
    assert [command.keystrokes for command in turn.commands] == ["ls\n"]
    assert turn.reply == xml


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"results": []}, ""),
        ({"results": None}, ""),
        ("plain", "plain"),
        ([{"content": "one"}, {"content": None}, {"content": "two"}], "one\ntwo"),
        ({"results": [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}, "a\nb"),
        ({"results": [{"subagent_trajectory_ref": [{"trajectory_id": "x"}]}, {"content": "c"}]}, "c"),
    ],
)
def test_observations_of_every_shape(tmp_path, observation, text):
    (turn,) = only(read(tmp_path, document(PROMPT, agent(RAW, observation)))).turns
    assert turn.observation == text


LS = [
    {
        "tool_call_id": "c",
        "function_name": "bash_command",
        "arguments": {"keystrokes": "ls\n", "duration": 0.1},
    }
]


@pytest.mark.parametrize(
    ("message", "calls", "raw"),
    [
        (RAW, None, True),
        (RAW, LS, True),
        ([{"type": "text", "text": RAW}], None, True),
        ([{"type": "text", "text": "{"}, {"type": "text", "text": "}"}], None, False),
        ("no JSON at all, a reply that did not parse", None, True),
        ("Analysis: a\nPlan: p", LS, False),
        ("Analysis: a\nPlan: p", None, False),
        ("", LS, False),
        ("", None, False),
        (None, None, False),
        ([], None, False),
    ],
)
def test_what_a_model_wrote_is_told_from_a_reconstruction(tmp_path, message, calls, raw):
    (turn,) = only(read(tmp_path, document(PROMPT, agent(message, seen("x"), tool_calls=calls)))).turns
    assert turn.is_raw is raw


def test_system_steps_are_bookkeeping(tmp_path):
    note = {"source": "system", "message": "note"}
    trajectory = only(read(tmp_path, document(note, PROMPT, agent(RAW, seen("x")), note, agent(RAW))))
    assert [turn.observation for turn in trajectory.turns] == ["x", ""]


def test_a_user_step_can_be_the_observation(tmp_path):
    trajectory = only(
        read(tmp_path, document(PROMPT, agent(RAW), {"source": "user", "message": "next"}, agent(RAW)))
    )
    assert trajectory.turns[0].observation == "next"


def test_continuations_are_conversations_of_their_own(tmp_path):
    first = document(PROMPT, agent(RAW, seen("x")), continued_trajectory_ref="some.cont-1.json")
    copied = [PROMPT | {"is_copied_context": True}, {"source": "user", "message": "questions?"}]
    handoff = {"source": "user", "message": "answers"}
    second = document(*copied, agent("1. why?", is_copied_context=True), handoff, agent(RAW, seen("y")))
    (tmp_path / "some.cont-1.json").write_text(json.dumps(second))
    (tmp_path / "some.summarization-1-questions.json").write_text("never opened")
    (tmp_path / "some.json").write_text(json.dumps(first))
    result = read_trajectories(tmp_path)
    assert result.set_aside == []
    one, two = result.trajectories
    assert two.id == f"{one.id}#1"
    assert two.prompt == "do it\n\nquestions?"
    assert [(turn.reply, turn.observation, turn.is_copied) for turn in two.turns] == [
        ("1. why?", "answers", True),
        (RAW, "y", False),
    ]


DONE = RAW[:-1] + ', "task_complete": true}'
HANDOFF = {"source": "user", "message": "handoff"}
REFERENCES = {"results": [{"subagent_trajectory_ref": [{"trajectory_path": "x.json"}]}]}


@pytest.mark.parametrize(
    "middle",
    [
        [],
        [{"source": "system", "message": "summarised"}],
        [{"source": "system", "message": "", "observation": REFERENCES}],
        [{"source": "system", "message": "", "extra": {"compaction": {}}}],
    ],
)
def test_before_a_summary_stands_what_the_model_saw(tmp_path, middle):
    """After it the file lacks the shortened history, so nothing of that is told."""
    turns = [agent(RAW, seen("x")), agent("prose", seen("y"))]
    trajectory = only(read(tmp_path, document(PROMPT, *turns, *middle, HANDOFF, agent(DONE, seen("z")))))
    assert [(turn.reply, turn.observation) for turn in trajectory.turns] == [(RAW, "x"), ("prose", "y")]
    assert trajectory.extra["cut_at_summary"] is True
    assert not trajectory.declared_done


def test_a_handoff_is_not_taken_for_the_missing_observation_before_it(tmp_path):
    note = {"source": "system", "message": "", "observation": REFERENCES}
    trajectory = only(read(tmp_path, document(PROMPT, agent(RAW), note, HANDOFF, agent(RAW))))
    assert [turn.observation for turn in trajectory.turns] == [""]
    assert trajectory.extra == {"cut_at_summary": True, "subagents": 1}


def test_what_is_cut_at_a_summary_never_declares_completion(tmp_path):
    turns = [agent(RAW, seen("x")), agent(DONE, seen("sure?"))]
    trajectory = only(read(tmp_path, document(PROMPT, *turns, HANDOFF, agent(DONE))))
    assert [turn.reply for turn in trajectory.turns] == [RAW]
    assert trajectory.extra["cut_at_summary"] is True


def test_a_summary_that_nothing_follows_cuts_nothing(tmp_path):
    note = {"source": "system", "message": "", "observation": REFERENCES}
    trajectory = only(read(tmp_path, document(PROMPT, agent(DONE, seen("x")), note)))
    assert trajectory.declared_done
    assert trajectory.extra == {"subagents": 1}


def test_embedded_sub_agents_are_counted_and_never_mixed_in(tmp_path):
    sub = document(PROMPT | {"message": "secret"}, agent("secret", seen("secret"))) | {"trajectory_id": "one"}
    references = [{"trajectory_id": "one"}, {"trajectory_path": "two.json"}]
    observation = {"results": [{"content": "x", "subagent_trajectory_ref": references}]}
    data = document(PROMPT, agent(RAW, observation), subagent_trajectories=[sub], version="ATIF-v1.8")
    trajectory = only(read(tmp_path, data))
    assert trajectory.extra == {"subagents": 2}
    assert "secret" not in str(trajectory)


def test_files_that_another_file_leads_to_are_no_trajectories_of_their_own(tmp_path):
    references = [{"trajectory_path": "/logs/agent/helper.json"}]
    observation = {"results": [{"content": "x", "subagent_trajectory_ref": references}]}
    main = document(PROMPT, agent(RAW, observation), continued_trajectory_ref="and-on.json")
    files = {"main": main, "helper": document(PROMPT, agent(RAW)), "and-on": document(PROMPT)}
    for name, data in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    result = read_trajectories(tmp_path)
    assert result.set_aside == []
    id = f"{tmp_path.name}/main.json"
    assert [trajectory.id for trajectory in result.trajectories] == [id, f"{id}#1"]


def test_a_name_in_terminal_text_leads_nowhere(tmp_path):
    said = json.dumps({"continued_trajectory_ref": "other.json"})
    (tmp_path / "main.json").write_text(json.dumps(document(PROMPT, agent(RAW, seen(said)))))
    (tmp_path / "other.json").write_text(json.dumps(document(PROMPT, agent(RAW))))
    assert len(read_trajectories(tmp_path).trajectories) == 2


def test_copied_context_is_marked(tmp_path):
    steps = [agent(RAW, seen("x"), is_copied_context=True), agent(RAW, seen("y"))]
    trajectory = only(read(tmp_path, document(PROMPT, *steps)))
    assert [turn.is_copied for turn in trajectory.turns] == [True, False]


@pytest.mark.parametrize("reference", ["../outside.json", "x/../../outside.json"])
def test_a_chain_never_leaves_its_folder(tmp_path, reference):
    (tmp_path / "outside.json").write_text(json.dumps(document(PROMPT, agent(RAW))))
    (tmp_path / "in").mkdir()
    data = document(PROMPT, agent(RAW), continued_trajectory_ref=reference)
    assert "not in its own folder" in reason(read(tmp_path / "in", data))


def test_a_chain_that_cannot_be_followed_is_set_aside_whole(tmp_path):
    data = document(PROMPT, agent(RAW), continued_trajectory_ref="gone.json")
    assert "gone.json" in reason(read(tmp_path, data))
    data["continued_trajectory_ref"] = "some.json"
    assert "circle" in reason(read(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (document(), "steps"),
        (document(PROMPT, version="ATIF-v2.0"), "schema_version"),
        (document(agent(RAW), PROMPT), "first prompt is missing"),
        (document({"source": "system", "message": "x"}), "no user step"),
        (document(PROMPT, agent(3)), "steps.1.message"),
        (document(PROMPT, {"source": "robot"}), "steps.1.source"),
        (document(PROMPT, agent([{"type": "image", "path": "a.png"}])), "other than text"),
        (document(PROMPT, agent(RAW), agent(RAW) | {"step_id": 9}), "out of order"),
        (document(PROMPT, agent("\ud800")), "surrogate"),
        (document(PROMPT) | {"agent": {"name": "t", "extra": {"summarization_index": 1}}}, "sub-agent"),
        (document(PROMPT) | {"agent": {"name": "t", "extra": {"parent_session_id": "s"}}}, "sub-agent"),
        (document(PROMPT) | {"agent": None}, "agent"),
        (document(PROMPT) | {"extra": {"terminal_lego": 3}}, "terminal_lego"),
    ],
)
def test_what_is_no_whole_conversation_is_set_aside_with_a_reason(tmp_path, data, why):
    assert why in reason(read(tmp_path, data))
