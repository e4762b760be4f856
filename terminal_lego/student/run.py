"""A finished run, as its directory tells it. What is read there is described in train/run_directory.py."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from terminal_lego.errors import ConfigError, StudentError

OUTCOME = "outcome.json"
"""Beside the student's weights: only a training that came to its end leaves it."""


@dataclass(frozen=True)
class Run:
    """A run whose training has ended.

    Attributes:
        path: absolute, links followed.
        config: config.yaml, every setting.
        starts: provenance*.json, the first start first; empty when none was recorded.
        result: result.json; empty when the run ended before its last stage did.
        outcome: steps, tokens, loss, engine.
    """

    path: Path
    config: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]
    outcome: Mapping[str, Any]

    @property
    def student(self) -> Path:
        """The folder with weights or adapters, tokenizer, chat template and generation config."""
        return self.path / "student"

    @property
    def base(self) -> str:
        """Folder or hub name of the model that was taught."""
        return str(self.config["student"]["name_or_path"])

    @property
    def has_adapters(self) -> bool:
        return self.method != "full"

    @property
    def method(self) -> str:
        """full, lora or qlora."""
        return str(self.config.get("tuning", {}).get("method", "full"))


def read_run(path: str | Path) -> Run:
    """Raises:
    ConfigError: there is no run at `path`.
    StudentError: its training has not ended, or one of its files cannot be read.
    """
    folder = Path(path)
    if not (folder / "config.yaml").is_file():
        raise ConfigError(
            f"{path} holds no run (no config.yaml): name the run directory, such as runs/<recipe>/<time>."
        )
    folder = folder.resolve()
    if not (folder / "student" / OUTCOME).is_file():
        raise StudentError(
            f"{path} has not finished training (no student/{OUTCOME}): start it again with the same words "
            f"and run_dir={path}, which continues it."
        )
    config = _read(folder / "config.yaml")
    if not isinstance(config.get("student"), dict) or not config["student"].get("name_or_path"):
        raise StudentError(f"{path}: config.yaml does not name the model that was taught; it is no run's.")
    result = folder / "result.json"
    return Run(
        path=folder,
        config=config,
        starts=[_read(file) for file in sorted(folder.glob("provenance*.json"), key=_number)],
        result=_read(result) if result.is_file() else {},
        outcome=_read(folder / "student" / OUTCOME),
    )


def _number(file: Path) -> int:
    """Of the start: provenance.json is the first, provenance-2.json the second."""
    number = file.stem.partition("-")[2]
    return int(number) if number.isdigit() else 1


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        value = yaml.safe_load(text) if file.suffix == ".yaml" else json.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StudentError(f"{file} cannot be read ({reason}); take it from a copy of the run.") from error
    if not isinstance(value, dict):
        raise StudentError(f"{file} holds no settings; take it from a copy of the run.")
    return value
