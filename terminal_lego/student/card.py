"""The model card: a README.md for the hub of what a student was taught, and what is not known of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terminal_lego import __version__
from terminal_lego.errors import ConfigError
from terminal_lego.json_files import write_whole
from terminal_lego.rendering.thinking import LAST_TURN
from terminal_lego.student.card_tables import UNKNOWN, tables
from terminal_lego.student.markdown import block, code, escaped
from terminal_lego.student.names import hub_name, public_name, split_source
from terminal_lego.student.run import Run

MARK = "<!-- Written by `terminal-lego student`, which may write over it. -->"
NAME = "README.md"
_SAMPLING = ("do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")


def write_card(run: Run) -> Path:
    """The card of the student as it lies in the run, written beside it.

    Raises:
        ConfigError: somebody else's README.md is there.
    """
    path = run.student / NAME
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(f"{path} was written by somebody else: move it away to have a card written.")
    write_whole(path, card(run, merged=False))
    return path


def card(run: Run, *, merged: bool) -> str:
    """Markdown with the front matter that the hub reads.

    Args:
        merged: whether adapters have become part of the weights beside the card.
    """
    environment = Environment(
        loader=PackageLoader("terminal_lego.student", ""),
        autoescape=False,  # that would be HTML's; `finalize` escapes for Markdown
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else escaped(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    adapters = run.has_adapters and not merged
    return environment.get_template("card.md.jinja").render(
        run=run,
        front=Markup(yaml.safe_dump(_front_matter(run, adapters), sort_keys=False, allow_unicode=True)),
        mark=Markup(MARK),
        base=public_name(run.base),
        base_on_hub=hub_name(run.base),
        adapters=adapters,
        merged=run.has_adapters and merged,
        teacher=run.config.get("teacher") or run.config.get("selection", {}).get("teacher"),
        mask=run.config.get("mask", {}),
        thinking=run.config["student"].get("thinking"),
        longest=run.config.get("sft", {}).get("max_length"),
        command=_command(run),
        **_trials(run),
        serving=_serving(run),
        shown=tables(run),
        code=code,
        block=block,
        version=__version__,
    )


def _front_matter(run: Run, adapters: bool) -> dict[str, Any]:
    front: dict[str, Any] = {}
    if base := hub_name(run.base):
        front = {"base_model": base, "base_model_relation": "adapter" if adapters else "finetune"}
    front |= {
        "library_name": "peft" if adapters else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["agent", "terminal", "distillation", "sft", *([run.method] if run.has_adapters else [])],
    }
    sources = (
        split_source(entry["path"])[1] for entry in (run.starts[-1] if run.starts else {}).get("data", ())
    )
    if datasets := sorted({name for source in sources if (name := hub_name(source))}):
        front["datasets"] = datasets
    return front


def _command(run: Run) -> str:
    """Thoughts are spelt as Qwen3 spells them, whatever the model."""
    parser = " --reasoning-parser qwen3" if run.config["student"].get("thinking") == LAST_TURN else ""
    return f"vllm serve FOLDER{parser}"


def _trials(run: Run) -> dict[str, Any]:
    evaluation = run.config.get("evaluation", {})
    score = run.result.get("student") or run.result.get("base") or {}
    return {
        "tasks": public_name(str(evaluation.get("tasks") or UNKNOWN)),
        "attempts": evaluation.get("attempts", UNKNOWN),
        "interval_method": score.get("interval_method", UNKNOWN),
    }


def _serving(run: Run) -> dict[str, Any]:
    """What the student's own files tell a server; None for what they do not say."""
    generation = _json(run.student / "generation_config.json")
    stop = generation.get("eos_token_id")
    template = run.student / "chat_template.jinja"
    return {
        "stop_id": stop,
        "stop_token": _token(run.student, stop),
        "template": hashlib.sha256(template.read_bytes()).hexdigest() if template.is_file() else None,
        "sampling": ", ".join(
            f"{key} {generation[key]}" for key in _SAMPLING if generation.get(key) is not None
        ),
    }


def _token(student: Path, id: object) -> str | None:
    """The text of a token, as tokenizer.json spells it."""
    added = _json(student / "tokenizer.json").get("added_tokens", ())
    return next((token["content"] for token in added if token.get("id") == id), None)


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
