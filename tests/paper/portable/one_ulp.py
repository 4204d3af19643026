"""Let transcendental functions err by up to one unit in the last place, as processors do.

No two kinds of processor round these functions alike, and no machine has them all. `install` moves
every number that such a function of NumPy, torch or `math` answers by -1, 0 or 1 unit in the last
place, at random; an exact 0 stays. In torch, sums and products of matrices move as well: the order
in which they are added up depends on the processor, too.
"""

import math
import os

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

NUMPY = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh "
    "arcsinh arccosh arctanh power float_power cbrt hypot logaddexp logaddexp2"
)
MATH = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh "
    "acosh atanh pow cbrt hypot erf erfc gamma lgamma"
)
TORCH = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh "
    "acosh atanh pow sigmoid log_sigmoid_forward softplus gelu silu erf erfc lgamma digamma "
    "logaddexp logsumexp _softmax _log_softmax mm addmm bmm baddbmm mv addmv dot convolution "
    "convolution_backward native_batch_norm native_batch_norm_backward native_layer_norm "
    "native_group_norm sum mean linalg_vector_norm"
)

rng = np.random.default_rng(int(os.environ.get("ONE_ULP_SEED", "0")))


def move(x):
    """Move the numbers of an array, in place; other arrays than those of floats stay."""
    if x.dtype in (np.float32, np.float64):
        units = rng.integers(-1, 2, x.shape, dtype=np.int8)
        units[(x == 0) | ~np.isfinite(x)] = 0
        bits = x.view(np.dtype(f"i{x.itemsize}"))
        bits += units


class Moved:
    """A ufunc whose answers are moved; the rest of it is the ufunc's."""

    def __init__(self, ufunc):
        self.ufunc = ufunc

    def __getattr__(self, name):
        return getattr(self.ufunc, name)

    def __call__(self, *args, **kwargs):
        answer = self.ufunc(*args, **kwargs)
        array = np.asarray(answer)  # the answer itself, unless it is a single number
        move(array)
        return array[()] if np.isscalar(answer) else answer


def moved(function):
    """A function of single numbers whose answers are moved."""

    def answer(*args):
        array = np.array(function(*args), dtype=float)
        move(array)
        return array.item()

    return answer


class MovedTorch(TorchDispatchMode):
    """Moves what the operators in TORCH answer, those of a backward pass included."""

    operators = frozenset(TORCH.split())

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        answer = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__.rstrip("_") in self.operators:
            for tensor in answer if isinstance(answer, tuple) else (answer,):
                if isinstance(tensor, torch.Tensor):
                    move(tensor.detach().numpy())  # which has the memory of the tensor
        return answer


def install():
    """Put the functions that err in the place of the others, for the rest of the process."""
    for name in NUMPY.split():
        setattr(np, name, Moved(getattr(np, name)))
    for name in MATH.split():
        setattr(math, name, moved(getattr(math, name)))
    MovedTorch().__enter__()
