"""On-disk formats, to and from `Trajectory`: one module per format."""

from terminal_lego.formats.atif_writer import write_atif
from terminal_lego.formats.parquet import write_parquet
from terminal_lego.formats.reading import ReadResult, SetAside, read_trajectories

__all__ = ["ReadResult", "SetAside", "read_trajectories", "write_atif", "write_parquet"]
