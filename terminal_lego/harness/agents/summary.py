"""How a conversation that fills its context is made shorter: calls that know only what they are sent."""

from collections.abc import Callable
from dataclasses import dataclass

from terminal_lego.errors import ContextLengthExceededError, ModelUnavailableError, OutputLengthExceededError
from terminal_lego.harness.agents.record import Record
from terminal_lego.harness.clients import Completion
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Message

FAILURES = (ContextLengthExceededError, OutputLengthExceededError, ModelUnavailableError)
"""What a call for a summary may end with while the run goes on."""

SCREEN_CHARACTERS = 1_000

Ask = Callable[[list[Message]], tuple[Completion, float]]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


@dataclass(frozen=True)
class Summarizer:
    """The ways to go on, best first; `full` and `short` raise one of `FAILURES` when a call does not succeed.

    Attributes:
        ask: one call; returns the answer and the seconds it took.
        instruction: the task's own, without what was added for the agent.
        screen: the visible rows of the terminal.
    """

    ask: Ask
    profile: Profile
    record: Record
    instruction: str
    screen: Callable[[], str]

    def full(self, history: list[Message], first: str) -> tuple[list[Message], str]:
        """Hand over to a fresh model: a summary, its questions about it, the answers to them.

        Args:
            first: the user message that every history of the run begins with.

        Returns:
            The history that takes the place of `history`, and the prompt to go on with.
        """
        profile = self.profile
        self.record.summary()
        asked = [*history, user(profile.handover(self.instruction))]
        summary = self._call("summary", asked)
        opening = profile.questions(self.instruction, summary, self.screen())
        questions = self._call("questions", [user(opening)])
        answers = self._call("answers", [*asked, assistant(summary), user(profile.answers(questions))])
        apart = "two-user-messages" in profile.quirks
        users = [user(first), user(opening)] if apart else [user(f"{first}\n\n{opening}")]
        return [*users, assistant(questions)], profile.resume(answers)

    def short(self) -> str:
        """The prompt to go on with: the task and a few sentences of a model that saw only the screen."""
        completion, _ = self.ask([user(self.profile.brief(self.instruction, self._end_of_screen()))])
        self.record.aside(completion)
        return self.profile.briefed(self.instruction, whole(completion))

    def bare(self) -> str:
        """The prompt to go on with when no call succeeds."""
        return self.profile.bare(self.instruction, self._end_of_screen())

    def _call(self, step: str, messages: list[Message]) -> str:
        completion, seconds = self.ask(messages)
        self.record.subagent(step, messages, completion, seconds)
        return whole(completion)

    def _end_of_screen(self) -> str:
        return self.screen()[-SCREEN_CHARACTERS:]


def whole(completion: Completion) -> str:
    """Its text; OutputLengthExceededError when it was cut."""
    if completion.finish_reason == "length":
        raise OutputLengthExceededError("The answer was cut at the model's output limit.")
    return completion.text
