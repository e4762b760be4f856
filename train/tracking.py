"""Metrics go to metrics.jsonl in the run directory, always, and to Weights & Biases unless disabled."""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from terminal_lego.errors import ConfigError
from terminal_lego.json_files import write_whole, writing_lines
from train import provenance
from train.config import TrackingConfig
from train.loss import NORMALISER
from train.run_directory import RunDirectory


class Tracker:
    """A run's metrics. Use as a context manager: W&B learns whether the run ended well.

    Attributes:
        mode: online, offline or disabled, as it turned out.
    """

    def __init__(self, run: RunDirectory, tracking: TrackingConfig, settings: Mapping[str, Any]) -> None:
        """Opens the W&B run that belongs to `run`; `settings` and the data digests become its config."""
        self.run = run
        self.mode = wandb_mode(tracking)
        self._wandb = None
        if self.mode != "disabled":
            config = {
                **settings,
                "data_sha256": run.digests,
                "commit": run.commit,
                "software": provenance.software(),
                "hardware": provenance.hardware(),
                "normaliser": NORMALISER,
            }
            self._wandb = _open(tracking, self.mode, run.path, config)
            self.mode = "offline" if self._wandb.offline else "online"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics of one optimiser step, named like paths: train/loss."""
        self.run.log_metrics(step, metrics)
        if self._wandb:
            self._wandb.log({"step": step, **metrics})

    def show_samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Some conversations as the student sees them: samples.jsonl, and a W&B table `samples`."""
        with writing_lines(self.run.path / "samples.jsonl") as write:
            for row in rows:
                write(dict(row))
        self._log_table("samples", rows)

    def summarise(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The final comparison: one row per student, the first value of a row names it.

        Becomes a W&B table `results` and summary values such as `student/pass@1`.
        """
        self._log_table("results", rows)
        for row in rows if self._wandb else ():
            first, *others = row
            self._wandb.summary.update({f"{row[first]}/{column}": row[column] for column in others})

    def _log_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not self._wandb or not rows:
            return
        import wandb

        columns = list(rows[0])
        data = [[row[column] for column in columns] for row in rows]
        self._wandb.log({name: wandb.Table(columns=columns, data=data)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wandb:
            import wandb

            self._wandb.finish(exit_code=0 if kind is None else 1)
            wandb.teardown()  # its service writes the last lines of the offline file after `finish` returns


def wandb_mode(tracking: TrackingConfig) -> str:
    """What `tracking.mode` comes to: auto follows WANDB_MODE, else whether WANDB_API_KEY is set.

    Raises ConfigError for a WANDB_MODE it does not know.
    """
    if tracking.mode != "auto":
        return tracking.mode
    mode = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    if mode not in ("online", "offline", "disabled"):
        raise ConfigError(f"WANDB_MODE={mode} is not known: unset it, or choose online, offline or disabled.")
    return mode


def _open(tracking: TrackingConfig, mode: str, path: Path, config: dict[str, Any]) -> Any:
    import wandb

    # Else W&B advertises it to every program that has imported a model's client.
    os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")

    def start(mode: str) -> Any:
        run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            name=f"{path.parent.name}/{path.name}",
            id=_run_id(path),
            resume="allow" if mode == "online" else None,
            mode=mode,
            dir=path,
            config=config,
            # The run directory holds commit, arguments and hardware already, with secrets masked.
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, x_disable_meta=True
            ),
        )
        run.define_metric("*", step_metric="step")
        return run

    try:
        return start(mode)
    except wandb.Error as error:
        if mode != "online":
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"W&B cannot be reached ({reason}); this run is tracked offline in {path / 'wandb'}.")
        wandb.teardown()  # else its service still holds the run's id
        return start("offline")


def _run_id(path: Path) -> str:
    """The W&B run's id, chosen before its first log and kept when the run is continued."""
    file = path / "wandb_run_id"
    if not file.exists():
        write_whole(file, secrets.token_hex(4) + "\n")
    return file.read_text().strip()
