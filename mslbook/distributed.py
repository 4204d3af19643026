"""A loss shared by several processes ("ranks"): rows of each, sums over all, joining torchrun.

Every rank holds all data and the same parameters, and has the same results to the last bit. If a
rank dies, the others raise ConnectionError.
"""

import os
import zlib
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode

TIMEOUT = timedelta(minutes=10)  # longer than a rank works alone, a download included


@contextmanager
def joined(device):
    """Context that joins the ranks of torchrun, if any, and yields this rank's own torch.device."""
    if not {"RANK", "WORLD_SIZE"} & os.environ.keys():
        yield device
        return
    device = device if device.type == "cpu" else _cuda_device_of_rank(device)
    backend = {"cpu": "gloo", "cuda": "nccl"}[device.type]
    try:
        distributed.init_process_group(backend, timeout=TIMEOUT)
    except RuntimeError as error:
        raise ConnectionError(f"the ranks did not meet ({str(error).splitlines()[0]})") from error
    yield device
    distributed.destroy_process_group()  # not after an error: the others may be gone


def _cuda_device_of_rank(device):
    if device.index is not None:
        raise ValueError("every rank takes a CUDA device of its own: say --device cuda, no number")
    local, devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= devices:
        hint = f"start torchrun with --nproc-per-node {devices}"
        raise ValueError(f"this machine has {devices} CUDA devices, one for each rank: {hint}")
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def ranks():
    """The number of processes that share the work, 1 without a process group."""
    return distributed.get_world_size() if _joined() else 1


def rank():
    """The index of this process; rank 0 prints and writes files."""
    return distributed.get_rank() if _joined() else 0


def backend():
    """The communication backend, such as "gloo" or "nccl"; None without a process group."""
    return distributed.get_backend() if _joined() else None


def total(tensor):
    """The sum of a tensor over all ranks, on each of them; differentiable any number of times."""
    return _AllReduce.apply(tensor) if ranks() > 1 else tensor


class _AllReduce(torch.autograd.Function):
    """The derivative of a sum over ranks is a sum over ranks."""

    @staticmethod
    def forward(ctx, tensor):
        result = tensor.clone(memory_format=torch.contiguous_format)
        with _raise_if_rank_lost():
            distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx, slope):
        return _AllReduce.apply(slope)


class Part(NamedTuple):
    """The rows of a chunk that one rank computes."""

    rows: slice  #: rows of the data
    weight: float  #: weight of their mean in the mean over all rows
    share: float  #: fraction of the chunk

    def statistics(self):
        """A context in which BatchNorm sees the statistics of the chunk, not of these rows."""
        return nullcontext() if self.share == 1 else _ChunkStatistics(self.share)


def parts(n, chunk):
    """Yield this rank's `Part` of every chunk of `n` rows; the weights of all parts sum to 1.

    Every rank computes the whole of a chunk of fewer rows than ranks, and that of rank 0 counts.

    Examples
    --------
    >>> from mslbook.distributed import parts
    >>> [part.rows for part in parts(5, chunk=3)]
    [slice(0, 3, None), slice(3, 5, None)]
    """
    this, count = rank(), ranks()
    for first in range(0, n, chunk):
        size = min(chunk, n - first)
        if size < count:
            yield Part(slice(first, first + size), (size / n) * (this == 0), 1.0)
        else:
            begin, end = this * size // count, (this + 1) * size // count
            yield Part(slice(first + begin, first + end), (end - begin) / n, (end - begin) / size)


def gather(pieces, tensors, n):
    """All `n` rows, on every rank, from pieces with their ``rows`` and ``share``, and tensors.

    None if the tensors do not have as many rows as their pieces.
    """
    pairs = zip(pieces, tensors, strict=True)
    fit = all(t.shape[:1] == (p.rows.stop - p.rows.start,) for p, t in pairs)
    if total(tensors[0].new_tensor(float(not fit))):
        return None
    whole = tensors[0].new_zeros(n, *tensors[0].shape[1:])
    for piece, tensor in zip(pieces, tensors, strict=True):
        if piece.share:
            whole[piece.rows] = tensor
    return total(whole)


def checksum(tensors):
    """A number that differs if any of the tensors does, by a bit."""
    found = 0
    for tensor in tensors:
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found = zlib.crc32(raw.numpy(), found)
    return found


def check_same(what, *tensors):
    """Raise ValueError on every rank unless all of them hold the same tensors, bit for bit."""
    if ranks() == 1:
        return
    checksums = [None] * ranks()
    with _raise_if_rank_lost():
        distributed.all_gather_object(checksums, checksum(tensors))
    if len(set(checksums)) > 1:
        hint = "make them from the same files and seeds on every rank"
        raise ValueError(f"the {ranks()} ranks do not hold the same {what}: {hint}")


def wait_for_all():
    """Wait until every rank has come here."""
    if ranks() > 1:
        with _raise_if_rank_lost():
            distributed.barrier()


class _ChunkStatistics(TorchFunctionMode):
    """Replace the functions that BatchNorm layers call by ones that see the chunk of all ranks.

    SyncBatchNorm works on CUDA alone and cannot be differentiated twice. InstanceNorm normalises
    every row by itself, but the statistics that it stores are a mean over rows.
    """

    def __init__(self, share):
        super().__init__()
        self.share = share

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is functional.batch_norm:
            return _batch_norm(self.share, *args, **kwargs or {})
        answer = func(*args, **kwargs or {})
        if func is functional.instance_norm:
            _average_stored(self.share, *args, **kwargs or {})
        return answer


def _batch_norm(share, x, running_mean, running_var, weight=None, bias=None, training=False,
                momentum=0.1, eps=1e-5):  # fmt: skip
    """``torch.nn.functional.batch_norm`` over the chunk that all ranks hold together."""
    if not training:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    over, column = [0, *range(2, x.ndim)], (-1, *[1] * (x.ndim - 2))
    variance, mean = torch.var_mean(x, over, correction=0)
    own = torch.stack([mean, variance, torch.full_like(mean, share)])
    around = (0, 0, 0, 0, rank(), ranks() - 1 - rank())
    everyone = total(functional.pad(own[None], around))  # one sum, and no cancellation in it
    means, variances, shares = everyone.unbind(1)
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    if running_mean is not None:
        n = round(x.numel() / x.shape[1] / share)
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * (n / (n - 1)), momentum)
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    y = (x - mean.view(column)) * scale.view(column)
    return y if bias is None else y + bias.view(column)


def _average_stored(share, x, running_mean=None, running_var=None, weight=None, bias=None,
                    use_input_stats=True, momentum=0.1, eps=1e-5):  # fmt: skip
    """Replace the running statistics of these rows by those of the chunk."""
    if use_input_stats and running_mean is not None:
        with torch.no_grad():
            for stored in (running_mean, running_var):
                stored.copy_(total(share * stored))


_apart = ContextVar("apart", default=False)


@contextmanager
def apart():
    """Context in which every rank works by itself, as if there were no other."""
    token = _apart.set(True)
    try:
        yield
    finally:
        _apart.reset(token)


def _joined():
    return distributed.is_available() and distributed.is_initialized() and not _apart.get()


@contextmanager
def _raise_if_rank_lost():
    try:
        yield
    except RuntimeError as error:
        told = f"rank {rank()} lost touch with the other ranks, of which one must have died"
        why = str(error).splitlines()[0].split(". ")[0]
        raise ConnectionError(f"{told} ({why})") from error
