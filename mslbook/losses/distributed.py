"""A loss that several processes share: which rows each of them takes, and sums over all of them.

PyTorch calls the processes ranks. Every rank holds the whole data and the same parameters, takes
its rows of every chunk, and after the sums has the same answer to the last bit, so trajectories
cannot drift apart. Without a process group there is one rank: its rows are all rows, and every sum
is what it was.

Sums are also taken inside a backward pass, and ranks must come to them in the same order. They do:
their graphs are the same but for the number of pictures, and autograd runs what is ready on one
thread per device, what was recorded last first.
"""

import zlib
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def ranks():
    """How many processes share the work; 1 without a process group."""
    return distributed.get_world_size() if _joined() else 1


def rank():
    """The number of this process, from 0; rank 0 is the one that prints and writes files."""
    return distributed.get_rank() if _joined() else 0


def backend():
    """What carries the sums, such as "gloo" or "nccl"; None for a process on its own."""
    return distributed.get_backend() if _joined() else None


def total(tensor):
    """The sum of a tensor over all ranks, on each of them; differentiable any number of times.

    Every rank must call it, in the same order. Raises ``ConnectionError`` when one has died.

    >>> total(torch.ones(2))
    tensor([1., 1.])
    """
    return _Total.apply(tensor) if ranks() > 1 else tensor


class _Total(torch.autograd.Function):
    """Each rank's sum depends on each rank's term alike, so the derivative is a sum again."""

    @staticmethod
    def forward(ctx, tensor):
        result = tensor.clone(memory_format=torch.contiguous_format)
        with _told():
            distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx, slope):
        return _Total.apply(slope)


class Part(NamedTuple):
    """What one rank computes of a chunk of pictures."""

    rows: slice  #: which pictures
    weight: float  #: of their mean in the mean over the pictures of all chunks and ranks
    share: float  #: of the chunk's pictures that they are

    def statistics(self):
        """A context in which BatchNorm sees the statistics of the chunk, not of these rows."""
        return nullcontext() if self.share == 1 else _ChunkStatistics(self.share)


def parts(n, chunk):
    """Yield this rank's part of every chunk of `n` pictures; the weights of all ranks sum to 1.

    Of a chunk with fewer pictures than ranks, such as the last one may be, every rank computes
    the whole, and that of rank 0 counts.

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


def gather(pieces, n):
    """All `n` rows, on every rank, from pairs of a `Part` and the tensor of its rows."""
    like = pieces[0][1]
    rows = like.new_zeros(n, *like.shape[1:])
    for part, piece in pieces:
        if part.weight:
            rows[part.rows] = piece
    return total(rows)


def check_same(what, *tensors):
    """Raise ``ValueError`` on every rank unless all of them hold the same tensors, bit for bit."""
    if ranks() == 1:
        return
    checksum = 0
    for tensor in tensors:
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        checksum = zlib.crc32(raw.numpy(), checksum)
    extremes = torch.tensor([checksum, -checksum], device=tensors[0].device)
    with _told():
        distributed.all_reduce(extremes, distributed.ReduceOp.MAX)
    if extremes.sum() != 0:
        raise ValueError(
            f"the {ranks()} ranks do not hold the same {what}: make them from the same files and "
            "seeds on every rank"
        )


def wait_for_all():
    """Return when every rank has come here."""
    if ranks() > 1:
        with _told():
            distributed.barrier()


class _ChunkStatistics(TorchFunctionMode):
    """Normalise by statistics of the chunk, of which this rank has a share, and store those.

    Nothing in the model is touched: the functions that its layers call are answered here. (PyTorch
    has SyncBatchNorm, for CUDA alone and to be differentiated once.) InstanceNorm normalises
    every picture by itself, but the statistics that it stores are a mean over pictures.
    """

    def __init__(self, share):
        super().__init__()
        self.share = share

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is functional.batch_norm:
            return _batch_norm(self.share, *args, **kwargs)
        answer = func(*args, **kwargs)
        if func is functional.instance_norm:
            _average_stored(self.share, *args, **kwargs)
        return answer


def _batch_norm(share, x, running_mean, running_var, weight=None, bias=None, training=False,
                momentum=0.1, eps=1e-5):  # fmt: skip
    """What ``torch.nn.functional.batch_norm`` does, for the chunk that all ranks hold together."""
    if not training:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    over, column = [0, *range(2, x.ndim)], (-1, *[1] * (x.ndim - 2))
    variance, mean = torch.var_mean(x, over, correction=0)
    own = torch.stack([mean, variance, torch.full_like(mean, share)])
    means, variances, shares = _of_all(own).unbind(1)  # one sum, and no cancellation in it
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
    """Running statistics that instance_norm has stored for these rows, made those of the chunk."""
    if use_input_stats and running_mean is not None:
        with torch.no_grad():
            for stored in (running_mean, running_var):
                stored.copy_(total(share * stored))


def _of_all(tensor):
    """The tensors of all ranks, stacked in their order."""
    around = (rank(), ranks() - 1 - rank())
    return total(functional.pad(tensor[None], (0, 0) * tensor.ndim + around))


def _joined():
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def _told():
    """Say in words that the others are no longer there."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(
            f"rank {rank()} lost touch with the other ranks, of which one must have died "
            f"({str(error).splitlines()[0].split('. ')[0]})"
        ) from error
