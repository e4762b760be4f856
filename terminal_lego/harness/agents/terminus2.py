"""Terminus-2: one model, one terminal, keystrokes in JSON.

`messages` is the conversation as the model sees it: user and assistant alternate, no system message,
assistant texts exactly as they came, reasoning left out.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import ModelUnavailableError
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.record import Record
from terminal_lego.harness.clients import ChatClient, Completion
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.observation import limit
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.session import Shell, TerminalSession
from terminal_lego.reply import Reply, parse_reply
from terminal_lego.trajectory import Message, Trajectory

if TYPE_CHECKING:
    from terminal_lego.task import Task

UNLIMITED_TURNS = 1_000_000


class Terminus2:
    """Ends when the model declares the task complete twice, the session is gone or the turns are used up.

    Args:
        client: the model.
        profile: the wording; None for this project's own.
        max_turns: replies the model may give; None for as many as its time allows.
    """

    name = "terminus-2"
    version = "2.0.0"

    def __init__(
        self, client: ChatClient, profile: Profile | None = None, max_turns: int | None = None
    ) -> None:
        self.client = client
        self.profile = profile or Profile.native()
        self.max_turns = UNLIMITED_TURNS if max_turns is None else max_turns
        self.model: str | None = client.model
        self.config = {"max_turns": max_turns, "profile": self.profile.fingerprint}

    def run(self, task: "Task", sandbox: Shell, trial_dir: Path, deadline: Deadline) -> AgentResult:
        """Work on a task; see `Agent.run`. The record is complete whatever ends the run."""
        session = TerminalSession(sandbox, user=task.config.agent.user, sleep=deadline.sleep)
        session.start()
        prompt = self.profile.initial(task.instruction, limit(session.observe()))
        with Record(trial_dir, self._trajectory(trial_dir.name, task.name, prompt)) as record:
            self._work(session, record, prompt, deadline)
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
                "parser": "json",
                "profile": self.profile.name,
                "profile_fingerprint": self.profile.fingerprint,
            },
        )

    def _work(self, session: TerminalSession, record: Record, prompt: str, deadline: Deadline) -> None:
        messages: list[Message] = []
        completion_declared = False
        for _ in range(self.max_turns):
            if not session.alive():
                return
            messages.append({"role": "user", "content": prompt})
            completion, seconds = self._ask(messages, deadline)
            messages.append({"role": "assistant", "content": completion.text})
            record.reply(prompt, completion, seconds)

            reply = parse_reply(completion.text)
            if completion.finish_reason == "length":
                prompt = self.profile.length(completion.completion_tokens, reply)
            elif reply.error:
                prompt = self.profile.error(reply)
            else:
                observation = self._execute(reply, session, deadline)
                if reply.task_complete and completion_declared:
                    record.observation(observation)
                    return
                completion_declared = reply.task_complete
                prompt = self._answer(reply, observation)
            record.observation(prompt)

    def _ask(self, messages: list[Message], deadline: Deadline) -> tuple[Completion, float]:
        deadline.check()
        started = time.monotonic()
        try:
            completion = self.client.complete(messages, timeout=deadline.timeout())
        except ModelUnavailableError:
            deadline.check()
            raise
        return completion, time.monotonic() - started

    def _execute(self, reply: Reply, session: TerminalSession, deadline: Deadline) -> str:
        for command in reply.commands:
            deadline.check()
            session.send(command.keystrokes, command.duration)
        return limit(session.observe())

    def _answer(self, reply: Reply, observation: str) -> str:
        if reply.task_complete:
            return self.profile.confirm(observation)
        twice_limited = limit(observation)
        return self.profile.warning(reply, twice_limited) if reply.warning else twice_limited
