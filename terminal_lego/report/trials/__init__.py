"""The trials of a job as one page: a grid of tasks and attempts, and every conversation to read."""

from terminal_lego.report.trials.write import write_trials

__all__ = ["write_trials"]
