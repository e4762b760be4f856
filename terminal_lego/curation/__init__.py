"""Which trajectories to teach from, and an account of those that were left out."""

from terminal_lego.curation.config import SelectionConfig
from terminal_lego.curation.decontamination import DecontaminationReport, contamination_table
from terminal_lego.curation.funnel import FunnelRow, funnel_table
from terminal_lego.curation.losses import Loss, loss_table
from terminal_lego.curation.select import Selection, select
from terminal_lego.curation.steps import Dropped

__all__ = [
    "DecontaminationReport",
    "Dropped",
    "FunnelRow",
    "Loss",
    "Selection",
    "SelectionConfig",
    "contamination_table",
    "funnel_table",
    "loss_table",
    "select",
]
