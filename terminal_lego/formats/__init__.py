"""On-disk formats, to and from `Trajectory`: one module per format."""

from terminal_lego.formats.atif_writer import Links, write_atif
from terminal_lego.formats.chat_writers import write_messages, write_sharegpt
from terminal_lego.formats.parquet import read_digest, write_parquet
from terminal_lego.formats.reading import ReadResult, SetAside, iter_trajectories, read_trajectories

__all__ = [
    "Links",
    "ReadResult",
    "SetAside",
    "iter_trajectories",
    "read_digest",
    "read_trajectories",
    "write_atif",
    "write_messages",
    "write_parquet",
    "write_sharegpt",
]
