"""A job cut into parts for a Slurm array: part i of n runs every nth trial of the plan."""

import re
from collections.abc import Mapping
from itertools import product
from types import SimpleNamespace

from terminal_lego.errors import ConfigError
from terminal_lego.harness.job import trial_name

FOLDER = "shards"


def parse_shard(shard: str) -> tuple[int, int]:
    """ "2/8" -> (2, 8). Raises ConfigError."""
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ConfigError(f"shard={shard} is not a part of a whole: give i/n with 1 <= i <= n, such as 1/8.")
    return part, parts


def shard_folder(shard: str) -> str:
    """Where part i of n lies within the job: "shards/2-of-8"."""
    part, parts = parse_shard(shard)
    return f"{FOLDER}/{part}-of-{parts}"


def planned_names(tasks: Mapping[str, str], attempts: int, shard: str | None = None) -> dict[str, str]:
    """Trial name -> task name, in the order a job runs them: all attempts 1, then all attempts 2 …

    Args:
        tasks: checksum by name.
        shard: only this part, "i/n". Tasks of one attempt are dealt out in turn, so parts differ by one
            trial at most.
    """
    plan = {
        trial_name(SimpleNamespace(name=name, checksum=checksum), attempt): name
        for attempt, (name, checksum) in product(range(1, attempts + 1), tasks.items())
    }
    if shard is None:
        return plan
    part, parts = parse_shard(shard)
    return dict(list(plan.items())[part - 1 :: parts])
