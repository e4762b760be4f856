"""Conversations that fill the model's context: what is sent, what replaces what, what is written down."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from terminal_lego.errors import AgentTimeoutError, ContextLengthExceededError, ModelUnavailableError
from terminal_lego.formats import read_trajectories
from terminal_lego.harness.agents.dialogue import FREED, RESERVE, SHARE, Dialogue
from terminal_lego.harness.agents.record import Record
from terminal_lego.harness.agents.summary import SCREEN_CHARACTERS
from terminal_lego.harness.clients import Completion
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.quirks import QUIRKS
from terminal_lego.trajectory import Message, Trajectory

NATIVE = Profile.native()
QUIRKY = replace(NATIVE, quirks=frozenset(QUIRKS))
TASK, SCREEN = "Say hello.\n", "#" * SCREEN_CHARACTERS + "$ \n"
START = NATIVE.initial(TASK, "$ \n")

Answer = str | Completion | Exception
FULL, GONE = ContextLengthExceededError("full"), ModelUnavailableError("gone")


def size(messages: list[Message]) -> int:
    return sum(len(message["content"]) for message in messages)


@dataclass
class Model:
    """A token is a character. Refuses what is longer than `fits`, else answers with `says` in order."""

    says: list[Answer]
    fits: int = 10**9
    context: int | None = None
    output_limit: int | None = None
    model: str = "model"
    asked: list[list[Message]] = field(default_factory=list)

    count = staticmethod(size)

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        self.asked.append(list(messages))
        if size(messages) > self.fits:
            raise ContextLengthExceededError("full")
        answer = self.says.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completion) else Completion(answer)


@dataclass
class Run:
    folder: Path
    model: Model
    profile: Profile = NATIVE
    summarize: bool = True
    deadline: Deadline = field(default_factory=Deadline)

    def __post_init__(self) -> None:
        self.record = Record(self.folder, Trajectory("run", "task", "model", START, ()))
        self.dialogue = Dialogue(
            self.model,
            self.profile,
            self.record,
            self.deadline,
            instruction=TASK,
            screen=lambda: SCREEN,
            summarize=self.summarize,
        )

    def ask(self, *prompts: str) -> list[str]:
        """Each prompt in turn, as the observation of the reply before it."""
        texts = []
        for prompt in prompts:
            if texts:
                self.record.observation(prompt)
            texts.append(self.dialogue.ask(prompt).text)
        return texts

    @property
    def segments(self) -> list[Trajectory]:
        return read_trajectories(self.folder / "agent" / "trajectory.json").trajectories

    def document(self, name: str) -> dict:
        return json.loads((self.folder / "agent" / name).read_text())


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Run]:
    return lambda *says, profile=NATIVE, **model: Run(tmp_path, Model(list(says), **model), profile)


def chat(*texts: str) -> list[Message]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def nearly(messages: list[Message], free: int) -> int:
    """The context in which this conversation leaves so much free."""
    return size(messages) + free


LONG = "x" * 4 * RESERVE


class TestBeforeTheContextIsFull:
    CONTEXT = nearly(chat(START, "A0", LONG, "A1"), RESERVE - 1)

    def test_three_calls_that_know_only_what_they_are_sent(self, start):
        run = start("A0", "A1", "S", "Q", "A", "A2", context=self.CONTEXT)
        assert run.ask(START, LONG, "never sent") == ["A0", "A1", "A2"]
        handover = NATIVE.handover(TASK)
        opening = NATIVE.questions(TASK, "S", SCREEN)
        assert run.model.asked[2:] == [
            chat(START, "A0", LONG, "A1", handover),
            chat(opening),
            chat(START, "A0", LONG, "A1", handover, "S", NATIVE.answers("Q")),
            chat(f"{START}\n\n{opening}", "Q", NATIVE.resume("A")),
        ]

    def test_the_reference_leaves_two_user_messages_in_a_row(self, start):
        run = start("A0", "A1", "S", "Q", "A", "A2", context=self.CONTEXT, profile=QUIRKY)
        run.ask(START, LONG, "never sent")
        roles = [message["role"] for message in run.model.asked[-1]]
        assert roles == ["user", "user", "assistant", "user"]
        assert run.model.asked[-1][0]["content"] == START

    def test_nothing_happens_while_enough_is_free(self, start):
        run = start("A0", "A1", "A2", context=self.CONTEXT + 1)
        run.ask(START, LONG, "O1")
        assert run.model.asked[-1] == chat(START, "A0", LONG, "A1", "O1")

    @pytest.mark.parametrize(("profile", "calls"), [(NATIVE, 2), (QUIRKY, 5)])
    def test_a_small_context_keeps_a_share_of_itself_free(self, start, profile: Profile, calls: int):
        context = 4_000
        assert context - size(chat(START, "A0")) > context // SHARE
        run = start("S", "Q", "A", "A1", context=context, profile=profile)
        run.model.says.insert(0, "A0")
        run.ask(START, "O0")
        assert len(run.model.asked) == calls

    @pytest.mark.parametrize(("profile", "sent"), [(NATIVE, START), (QUIRKY, TASK)])
    def test_before_the_first_reply_there_is_nothing_to_summarise(self, start, profile: Profile, sent: str):
        run = start("A0", context=10, profile=profile)
        run.ask(START)
        assert run.model.asked == [chat(sent)]
        assert run.segments[0].prompt == sent

    @pytest.mark.parametrize(
        "failure",
        [Completion("S", finish_reason="length"), FULL, GONE],
        ids=["cut", "full", "gone"],
    )
    def test_without_a_summary_the_work_goes_on(self, start, failure: Answer):
        run = start("A0", "A1", failure, "A2", context=self.CONTEXT)
        run.ask(START, LONG, "O1")
        assert run.model.asked[-1] == chat(START, "A0", LONG, "A1", "O1")
        assert len(run.segments) == 1

    def test_the_first_message_does_not_grow_with_every_summary(self, start):
        run = start("A0", "A1", "S", "Q", "A", LONG, "S2", "Q2", "A2", "end", context=self.CONTEXT)
        run.ask(START, LONG, "never sent", "never sent")
        opening = f"{START}\n\n{NATIVE.questions(TASK, 'S2', SCREEN)}"
        assert run.model.asked[-1] == chat(opening, "Q2", NATIVE.resume("A2"))


class TestOnceTheContextIsFull:
    def test_the_last_turns_are_forgotten_until_enough_is_free(self, start):
        kept = chat(START, "A0", LONG, "A1")
        proactive = [GONE, "A2", GONE]
        run = start("A0", "A1", *proactive, FULL, "S", "Q", "A", "A3", context=nearly(kept, FREED))
        assert run.ask(START, LONG, "O1", "O2")[-1] == "A3"
        assert run.model.asked[6] == [*kept, *chat(NATIVE.handover(TASK))]

    def test_the_first_exchange_stays(self, start):
        run = start("A0", GONE, "A1", GONE, FULL, "S", "Q", "A", "A2", context=100)
        assert run.ask(START, "O0", "O1")[-1] == "A2"
        assert run.model.asked[5] == chat(START, "A0", NATIVE.handover(TASK))

    def test_the_reference_forgets_all(self, start):
        run = start("A0", GONE, "A1", GONE, FULL, "A2", context=100, profile=QUIRKY)
        assert run.ask(START, "O0", "O1")[-1] == "A2"
        assert run.model.asked[5] == chat(TASK)

    @pytest.mark.parametrize(("profile", "kept"), [(NATIVE, 2), (QUIRKY, 4)])
    def test_what_was_answered_stands_for_an_unknown_context(self, start, profile: Profile, kept: int):
        run = start("A0", "A1", FULL, "S", "Q", "A", "A2", profile=profile)
        run.ask(START, LONG, "O1")
        assert len(run.model.asked[3]) == kept + 1

    def test_the_summary_failing_a_short_one_is_asked_for(self, start):
        run = start("A0", "A1", FULL, FULL, "next: ls", "A2")
        run.ask(START, "O0", "O1")
        screen = SCREEN[-SCREEN_CHARACTERS:]
        assert run.model.asked[4] == chat(NATIVE.brief(TASK, screen))
        assert run.model.asked[5] == chat(START, "A0", NATIVE.briefed(TASK, "next: ls"))

    def test_the_short_one_failing_too_the_task_and_the_screen_are_sent(self, start):
        run = start("A0", "A1", FULL, FULL, FULL, "A2")
        assert run.ask(START, "O0", "O1")[-1] == "A2"
        assert run.model.asked[-1] == chat(START, "A0", NATIVE.bare(TASK, SCREEN[-SCREEN_CHARACTERS:]))

    def test_when_all_fails_the_run_ends(self, start):
        run = start("A0", FULL, FULL, FULL, FULL)
        with pytest.raises(ContextLengthExceededError):
            run.ask(START, "O0")

    @pytest.mark.parametrize("last", [FULL, Completion("{", "length")])
    def test_when_all_fails_the_reference_invents_a_reply(self, start, last: Answer):
        run = start("A0", FULL, FULL, FULL, last, "A1", profile=QUIRKY)
        assert run.ask(START, "O0", "O1") == ["A0", QUIRKY.apology, "A1"]
        assert run.model.asked[-1] == chat(START, "A0", "O1")
        invented = [turn.is_raw for segment in run.segments for turn in segment.turns if not turn.is_copied]
        assert invented == [True, False, True]

    def test_a_first_prompt_that_does_not_fit_ends_the_run(self, start):
        run = start(fits=1)
        with pytest.raises(ContextLengthExceededError):
            run.ask(START)
        assert len(run.model.asked) == 1

    def test_without_summaries_the_run_ends(self, tmp_path: Path):
        run = Run(tmp_path, Model(["A0", ContextLengthExceededError("full")], context=10), summarize=False)
        with pytest.raises(ContextLengthExceededError):
            run.ask(START, "O0")
        assert len(run.model.asked) == 2

    def test_the_end_of_the_time_is_no_reason_to_go_on(self, tmp_path: Path):
        now = [0.0]
        run = Run(tmp_path, Model(["A0"]), deadline=Deadline(10, clock=lambda: now[0]))
        run.ask(START)

        def gone(messages: list[Message], timeout: float | None = None) -> Completion:
            now[0] = 10.0
            raise ContextLengthExceededError("full")

        run.model.complete = gone
        with pytest.raises(AgentTimeoutError):
            run.ask("O0")


class TestOnRecord:
    @pytest.mark.parametrize("profile", [NATIVE, QUIRKY], ids=["native", "quirks"])
    def test_every_segment_is_what_the_model_was_sent(self, start, profile: Profile):
        context = nearly(chat(START, "A0", LONG, "A1"), RESERVE - 1)
        run = start("A0", "A1", "S", "Q", "A", "A2", "A3", context=context, profile=profile)
        run.ask(START, LONG, "never sent", "O2")
        first, second = run.segments
        assert first.messages()[:-1] == run.model.asked[1]
        assert first.turns[-1].observation == "never sent"
        sent = run.model.asked[-1]
        opening = "\n\n".join(message["content"] for message in sent[: 1 if profile is NATIVE else 2])
        rest = [message["content"] for message in sent[1 if profile is NATIVE else 2 :]]
        assert second.messages()[:-1] == chat(opening, *rest)
        assert [turn.is_copied for turn in second.turns] == [True, False, False]
        assert (first.id, second.id) == ("run", "run#1")

    def test_the_calls_for_a_summary_are_files_of_their_own(self, start):
        context = nearly(chat(START, "A0", LONG, "A1"), RESERVE - 1)
        run = start("A0", "A1", "S", "Q", Completion("A", prompt_tokens=7), "A2", context=context)
        run.ask(START, LONG, "never sent")
        names = [f"trajectory.summarization-1-{step}.json" for step in ("summary", "questions", "answers")]
        for name, asked, answer in zip(names, run.model.asked[2:5], "SQA", strict=True):
            document = run.document(name)
            texts = []
            for step in document["steps"]:
                texts += [step["message"]]
                texts += [result["content"] for result in step.get("observation", {}).get("results", ())]
            assert texts == [message["content"] for message in asked] + [answer]
            copied = [step.get("is_copied_context", False) for step in document["steps"]]
            assert copied == [False] + [True] * (len(copied) - 2) + [False]
            assert document["agent"]["extra"]["parent_session_id"] == "run"
            assert document["agent"]["extra"]["summarization_index"] == 1
        first = run.document("trajectory.json")
        assert first["continued_trajectory_ref"] == "trajectory.cont-1.json"
        step = first["steps"][-1]
        references = step["observation"]["results"][0]["subagent_trajectory_ref"]
        assert step["source"] == "system"
        assert [reference["trajectory_path"] for reference in references] == names
        assert run.document("trajectory.cont-1.json")["agent"]["extra"]["continuation_index"] == 1
        result = run.record.result()
        assert (result.turns, result.prompt_tokens, result.summarizations) == (3, 7, 1)

    def test_a_short_way_out_is_the_prompt_that_was_sent(self, start):
        run = start("A0", FULL, "S", FULL, "next", "A1")
        run.ask(START, "O0")
        (segment,) = run.segments
        assert segment.messages() == chat(START, "A0", NATIVE.briefed(TASK, "next"), "A1")
        assert "system" not in {step["source"] for step in run.document("trajectory.json")["steps"]}

    def test_token_ids_and_log_probabilities_are_kept(self, start):
        answer = Completion(
            "A0",
            prompt_tokens=2,
            completion_tokens=1,
            cached_tokens=1,
            prompt_token_ids=(3, 4),
            completion_token_ids=(5,),
            logprobs=(-0.5,),
        )
        run = start(answer, "A1")
        run.ask(START, "O0")
        first, second = (step.get("metrics") for step in run.document("trajectory.json")["steps"][1:])
        assert first == {
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "cached_tokens": 1,
            "prompt_token_ids": [3, 4],
            "completion_token_ids": [5],
            "logprobs": [-0.5],
        }
        assert second is None
        assert run.document("trajectory.json")["final_metrics"]["total_cached_tokens"] == 1
        assert run.record.result().cached_tokens == 1
