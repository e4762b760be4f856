import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal_lego.errors import (
    AgentSetupError,
    AgentSetupTimeoutError,
    CommandTimeoutError,
    SandboxError,
)
from terminal_lego.harness.quirks import QUIRKS
from terminal_lego.harness.sandbox import ExecResult
from terminal_lego.harness.session import NO_TMUX, TerminalSession
from tests.terminal_lego.harness.local_sandbox import LocalSandbox, needs_tmux

SCREEN, NEW = "Current Terminal Screen:\n", "New Terminal Output:\n"
ALL = frozenset(QUIRKS)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    sandbox = LocalSandbox(tmp_path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def quirks() -> frozenset[str]:
    return frozenset()


@pytest.fixture
def session(sandbox: LocalSandbox, quirks: frozenset[str]) -> TerminalSession:
    session = TerminalSession(sandbox, quirks=quirks)
    session.start()
    return session


def run(session: TerminalSession, sandbox: LocalSandbox, line: str) -> None:
    """Type a line and wait until the shell is ready for the next."""
    done = sandbox.home / "done"
    session.send(f"{line}; touch {done}\n", 0)
    sandbox.wait_for(done.exists)
    sandbox.wait_for(sandbox.at_prompt)
    done.unlink()


@needs_tmux
class TestTerminal:
    def test_the_first_screen_is_a_prompt_and_blank_rows(self, sandbox: LocalSandbox):
        for number in range(5):
            session = TerminalSession(sandbox, name=f"s{number}")
            session.start()
            assert session.observe() == SCREEN + "$\n" + 39 * "\n"

    def test_a_slow_prompt_is_waited_for(self, sandbox: LocalSandbox):
        (sandbox.home / ".bashrc").write_text("PS1='$ '; PROMPT_COMMAND='sleep 0.5'\n")
        session = TerminalSession(sandbox)
        session.start()
        assert session.observe() == SCREEN + "$\n" + 39 * "\n"

    @pytest.mark.parametrize(("quirks", "lines"), [(frozenset(), 10_000), (ALL, 2_000)])
    def test_the_pane_is_160_by_40_with_a_scrollback(
        self, session: TerminalSession, sandbox: LocalSandbox, lines: int
    ):
        shown = sandbox.exec("tmux display-message -p '#{pane_width} #{pane_height} #{history_limit}'")
        assert shown.output == f"160 40 {lines}\n"

    def test_the_shell_is_interactive_and_inside_a_login_shell(
        self, session: TerminalSession, sandbox: LocalSandbox
    ):
        run(session, sandbox, f"echo $- $(shopt login_shell) > {sandbox.home}/shell")
        flags, _, login = (sandbox.home / "shell").read_text().split()
        assert "i" in flags
        assert login == "off"
        session.send("exit\n", 0)
        sandbox.wait_for(lambda: sandbox.screen().count("\nexit\n") == 1)
        run(session, sandbox, f"PS1='$ '; shopt login_shell > {sandbox.home}/shell")
        assert (sandbox.home / "shell").read_text().split() == ["login_shell", "on"]

    @pytest.mark.parametrize("quirks", [ALL])
    def test_the_recorder_is_seen_when_its_shell_is_left(
        self, session: TerminalSession, sandbox: LocalSandbox
    ):
        assert session.observe() == SCREEN + "$\n" + 39 * "\n"
        run(session, sandbox, f"echo $- $(shopt login_shell) $ASCIINEMA_REC > {sandbox.home}/shell")
        flags, _, login, recorder = (sandbox.home / "shell").read_text().split()
        assert "i" in flags
        assert (login, recorder) == ("off", "1")
        session.send("exit\n", 0)
        # The login shell has bash's own prompt, as nothing set another.
        sandbox.wait_for(lambda: "saved to" in sandbox.screen() and sandbox.at_prompt())
        left = [line for line in sandbox.screen().splitlines() if line][-4:-1]
        starts = ["exit", "asciinema: recording finished", "asciinema: asciicast saved to /"]
        assert all(line.startswith(start) for line, start in zip(left, starts, strict=True))
        run(session, sandbox, f"PS1='$ '; echo $(shopt login_shell) $ASCIINEMA_REC > {sandbox.home}/shell")
        assert (sandbox.home / "shell").read_text().split() == ["login_shell", "on"]

    def test_output_follows_the_line_it_was_typed_on(self, session: TerminalSession, sandbox: LocalSandbox):
        session.observe()
        run(session, sandbox, "seq 2")
        first = session.observe()
        assert first.startswith(f"{NEW}$ seq 2; touch")
        assert first.endswith("\n1\n2\n$\n" + 36 * "\n")
        run(session, sandbox, "echo hé")
        assert session.observe().startswith(f"{NEW}\n$ echo hé; touch")

    def test_nothing_typed_repeats_the_last_line(self, session: TerminalSession, sandbox: LocalSandbox):
        run(session, sandbox, "seq 2")
        session.observe()
        session.send("", 0)
        assert session.observe() == NEW + "\n$\n" + 36 * "\n"

    def test_long_output_is_seen_through_the_scrollback(
        self, session: TerminalSession, sandbox: LocalSandbox
    ):
        session.observe()
        run(session, sandbox, "seq 1500")
        assert "\n1\n2\n" in session.observe()

    def test_a_longer_scrollback_holds_more(self, session: TerminalSession, sandbox: LocalSandbox):
        session.observe()
        run(session, sandbox, "seq 2500")
        assert "\n1\n2\n" in session.observe()

    @pytest.mark.parametrize("quirks", [ALL])
    def test_more_than_the_scrollback_shows_the_screen(self, session: TerminalSession, sandbox: LocalSandbox):
        run(session, sandbox, "seq 2")
        session.observe()
        run(session, sandbox, "seq 2500")
        observation = session.observe()
        assert observation.startswith(SCREEN)
        assert len(observation.splitlines()) == 41

    def test_after_clear_the_screen_is_shown(self, session: TerminalSession, sandbox: LocalSandbox):
        run(session, sandbox, "seq 2")
        session.observe()
        run(session, sandbox, "clear")
        assert session.observe() == SCREEN + "$\n" + 39 * "\n"

    def test_an_alternate_screen_is_shown_as_it_is(self, session: TerminalSession, sandbox: LocalSandbox):
        run(session, sandbox, "seq 2")
        session.observe()
        run(session, sandbox, r"printf '\e[?1049h\e[Hfull'")
        observation = session.observe()
        assert observation.startswith(f"{SCREEN}full$")

    def test_looking_at_the_screen_leaves_what_is_new(self, session: TerminalSession, sandbox: LocalSandbox):
        session.observe()
        run(session, sandbox, "seq 2")
        assert session.screen().startswith("$ seq 2;")
        assert session.observe().startswith(f"{NEW}$ seq 2;")

    def test_leaving_twice_ends_the_session_quietly(self, session: TerminalSession, sandbox: LocalSandbox):
        session.send("exit\n", 0)
        sandbox.wait_for(lambda: "exit" in sandbox.screen())
        session.send("exit\n", 0)
        sandbox.wait_for(lambda: not sandbox.has_session())
        assert session.alive()
        session.send("ls\n", 0)
        assert not session.alive()
        assert session.observe() == SCREEN
        assert not session.alive()

    def test_what_the_pane_prints_is_logged(self, session: TerminalSession, sandbox: LocalSandbox):
        run(session, sandbox, "echo $((40+2))")
        log = sandbox.logs / "agent" / "terminus_2.pane"
        sandbox.wait_for(lambda: b"42" in log.read_bytes())


@needs_tmux
class TestKeystrokes:
    @pytest.fixture
    def typed(self, session: TerminalSession, sandbox: LocalSandbox) -> "Typed":
        return Typed(session, sandbox)

    @pytest.mark.parametrize(
        "text", ["C-c\n", "Enter\n", "-l x\n", "--\n", "$(x) `y` 'z' \"\\\n", "é€😀\n", "a\nb\n", "two;\n"]
    )
    def test_text_arrives_as_it_is(self, typed: "Typed", text: str):
        assert typed.into_cat(text) == text

    @pytest.mark.parametrize(
        ("quirks", "received"), [(frozenset(), "a;;\\;\n"), (ALL, "a;\n")], ids=["native", "quirk"]
    )
    def test_a_final_semicolon(self, typed: "Typed", received: str):
        """tmux takes one for its own, and a backslash before it for a way to say that it should not."""
        assert typed.into_cat("a;", ";", "\\;", "\n") == received

    @pytest.mark.parametrize("size", [15_000, 20_000, 200_000])
    def test_long_text_arrives_whole(self, typed: "Typed", size: int):
        text = "".join(f"{number:062d}é\n" for number in range(size // 65))
        assert typed.into_cat(text) == text

    @pytest.mark.parametrize(("quirks", "newline"), [(frozenset(), b"\n"), (ALL, b"\r")])
    def test_newlines_of_long_text(self, typed: "Typed", newline: bytes):
        text = 16_000 * "x" + "\n"
        assert typed.into_raw(text, len(text)) == 16_000 * b"x" + newline

    @pytest.mark.parametrize(
        ("keystrokes", "received"),
        [("\n", b"\n"), ("Enter", b"\r"), ("C-c", b"\x03"), ("Escape", b"\x1b"), ("a\0b", b"a\0b")],
    )
    def test_keys_a_program_receives(self, typed: "Typed", keystrokes: str, received: bytes):
        assert typed.into_raw(keystrokes, len(received)) == received


class Typed:
    """Types into a program that writes down what it gets."""

    def __init__(self, session: TerminalSession, sandbox: LocalSandbox):
        self.session, self.sandbox = session, sandbox
        self.file = sandbox.home / "typed"

    def into_cat(self, *keystrokes: str) -> str:
        self._start("stty -echo; cat")
        for text in (*keystrokes, "C-d"):
            self.session.send(text, 0)
        return self._finish().decode()

    def into_raw(self, keystrokes: str, size: int) -> bytes:
        self._start(f"stty raw -echo; head -c {size}")
        self.session.send(keystrokes, 0)
        return self._finish()

    def _start(self, program: str) -> None:
        self.session.send(f"({program}) > {self.file}; stty sane; touch {self.file}.end\n", 0)
        # The redirection makes the file, but echo ends a moment later.
        self.sandbox.wait_for(self.file.exists)
        expected = "raw" if "raw" in program else "-echo "
        self.sandbox.wait_for(lambda: expected in self._settings())

    def _settings(self) -> str:
        return self.sandbox.exec("stty -a -F $(tmux display-message -p '#{pane_tty}')").output.replace(
            "-icanon", "raw"
        )

    def _finish(self) -> bytes:
        self.sandbox.wait_for(Path(f"{self.file}.end").exists)
        return self.file.read_bytes()


class FakeSandbox:
    """Answers each command with the next of `results` (then with success); a command takes 0.25 s."""

    def __init__(self, *results: ExecResult | Exception):
        self.results = list(results)
        self.commands: list[str] = []
        self.users: list[str | int | None] = []
        self.now = 0.0
        self.slept: list[float] = []

    def exec(
        self, command: str, *, user: str | int | None = None, timeout: float | None = None
    ) -> ExecResult:
        self.commands.append(command)
        self.users.append(user)
        self.now += 0.25
        result = self.results.pop(0) if self.results else ExecResult(0, "")
        if isinstance(result, Exception):
            raise result
        return result

    def session(self) -> TerminalSession:
        return TerminalSession(self, user="agent", sleep=self.slept.append, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("duration", "slept"),
    [
        (1.0, [0.75]),
        (0.25, []),
        (0.1, []),
        (0.0, []),
        (-3.0, []),
        (60.0, [59.75]),
        (3600.0, [59.75]),
        (math.inf, [59.75]),
        (-math.inf, []),
        (math.nan, []),
    ],
)
def test_the_wait_is_what_is_left_of_the_duration(duration: float, slept: list[float]):
    fake = FakeSandbox()
    session = fake.session()
    session.start()
    session.send("ls\n", duration)
    assert fake.slept == slept


def test_setting_up_is_one_command_as_the_agent():
    fake = FakeSandbox()
    fake.session().start()
    assert fake.users == ["agent"]


def test_empty_keystrokes_only_wait():
    fake = FakeSandbox()
    session = fake.session()
    session.start()
    session.send("", 2.0)
    assert len(fake.commands) == 1
    assert fake.slept == [2.0]


def test_a_missing_tmux_is_installed_as_root():
    fake = FakeSandbox(ExecResult(NO_TMUX, ""))
    fake.session().start()
    assert fake.users == ["agent", "root", "agent"]
    assert "apt-get install -y tmux" in fake.commands[1]


def test_a_tmux_that_cannot_be_installed_is_a_setup_error():
    fake = FakeSandbox(ExecResult(NO_TMUX, ""), ExecResult(1, "no package manager found\n"))
    with pytest.raises(AgentSetupError, match=r"add tmux to the image(.|\n)*no package manager found"):
        fake.session().start()


def test_a_session_that_does_not_open_is_a_setup_error():
    fake = FakeSandbox(ExecResult(1, "no bash\n"))
    with pytest.raises(AgentSetupError, match=r"exit code 1(.|\n)*no bash"):
        fake.session().start()


def test_a_set_up_that_hangs_is_a_setup_timeout():
    fake = FakeSandbox(CommandTimeoutError("too long", "Reading package lists"))
    with pytest.raises(AgentSetupTimeoutError, match="Reading package lists"):
        fake.session().start()


def test_what_this_tmux_finds_too_long_is_pasted():
    fake = FakeSandbox(ExecResult(0, ""), ExecResult(1, "command too long\n"))
    session = fake.session()
    session.start()
    session.send("ls\n", 0)
    assert "paste-buffer" in fake.commands[-1]


def test_a_living_session_that_refuses_keystrokes_is_a_sandbox_error():
    fake = FakeSandbox(ExecResult(0, ""), ExecResult(1, "no space left\n"))
    session = fake.session()
    session.start()
    with pytest.raises(SandboxError, match="no space left"):
        session.send("ls\n", 0)
