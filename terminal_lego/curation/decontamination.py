"""Does the benchmark shine through the training data? Exact hits end the run; everything else is reported."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.curation.benchmark import (
    BenchmarkTask,
    GramIndex,
    Words,
    digest,
    read_benchmark,
    short_names,
    words,
)
from terminal_lego.curation.dedup import TaskText
from terminal_lego.curation.steps import Split, divide, fact, grouped
from terminal_lego.errors import ContaminationError
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from rich.table import Table

NEIGHBOUR_WORDS = 3
OVERLAP_WORDS = 13
SHOWN = 10
NAMED_IN_ERROR = 5
_NAME = re.compile(r"\w[\w-]*(?:\.[\w-]+)*")


@dataclass(frozen=True)
class ContaminationRow:
    """One task of the training data: a name and an instruction.

    Attributes:
        task, trajectories: its name, and how many there are of it.
        nearest, similarity: the benchmark task with the highest Jaccard similarity of word 3-grams.
        overlapping, overlap: the benchmark task of whose instruction the largest share of word 13-grams
            occurs in this one.
        exact: "name", "instruction" or "" for what is equal to a benchmark task's.
        hits: weaker traces: the same container image, names of tests.
    """

    task: str
    trajectories: int
    nearest: str
    similarity: float
    overlapping: str
    overlap: float
    exact: str
    hits: tuple[str, ...]


@dataclass(frozen=True)
class DecontaminationReport:
    """Rows of every task, the most suspicious first; `dataclasses.asdict` makes it JSON."""

    benchmark: str
    benchmark_tasks: int
    rows: tuple[ContaminationRow, ...]


class Decontamination:
    """The step. After its call `report` holds what it saw.

    Args:
        folder: the benchmark: task directories.
        drop: drop exact hits instead of raising.
        task_text: the instruction of a trajectory.

    Raises:
        ContaminationError: on use, when a task has a benchmark task's name or instruction.
        TaskError: on use, when the folder holds no valid tasks.
    """

    def __init__(self, folder: str | Path, drop: bool, task_text: TaskText | None = None) -> None:
        if task_text is None:
            from terminal_lego.grounding.task_text import task_text
        self._folder, self._drop, self._task_text = folder, drop, task_text
        self.report: DecontaminationReport | None = None

    def __call__(self, trajectories: Sequence[Trajectory]) -> Split:
        tasks = read_benchmark(self._folder)
        inspect = _Inspection(tasks)
        texts = [words(self._task_text(trajectory)) for trajectory in trajectories]
        names = [_names(trajectory) for trajectory in trajectories]
        groups = grouped(range(len(trajectories)), lambda index: (names[index], texts[index]))
        rows: list[ContaminationRow] = []
        reasons: dict[int, str] = {}
        for (known_as, text), members in groups.items():
            row = inspect([trajectories[index] for index in members], known_as, text)
            rows.append(row)
            if row.exact:
                reasons |= dict.fromkeys(members, f"its {row.exact} is that of a benchmark task")
        rows.sort(
            key=lambda row: (not row.exact, -max(row.similarity, row.overlap), -len(row.hits), row.task)
        )
        self.report = DecontaminationReport(str(self._folder), len(tasks), tuple(rows))
        if reasons and not self._drop:
            raise ContaminationError(_message(self.report))
        return divide(trajectories, reasons)


class _Inspection:
    """Compares one task of the training data with all of the benchmark."""

    def __init__(self, tasks: Sequence[BenchmarkTask]) -> None:
        self.tasks = tasks
        self.named = {name: task for task in tasks for name in task.names}
        self.instructed = {digest(task.words): task for task in tasks if task.words}
        self.tested = {name: task for task in tasks for name in task.tests}
        self.neighbours = GramIndex([task.words for task in tasks], NEIGHBOUR_WORDS)
        self.overlaps = GramIndex([task.words for task in tasks], OVERLAP_WORDS)

    def __call__(
        self, trajectories: Sequence[Trajectory], names: frozenset[str], text: Words
    ) -> ContaminationRow:
        same_name = next((self.named[name] for name in sorted(names) if name in self.named), None)
        same_text = self.instructed.get(digest(text))
        nearest, similarity = self._best(self.neighbours.jaccard(text))
        overlapping, overlap = self._best(self.overlaps.containment(text))
        hits = sorted({hit for trajectory in trajectories for hit in self._traces(trajectory)})
        if same_name is not None:
            hits.insert(0, f"name of {same_name.name}")
        return ContaminationRow(
            task=min(trajectory.task or trajectory.id for trajectory in trajectories),
            trajectories=len(trajectories),
            nearest=nearest,
            similarity=similarity,
            overlapping=overlapping,
            overlap=overlap,
            exact="instruction" if same_text else "name" if same_name else "",
            hits=tuple(hits),
        )

    def _best(self, scores: Mapping[int, float]) -> tuple[str, float]:
        best = max(scores, key=lambda number: (scores[number], self.tasks[number].name), default=None)
        return ("", 0.0) if best is None else (self.tasks[best].name, scores[best])

    def _traces(self, trajectory: Trajectory) -> set[str]:
        image = fact(trajectory, "docker_image")
        found = {f"image of {task.name}" for task in self.tasks if image and task.image == image}
        # In a raw reply a line break of the keystrokes is spelled \\n.
        texts = [message["content"].replace("\\n", " ") for message in trajectory.messages()]
        seen = {name for text in texts for name in _NAME.findall(text)}
        return found | {f"{name} of {self.tested[name].name}" for name in seen & self.tested.keys()}


def contamination_table(report: DecontaminationReport) -> "Table":
    """The most suspicious tasks, for people."""
    from rich.table import Table
    from rich.text import Text

    title = f"Nearest to {report.benchmark} ({report.benchmark_tasks:,} tasks)"
    table = Table("task", "of", "nearest", "3-grams", "overlaps", "13-grams", "hits", title=title)
    for number in (1, 3, 5):
        table.columns[number].justify = "right"
    for row in report.rows[:SHOWN]:
        table.add_row(
            Text(row.task),
            f"{row.trajectories:,}",
            Text(row.nearest),
            f"{row.similarity:.2f}",
            Text(row.overlapping),
            f"{row.overlap:.0%}",
            Text("\n".join(((f"same {row.exact}",) if row.exact else ()) + row.hits)),
        )
    return table


def _names(trajectory: Trajectory) -> frozenset[str]:
    stated = fact(trajectory, "task_name")
    return short_names(trajectory.task) | (short_names(stated) if isinstance(stated, str) else frozenset())


def _message(report: DecontaminationReport) -> str:
    exact = [row for row in report.rows if row.exact]
    named = ", ".join(
        f"{row.task} (same {row.exact}{f' as {row.nearest}' if row.exact == 'instruction' else ''})"
        for row in exact[:NAMED_IN_ERROR]
    )
    more = f" and {len(exact) - NAMED_IN_ERROR} more" if len(exact) > NAMED_IN_ERROR else ""
    return (
        f"{len(exact)} of {len(report.rows)} tasks of the training data are tasks of {report.benchmark}: "
        f"{named}{more}; set selection.drop_contaminated=true to leave them out."
    )
