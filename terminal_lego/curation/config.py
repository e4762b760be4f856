"""What the user may ask of a selection."""

from dataclasses import dataclass, field
from pathlib import Path

from terminal_lego.curation.band import part
from terminal_lego.errors import ConfigError

OUTCOMES = ("passed", "failed", "all")
PER_TASK = ("shortest", "longest")
WITHIN = ("task", "all")
DEDUP = ("exact", "near")


@dataclass
class SelectionConfig:
    """Which trajectories stay.

    Attributes:
        outcome: "passed" (reward of 1 or more), "failed" (a reward below 1) or "all".
        complete: keep only those whose last reply says that the task is complete.
        error_free: keep only those on whose screens no command reports an error.
        teacher: keep only this model's trajectories, named as the source names it.
        matched: keep one trajectory per teacher of each task that every teacher has one of.
        teachers: those to match; all that were read when empty.
        per_task: of a teacher's trajectories of one task keep the "shortest" or the "longest"; tasks with
            a single one go.
        band: keep those of "high", "low" or "random" TOR, or the k-th of n equal parts from the lowest,
            written "k/n".
        band_within: rank "all" trajectories, or those of one teacher and "task", of which one is kept.
        band_size: trajectories of the band (by default a third, or the whole part); within task: tasks.
        max_tokens: drop longer ones whole; with `matched` their task, for all teachers.
        dedup: drop a teacher's "exact" or "near" duplicates.
        near_threshold: Jaccard similarity of word 5-shingles from which two are near duplicates.
        decontaminate: a folder of benchmark tasks to compare with; one of them in the data ends the run.
        drop_contaminated: drop such trajectories instead.
        limit: at most this many, drawn at random.
        seed: of every draw.

    Raises:
        ConfigError: a setting, or a pair of settings, that means nothing.
    """

    outcome: str = "passed"
    complete: bool = True
    error_free: bool = False
    teacher: str | None = None
    matched: bool = False
    teachers: list[str] = field(default_factory=list)
    per_task: str | None = None
    band: str | None = None
    band_within: str = "all"
    band_size: int | None = None
    max_tokens: int | None = None
    dedup: str | None = None
    near_threshold: float = 0.9
    decontaminate: str | None = None
    drop_contaminated: bool = False
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_values()
        self._check_pairs()

    def _check_values(self) -> None:
        known = {"outcome": OUTCOMES, "per_task": PER_TASK, "band_within": WITHIN, "dedup": DEDUP}
        for name, allowed in known.items():
            value = getattr(self, name)
            if value not in allowed and not (value is None and name in ("per_task", "dedup")):
                raise ConfigError(f"{name}={value!r} is none of {', '.join(allowed)}.")
        if self.band is not None:
            part(self.band)
        for name in ("band_size", "max_tokens", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value} keeps nothing; give 1 or more, or leave it out for all.")
        if not 0 < self.near_threshold < 1:
            raise ConfigError(f"near_threshold={self.near_threshold} must lie between 0 and 1.")
        if self.decontaminate is not None and not Path(self.decontaminate).expanduser().is_dir():
            raise ConfigError(
                f"decontaminate={self.decontaminate} is no folder; name one of benchmark tasks."
            )

    def _check_pairs(self) -> None:
        if self.teachers and not self.matched:
            raise ConfigError(
                "teachers says whom to match; set matched=true too, or teacher for a single one."
            )
        if self.teachers and self.teacher not in (None, *self.teachers):
            raise ConfigError(
                f"teacher={self.teacher} is not among teachers={','.join(self.teachers)}; add it."
            )
        if self.band_size is not None and self.band is None:
            raise ConfigError(f"band_size={self.band_size} needs a band; set band=high, low, random or k/n.")
        single = "matched=true" if self.matched else f"per_task={self.per_task}" if self.per_task else ""
        if self.band is not None and self.band_within == "task" and single:
            raise ConfigError(
                f"{single} leaves one trajectory per teacher and task, so band_within=task has no choice; "
                "use band_within=all, or leave one of the two out."
            )
        if self.drop_contaminated and self.decontaminate is None:
            raise ConfigError("drop_contaminated=true needs decontaminate=<folder of benchmark tasks>.")
