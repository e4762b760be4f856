"""Terminus-2: one model, one terminal, keystrokes in JSON or XML."""

from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.dialogue import Dialogue
from terminal_lego.harness.agents.record import Record
from terminal_lego.harness.clients import ChatClient
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.instruction import augmented
from terminal_lego.harness.observation import limit
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.session import Shell, TerminalSession
from terminal_lego.reply import Reply
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from terminal_lego.task import Task

UNLIMITED_TURNS = 1_000_000


class Terminus2:
    """Ends when the model declares the task complete twice, the session is gone or the turns are used up.

    Args:
        client: the model.
        profile: the wording, reply format and quirks; None for this project's own.
        max_turns: replies the model may give; None for as many as its time allows.
        summarize: whether a conversation that fills the model's context is summarised and goes on; without
            it, ContextLengthExceededError ends the run.
    """

    name = "terminus-2"
    version = "2.0.0"

    def __init__(
        self,
        client: ChatClient,
        profile: Profile | None = None,
        max_turns: int | None = None,
        *,
        summarize: bool = True,
    ) -> None:
        self.client = client
        self.profile = profile or Profile.native()
        self.max_turns = UNLIMITED_TURNS if max_turns is None else max_turns
        self.summarize = summarize
        self.model: str | None = client.model
        self.config = {
            "max_turns": max_turns,
            "parser": self.profile.parser,
            "profile": self.profile.fingerprint,
            "quirks": sorted(self.profile.quirks),
            "summarize": summarize,
        }

    def run(self, task: "Task", sandbox: Shell, trial_dir: Path, deadline: Deadline) -> AgentResult:
        """Work on a task; see `Agent.run`. The record is complete whatever ends the run."""
        session = TerminalSession(
            sandbox, user=task.config.agent.user, quirks=self.profile.quirks, sleep=deadline.sleep
        )
        session.start()
        screen = limit(session.observe())
        prompt = self.profile.initial(augmented(task, sandbox, self.profile), screen)
        with Record(trial_dir, self._trajectory(trial_dir.name, task.name, prompt)) as record:
            dialogue = Dialogue(
                self.client,
                self.profile,
                record,
                deadline,
                instruction=task.instruction,
                screen=session.screen,
                summarize=self.summarize,
            )
            self._work(session, dialogue, record, prompt, deadline)
        return record.result()

    def _trajectory(self, trial: str, task: str, prompt: str) -> Trajectory:
        return Trajectory(
            id=trial,
            task=task,
            model=self.client.model,
            prompt=prompt,
            turns=(),
            agent=self.name,
            agent_version=self.version,
            extra={
                "parser": self.profile.parser,
                "profile": self.profile.name,
                "profile_fingerprint": self.profile.fingerprint,
            },
        )

    def _work(
        self, session: TerminalSession, dialogue: Dialogue, record: Record, prompt: str, deadline: Deadline
    ) -> None:
        completion_declared = False
        for _ in range(self.max_turns):
            if not session.alive():
                return
            completion = dialogue.ask(prompt)
            reply = self.profile.parse(completion.text)
            if completion.finish_reason == "length":
                prompt = self.profile.length(self.client.output_limit, reply)
            elif reply.error or (self._has("error-substring") and "ERROR:" in reply.warning):
                prompt = self.profile.error(reply)
            else:
                observation = self._execute(reply, session, deadline)
                if reply.task_complete and completion_declared:
                    record.observation(observation)
                    return
                completion_declared = reply.task_complete
                prompt = self._answer(reply, observation)
            record.observation(prompt)

    def _execute(self, reply: Reply, session: TerminalSession, deadline: Deadline) -> str:
        for command in reply.commands:
            deadline.check()
            session.send(command.keystrokes, command.duration)
        return limit(session.observe())

    def _answer(self, reply: Reply, observation: str) -> str:
        if reply.task_complete:
            return self.profile.confirm(observation)
        if self._has("limit-twice"):
            observation = limit(observation)
        return self.profile.warning(reply, observation) if reply.warning else observation

    def _has(self, quirk: str) -> bool:
        return quirk in self.profile.quirks
