"""The inspector: a page on which a selection of trajectories is read, turn by turn."""

from terminal_lego.report.inspector.entry import Entry, ReplyTokens
from terminal_lego.report.inspector.write import write_inspector

__all__ = ["Entry", "ReplyTokens", "write_inspector"]
