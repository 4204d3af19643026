"""Starting a run: joining the ranks that torchrun started, and keeping other runs away."""

import os
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from glob import escape

import torch
from torch import distributed

from mslbook.losses.distributed import rank, total
from mslbook.paper.recording import written

try:
    import fcntl
except ImportError:  # on Windows, where nothing keeps two processes out of one folder
    fcntl = None

# How long a rank waits for the others: longer than any works alone, a download included.
PATIENCE = timedelta(minutes=10)
# What torchrun tells each process.
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def joined(device):
    """Work together with the ranks that torchrun started, for the while; yields this rank's device.

    They meet over gloo on the CPU, over NCCL on CUDA, where each takes a device of its own. Without
    torchrun there are none to join, and the device is the one given.

    Raises ``ValueError`` when this cannot be, ``ConnectionError`` when the others do not come.
    """
    if not {"RANK", "WORLD_SIZE"} & os.environ.keys():
        yield device
        return
    device, backend = _own_device(device)
    try:
        distributed.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ConnectionError(
            f"the ranks did not meet at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f"({str(error).splitlines()[0]})"
        ) from error
    yield device
    distributed.destroy_process_group()  # not after an error: the others may be gone


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


@contextmanager
def held(path):
    """Keep other processes from the run that records to `path`; yields whether none is at it.

    The kernel lets go of the lock however its holder ends, so that a run that was killed can go on.
    What such a run left half written, also in its folder of checkpoints, is removed.
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


def _own_device(device):
    """The device of this rank and its backend; clear errors for what cannot be."""
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise ValueError(
            f"RANK or WORLD_SIZE is set, but not {', '.join(missing)}: start several processes "
            "with `torchrun --nproc-per-node 4 -m mslbook ...`, or unset them for one"
        )
    backend = {"cpu": "gloo", "cuda": "nccl"}[device.type]
    if not (distributed.is_available() and distributed.is_backend_available(backend)):
        raise ValueError(f"this PyTorch was built without {backend}: start one process alone")
    if device.type == "cpu":
        return device, backend
    if device.index is not None:
        raise ValueError("every rank takes a CUDA device of its own: say --device cuda, no number")
    local, devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= devices:
        raise ValueError(
            f"this machine has {devices} CUDA devices, one for each of its ranks: start torchrun "
            f"with --nproc-per-node {devices}"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local), backend
