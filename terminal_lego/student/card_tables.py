"""The tables of a model card; empty where nothing was recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from terminal_lego.student.markdown import code, escaped, table
from terminal_lego.student.names import public_name, split_source
from terminal_lego.student.run import Run

UNKNOWN = "not recorded"
_PACKAGES = (
    *("torch", "transformers", "tokenizers", "trl", "peft", "accelerate", "deepspeed"),
    *("bitsandbytes", "flash-attn", "safetensors", "terminal-lego"),
)
"""Those that shape what is learnt; a run records all."""
_STUDENT = ("precision", "thinking", "gradient_checkpointing")
_ADAPTERS = ("rank", "alpha", "dropout", "targets")


def tables(run: Run) -> dict[str, Markup]:
    """By the name the template knows them by."""
    last = run.starts[-1] if run.starts else {}
    return {
        "outcome": _outcome(run),
        "data": _data(last.get("data", ())),
        "funnel": _funnel(run.result.get("funnel") or ()),
        "coverage": _coverage(run.result.get("mask_coverage") or {}),
        "settings": _settings(run),
        "starts": _starts(run.starts),
        "packages": _packages(last),
        "evaluation": _evaluation(run.result),
    }


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def _outcome(run: Run) -> Markup:
    outcome, result = run.outcome, run.result
    loss = outcome.get("loss")
    rows = [
        ("recipe", run.config.get("recipe") or "none, put together on the command line"),
        ("conversations trained on", result.get("conversations", UNKNOWN)),
        ("optimiser steps", outcome.get("steps", UNKNOWN)),
        ("trained tokens, repetitions counted", outcome.get("tokens", UNKNOWN)),
        ("last logged loss", UNKNOWN if loss is None else f"{loss:.4f}"),
        ("engine", outcome.get("engine") or UNKNOWN),
        ("seed", str(run.config.get("sft", {}).get("seed", UNKNOWN))),
    ]
    return table(("what", ""), [(name, _counted(value)) for name, value in rows])


def _counted(value: object) -> object:
    """A whole number as text, for a column that also holds words."""
    return f"{value:,}" if type(value) is int else value


def _data(entries: Sequence[Mapping[str, Any]]) -> Markup:
    rows = []
    for entry in entries:
        model, place = split_source(entry["path"])
        rows.append((code(public_name(place)), model or "as the data says", code(entry["sha256"])))
    return table(("source", "teacher", "sha256"), rows) if rows else Markup("")


def _funnel(steps: Sequence[Mapping[str, Any]]) -> Markup:
    rows = []
    for step in steps:
        dropped: Mapping[str, int] = step.get("dropped") or {}
        why = "; ".join(f"{count:,}: {reason}" for reason, count in dropped.items())
        gone = sum(dropped.values())
        rows.append((step["step"], step["kept"] + gone, step["kept"], gone, why))
    return table(("step", "given", "kept", "dropped", "why"), rows) if rows else Markup("")


def _coverage(shares: Mapping[str, float | None]) -> Markup:
    rows = [(part, percent(share)) for part, share in shares.items()]
    return table(("part of the conversations", "tokens that carry loss"), rows) if rows else Markup("")


def _settings(run: Run) -> Markup:
    blocks = {"sft": None, "student": _STUDENT, **({"tuning": _ADAPTERS} if run.has_adapters else {})}
    rows = []
    for block, kept in blocks.items():
        settings = run.config.get(block, {})
        names = settings if kept is None else [name for name in kept if name in settings]
        rows += [(code(f"{block}.{name}"), _setting(settings[name])) for name in names]
    return table(("setting", "value"), rows)


def _setting(value: object) -> Markup:
    if value is None:
        return escaped("not set")
    return code(", ".join(map(str, value)) if isinstance(value, list) else value)


def _starts(starts: Sequence[Mapping[str, Any]]) -> Markup:
    rows = []
    for start in starts:
        git, hardware = start.get("git") or {}, start.get("hardware") or {}
        commit = code(git["commit"]) if git.get("commit") else escaped(UNKNOWN)
        changes = {True: "yes", False: "no"}.get(git.get("is_dirty"), UNKNOWN)
        rows.append((start.get("started") or UNKNOWN, commit, changes, _hardware(hardware)))
    head = ("start", "commit", "uncommitted changes", "machine")
    return table(head, rows) if rows else Markup("")


def _hardware(hardware: Mapping[str, Any]) -> str:
    if not hardware:
        return UNKNOWN
    gpus = "; ".join(hardware.get("gpus") or ()) or "no GPU"
    memory = hardware.get("memory_gib", UNKNOWN)
    return f"{gpus}; {hardware.get('cores', '?')} cores of {hardware.get('cpu') or 'a CPU'}, {memory} GiB"


def _packages(start: Mapping[str, Any]) -> Markup:
    versions, software = start.get("packages") or {}, start.get("software") or {}
    rows = [(code(name), versions[name]) for name in _PACKAGES if name in versions]
    rows += [(name, software[name]) for name in ("python", "os") if name in software]
    return table(("package", "version"), rows) if rows else Markup("")


def _evaluation(result: Mapping[str, Any]) -> Markup:
    scores = {name: result[name] for name in ("base", "student") if result.get(name)}
    rows = [
        (
            name,
            f"{score['solved']} of {score['tasks']}",
            score["trials"],
            f"{percent(score['pass_at_1'])} {_interval(score['interval'])}",
            f"{percent(score['pass_at_1_without_infrastructure_errors'])} "
            f"{_interval(score['interval_without_infrastructure_errors'])}",
            score["infrastructure_errors"],
        )
        for name, score in scores.items()
    ]
    head = ("model", "tasks solved", "trials", "pass@1", "pass@1 without those", "lost to the infrastructure")
    return table(head, rows) if rows else Markup("")


def _interval(bounds: Sequence[float | None]) -> str:
    low, high = bounds
    return "(no interval)" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]"
