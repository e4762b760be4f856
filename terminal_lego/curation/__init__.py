"""Which trajectories to teach from, and an account of those that were left out."""

from terminal_lego.curation.config import SelectionConfig
from terminal_lego.curation.funnel import FunnelRow, funnel_table
from terminal_lego.curation.select import Selection, select
from terminal_lego.curation.steps import Dropped

__all__ = ["Dropped", "FunnelRow", "Selection", "SelectionConfig", "funnel_table", "select"]
