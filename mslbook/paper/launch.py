"""One run at a time, also among several ranks."""

import os
from contextlib import contextmanager, nullcontext
from glob import escape

import torch

from mslbook.distributed import rank, total
from mslbook.paper.recording import written

try:
    import fcntl
except ImportError:  # on Windows, where nothing keeps two processes out of one folder
    fcntl = None


@contextmanager
def alone(path, device):
    """Be the only run that records to `path`; ValueError, on every rank, if another is at it."""
    with held(path) if rank() == 0 else nullcontext(True) as free:
        if total(torch.tensor(float(not free), device=device)):
            raise ValueError(
                f"another process is at work on {path.stem} in {path.parent}: wait until it has "
                "ended, or choose another folder with --out"
            )
        yield


@contextmanager
def held(path):
    """Keep other processes from the run that records to `path`; yields whether none is at it.

    The kernel lets go of the lock however its holder ends. What a run that was killed left half
    written, also in its folder of checkpoints, is removed.
    """
    lock = path.with_name(f".{path.stem}.lock")
    with written(path):
        file = lock.open("ab")
    with file:
        locked = _lock(file, lock)
        if locked:
            name, folder = escape(path.name), path.with_suffix("")
            for left in (*path.parent.glob(f".{name}.*part"), *folder.glob(".*.part")):
                left.unlink(missing_ok=True)
        try:
            yield locked is not False
        finally:
            if locked:
                lock.unlink(missing_ok=True)


def _lock(file, path):
    """Lock the open file of a path: False if another process has; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):  # held, or just removed by one that has ended
        return False
    except OSError:  # some network file systems have none
        return None
