"""Whole runs beside the reference's own code: the same model and terminal, the same messages, to the byte."""

import __future__

import ast
import asyncio
import json
import re
import shlex
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal_lego.errors import ContextLengthExceededError, ModelUnavailableError, TrialError
from terminal_lego.harness.agents import Deadline
from terminal_lego.harness.agents.terminus2 import Terminus2
from terminal_lego.harness.clients import Completion
from terminal_lego.harness.harbor_wheel import harbor_profile
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.sandbox import ExecResult
from terminal_lego.task import Task, TaskConfig
from terminal_lego.trajectory import Message
from tests.terminal_lego.reference import parser, source

SCREEN = 10
FULL, GONE, CUT = "FULL", "GONE", "CUT"
TASK = "Say {hello}.\n"


class Over(BaseException):
    """The script ended; no code may catch it."""


@dataclass
class World:
    """A terminal where every line typed is answered, and a model that follows a script.

    A token is a character. `says` is what the model does: a text, or FULL, GONE, or CUT and a text.
    """

    says: list[str]
    context: int | None = None
    output_limit: int | None = None
    model: str = "model"
    text: str = "$ \n"
    alive: bool = True
    typed: list[str] = field(default_factory=list)
    asked: list[list[Message]] = field(default_factory=list)

    def type(self, keystrokes: str) -> None:
        if not keystrokes:
            return
        self.typed.append(keystrokes)
        if keystrokes == "clear\n":
            self.text = "\n\n$ \n"
        elif keystrokes == "exit\n":
            self.alive = False
        else:
            size = int(found[1]) if (found := re.match(r"seq (\d+)\n", keystrokes)) else 1
            lines = "".join(f"{number} é\n" for number in range(size))
            self.text = f"{self.text.rstrip()} {keystrokes}{lines}$ \n"

    def capture(self, full: bool) -> str:
        lines = self.text.splitlines()
        rows = lines[-SCREEN:]
        return "\n".join(lines if full else rows) + "\n" * (1 + SCREEN - len(rows))

    def answer(self, messages: list[Message]) -> str:
        self.asked.append([dict(message) for message in messages])
        if not self.says:
            raise Over
        return self.says.pop(0)

    def count(self, messages: list[Message]) -> int:
        return sum(len(message["content"]) for message in messages)

    # As our agent's model.
    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        said = self.answer(messages)
        if said == FULL:
            raise ContextLengthExceededError(said)
        if said == GONE:
            raise ModelUnavailableError(said)
        return Completion(said.removeprefix(CUT), "length" if said.startswith(CUT) else "stop")

    # As our agent's container.
    def exec(self, command: str, **_: object) -> ExecResult:
        if not self.alive:
            return ExecResult(1, "gone\n")
        if command.startswith("tmux send-keys"):
            self.type(shlex.split(command)[-1])
            return ExecResult(0, "")
        if separator := re.search(r"display-message -p (\S+)", command):
            return ExecResult(0, f"{self.capture(True)}{separator[1]}\n{self.capture(False)}")
        return ExecResult(0, self.capture(False))


class Stand(SimpleNamespace):
    """For the reference's record keeping: anything can be made of anything."""

    def __init__(self, *_: object, **fields: object) -> None:
        super().__init__(**fields)

    def __getattr__(self, name: str) -> None:
        return None


class Full(Exception):
    pass


class Cut(Exception):
    def __init__(self, message: str = "", truncated_response: str = "") -> None:
        self.truncated_response = truncated_response


RECORDS = ("LLMResponse", "Metrics", "Observation", "ObservationResult", "Step", "ToolCall", "Command")
KEPT = {
    "terminus_2.py": (
        "_check_proactive_summarization _execute_commands _get_completion_confirmation_message "
        "_get_error_response_type _handle_llm_interaction _limit_output_length _query_llm _run_agent_loop "
        "_summarize _unwind_messages_to_free_tokens"
    ),
    "tmux_session.py": "_find_new_content _get_visible_screen get_incremental_output",
}


def reference_class(wheel: Path, file: str, name: str, **names: object) -> type:
    """A class of the reference without its bases, decorators (but properties), and other methods."""
    text = source(wheel, file) if file in KEPT else ZipFile(wheel).read(file).decode()
    nodes = ast.walk(ast.parse(text))
    node = next(node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name)
    node.bases, node.decorator_list = [], []
    methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    node.body = [method for method in methods if file not in KEPT or method.name in KEPT[file].split()]
    for method in node.body:
        method.decorator_list = [d for d in method.decorator_list if ast.unparse(d) == "property"]
    code = compile(ast.Module([node], []), file, "exec", __future__.annotations.compiler_flag)
    scope = {"datetime": datetime, "timezone": timezone, "time": time, **names}
    exec(code, scope)
    return scope[name]


class Reference:
    """The reference's loop on a world."""

    def __init__(self, wheel: Path) -> None:
        errors = {"ContextLengthExceededError": Full, "OutputLengthExceededError": Cut}
        records = dict.fromkeys(RECORDS, Stand)
        agent = reference_class(wheel, "terminus_2.py", "Terminus2", **errors, **records)
        session = reference_class(wheel, "tmux_session.py", "TmuxSession")
        self.chat = reference_class(wheel, "harbor/llms/chat.py", "Chat")
        self.parser, self.profile = parser(wheel, "json"), harbor_profile("json", wheel)

        class Session(session):
            _previous_buffer = None

            def __init__(self, world: World) -> None:
                self.world = world

            async def is_session_alive(self) -> bool:
                return self.world.alive

            async def send_keys(self, keys: str, block: bool, min_timeout_sec: float) -> None:
                if not self.world.alive:
                    raise Over
                self.world.type(keys)

            async def capture_pane(self, capture_entire: bool = False) -> str:
                return self.world.capture(capture_entire) if self.world.alive else ""

        class Agent(agent):
            def __getattr__(self, name: str) -> object:
                return None if name.startswith("_pending") else 0

            def _dump_trajectory(self) -> None: ...

            def _count_total_tokens(self, chat: object) -> int:
                return self.world.count(chat.messages)

            def _prepare_copied_trajectory_steps(self, count: int) -> tuple[list, int]:
                return [], 0

            async def _run_subagent(self, prompt: str, message_history: list, **_: object) -> tuple:
                return await self._llm.call(prompt, message_history), None

        self.session, self.agent = Session, Agent

    def run(self, world: World, turns: int) -> None:
        async def call(prompt: str, message_history: list = (), **_: object) -> Stand:
            said = world.answer([*message_history, {"role": "user", "content": prompt}])
            if said == FULL:
                raise Full
            if said == GONE:
                raise RuntimeError(said)
            if said.startswith(CUT):
                raise Cut(truncated_response=said.removeprefix(CUT))
            return Stand(content=said)

        log = SimpleNamespace(debug=lambda _: None, error=lambda _: None)
        agent, session = self.agent(), self.session(world)
        agent.world, agent._session, agent._parser, agent.logger = world, session, self.parser, log
        agent._llm = SimpleNamespace(
            call=call,
            get_model_context_limit=lambda: world.context or 1_000_000,
            get_model_output_limit=lambda: world.output_limit,
        )
        agent.options = SimpleNamespace(
            enable_summarize=True,
            parser_name="json",
            proactive_summarization_threshold=8_000,
            trajectory_config={"raw_content": True},
        )
        agent._max_episodes, agent._context, agent._trajectory_steps = turns, Stand(), []
        agent._llm_call_kwargs, agent._api_request_times = {}, []

        async def work() -> None:
            screen = agent._limit_output_length(await session.get_incremental_output())
            await agent._run_agent_loop(
                self.profile.initial(TASK, screen), self.chat(agent._llm), original_instruction=TASK
            )

        with suppress(Over, RuntimeError, Full):
            asyncio.run(work())


def run_ours(world: World, turns: int, profile: Profile) -> None:
    task = Task(Path("hello"), TaskConfig(), TASK)
    with tempfile.TemporaryDirectory() as folder, suppress(Over, TrialError):
        Terminus2(world, profile, turns).run(task, world, Path(folder), Deadline(sleep=lambda _: None))


def reply(*keystrokes: str, done: bool = False, note: str = "", field: str = "duration") -> str:
    commands = [{"keystrokes": text, "duration": 0, field: 0} for text in keystrokes]
    return note + json.dumps({"analysis": "", "plan": "", "commands": commands, "task_complete": done})


@pytest.fixture(scope="module")
def reference(harbor_wheel: Path) -> Reference:
    return Reference(harbor_wheel)


lines = st.sampled_from(["ls\n", "", "clear\n", "seq 30\n", "seq 3000\n", "C-c", "x" * 3_000 + "\n"])
notes, fields = st.sampled_from(["", "", "Sure: "]), st.sampled_from(["duration", "duration", "ERROR:"])
replies = st.builds(reply, lines, lines, done=st.booleans(), note=notes, field=fields)
says = replies | st.sampled_from(
    [FULL, GONE, "no JSON", f"{CUT}{{", CUT + reply("ls\n", note="So: "), reply("exit\n"), "y" * 6_000]
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=st.lists(replies | says, max_size=14),
    context=st.sampled_from([None, None, 1_000, 9_000, 16_000, 30_000, 60_000]),
    output_limit=st.sampled_from([None, 64]),
    turns=st.integers(1, 12),
)
def test_the_model_is_sent_what_the_reference_sends(
    reference: Reference, script: list[str], context: int | None, output_limit: int | None, turns: int
):
    theirs, ours = (World(list(script), context, output_limit) for _ in range(2))
    reference.run(theirs, turns)
    run_ours(ours, turns, reference.profile)
    assert ours.asked == theirs.asked
    assert ours.typed == theirs.typed
