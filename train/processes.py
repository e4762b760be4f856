"""Which of a run's processes this one is, and what they tell each other.

One process knows only itself, and every function here answers for it without a group. Several were started
by `train.launch`, torchrun or srun; RANK, WORLD_SIZE and the like are in the environment, and `join` makes
them a group. What is agreed here goes through gloo, that is through the CPUs, on GPUs too:
asking at every step must not make a GPU wait.
"""

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from train import extensions

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""How long processes wait for one that renders or saves before they give up."""


def rank() -> int:
    """Of this process among all of the run, from 0."""
    return int(os.environ.get("RANK", 0))


def local_rank() -> int:
    """Of this process among those on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", 0))


def world() -> int:
    """How many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main() -> bool:
    """Whether this is the process that writes files, prints and logs."""
    return rank() == 0


def join(*, deepspeed: bool = False) -> None:
    """Enters the run's process group: NCCL on GPUs, gloo without. The second call does nothing.

    DeepSpeed wants a group even for one process, and its own, before a model is made.
    """
    import torch
    import torch.distributed as dist

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank())
    else:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else it searches, and warns of what it finds
    if dist.is_available() and not dist.is_initialized() and (deepspeed or world() > 1):
        if world() == 1:
            alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
            os.environ.update(alone | {"MASTER_PORT": str(free_port())})
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    if deepspeed:
        # It uses names that newer versions of torch want called otherwise, and torch says so at every step.
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
        extensions.prepare()
        from deepspeed import init_distributed

        init_distributed(dist_backend="nccl" if on_gpu else "gloo", verbose=False)
    if world() > 1:
        _talk()


def highest(number: int) -> int:
    """The largest number any process came with. All of them must ask, at the same place."""
    if world() == 1:
        return number
    import torch
    import torch.distributed as dist

    agreed = torch.tensor(number)
    dist.all_reduce(agreed, dist.ReduceOp.MAX, group=_talk())
    return int(agreed)


def shared(make: Callable[[], T]) -> T:
    """What `make` gives in the main process, in all of them; only that one calls it."""
    if world() == 1:
        return make()
    import torch.distributed as dist

    box: list[Any] = [make() if is_main() else None]
    dist.broadcast_object_list(box, src=0, group=_talk())
    return box[0]


def wait() -> None:
    """Returns when all processes have come here."""
    highest(0)


@contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block before the others do, to leave something for them to find.

    When it fails there, the others wait until whoever started them ends them.
    """
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def leave() -> None:
    """Leaves the group, if there is one, so that the process ends without complaints."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        _talk.cache_clear()
        dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@cache
def _talk() -> "ProcessGroup":
    """All processes, over gloo; made at the same moment in each, in `join`."""
    import torch.distributed as dist

    return dist.new_group(backend="gloo", timeout=PATIENCE)
