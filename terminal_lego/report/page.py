"""One self-contained HTML page for a run: what was taught, what came of it, and every trial to read.

Nothing is loaded from outside. All text passes `visible` and then Jinja's autoescape, or travels as JSON
and becomes text nodes in the page's script; a content security policy admits no other script.
"""

import base64
import hashlib
import math
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terminal_lego.reply import parse_reply
from terminal_lego.report.curve import draw
from terminal_lego.report.safe_text import script_json, visible, visible_everywhere
from terminal_lego.trajectory import Message


@dataclass(frozen=True)
class SummaryRow:
    """One student. `interval` is (low, high) of the strict pass@1; NaN where `interval_method` says why.

    `per_group` maps a group to (solved, tasks).
    """

    name: str
    solved: int
    tasks: int
    pass_at_1: float
    interval: tuple[float, float]
    interval_method: str
    pass_at_1_without_infrastructure_errors: float
    infrastructure_errors: int
    per_group: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class FunnelRow:
    """One step of the selection: trajectories that stay, trajectories that go, and why."""

    step: str
    kept: int
    dropped: int
    why: str


@dataclass(frozen=True)
class MaskRow:
    """Tokens of one role, and the share of them (0 to 1) that the loss is taken on."""

    role: str
    tokens: int
    trained_share: float


@dataclass(frozen=True)
class TrialView:
    """One trial to read. `reward` is None after an infrastructure error."""

    student: str
    task: str
    group: str
    reward: float | None
    exception: str | None
    turns: int | None
    messages: list[Message]
    verifier_output: str = ""


@dataclass(frozen=True)
class RunReport:
    """Everything the page shows: `recipe` is a name, `config` its resolved text, `notes` are sentences."""

    title: str
    generated: str
    recipe: str = ""
    config: str = ""
    notes: list[str] = field(default_factory=list)
    summary: list[SummaryRow] = field(default_factory=list)
    funnel: list[FunnelRow] = field(default_factory=list)
    mask: list[MaskRow] = field(default_factory=list)
    loss: list[tuple[int, float]] = field(default_factory=list)
    trials: list[TrialView] = field(default_factory=list)


def write_page(run: RunReport, path: str | Path) -> Path:
    """Write `run` as one HTML file, making the folder, and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(run), encoding="utf-8")
    return path


def render_page(run: RunReport) -> str:
    environment = Environment(
        loader=PackageLoader("terminal_lego.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": "{:,}".format}
    folder = files("terminal_lego.report")
    style, script = ((folder / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; base-uri 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return environment.get_template("page.html.jinja").render(
        run=run,
        groups=list(dict.fromkeys(group for row in run.summary for group in row.per_group)),
        methods=_names_by_method(run.summary),
        curve=draw(run.loss),
        trials=script_json([_readable(trial) for trial in run.trials]),
        style=Markup(style),
        script=Markup(script),
        policy=policy,
    )


def percent(share: float) -> str:
    return "NaN" if math.isnan(share) else f"{100 * share:.1f} %"


def _readable(trial: TrialView) -> dict[str, Any]:
    """A trial as JSON values, its replies read by the parser that the harness itself uses."""
    values = asdict(trial)
    if trial.reward is not None and not math.isfinite(trial.reward):
        values["reward"] = str(trial.reward)
    values["messages"] = [_message(message) for message in trial.messages]
    return visible_everywhere(values)


def _message(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message["role"], "content": message["content"]}
    if message["role"] == "assistant":
        reply = parse_reply(message["content"])
        shown["reply"] = {
            "analysis": reply.analysis,
            "plan": reply.plan,
            "commands": [[command.keystrokes, f"{command.duration:g}"] for command in reply.commands],
            "complete": reply.task_complete,
            "error": reply.error,
            "warning": reply.warning,
        }
    return shown


def _names_by_method(rows: list[SummaryRow]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.interval_method, []).append(row.name)
    return names


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
