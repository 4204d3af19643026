"""One run at a time, also among several ranks."""

from contextlib import contextmanager, nullcontext

import torch

from mslbook.distributed import joined, rank, total  # noqa: F401
from mslbook.paper.recording import held


@contextmanager
def alone(path, device):
    """Be the only run that records to `path`, a file, for the while; rank 0 sees to that.

    Raises ``ValueError`` on every rank when another run is at it.
    """
    with held(path) if rank() == 0 else nullcontext(True) as free:
        if total(torch.tensor(float(not free), device=device)):
            raise ValueError(
                f"another process is at work on {path.stem} in {path.parent}: wait until it has "
                "ended, or choose another folder with --out"
            )
        yield
