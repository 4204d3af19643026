"""Principal component analysis of a path of parameters, too large for the memory as it may be."""

from dataclasses import dataclass

import numpy as np

from mslbook._arrays import to_numpy
from mslbook._checks import check_int

MEMORY = 2**28  # bytes
MIN_VARIANCE = 1e-10  # of the first direction's; less is lost in the rounding of the Gram matrix
MIN_OUTSIDE = 1e-5  # of a unit vector, outside the span of those before it
MAX_SKEW = 1e-3  # of scalar products of directions, which may be stored in half precision
LEVEL_TOL = 1e-6  # of scores (of unit length over the path): two that differ by less are level


@dataclass(frozen=True)
class PrincipalDirections:
    """The answer of `principal_directions`, in float64."""

    directions: np.ndarray  #: orthonormal, the largest variance first, shape (k, n)
    variances: np.ndarray  #: mean squared distances from the mean along each, shape (k,)
    shares: np.ndarray  #: these as parts of the total variance
    mean: np.ndarray  #: of the snapshots, shape (n,)


def principal_directions(snapshots, k, memory=MEMORY) -> PrincipalDirections:
    """The k directions in which the snapshots of a path vary most, each from its start to its end.

    Compare the shares with `random_walk_shares`.

    Parameters
    ----------
    snapshots : array, shape (T, n), or sequence of T arrays (n,)
        Arrays, memory maps or tensors from any device.
    k : int
    memory : int
        Bytes of snapshots that are held at a time, beside the answer.

    Examples
    --------
    >>> from mslbook import principal_directions
    >>> principal_directions([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], 1).directions
    array([[0.6, 0.8]])
    """
    count, n = len(snapshots), len(snapshots[0])
    _check_k(k, count)
    gram = sum(centred @ centred.T for _, centred, _ in _centred(snapshots, memory))
    squares, scores = np.linalg.eigh(gram)
    squares, scores = squares[::-1][:k], scores[:, ::-1][:, :k]
    rank = int(np.sum(squares > MIN_VARIANCE * squares[0]))
    if rank < k:
        raise ValueError(f"the snapshots vary in {rank} directions only: ask for no more than that")
    mixing = scores * [_sign(score) for score in scores.T] / np.sqrt(squares)
    directions, mean = np.empty((k, n)), np.empty(n)
    for columns, centred, mean[columns] in _centred(snapshots, memory):
        directions[:, columns] = mixing.T @ centred
    return PrincipalDirections(directions, squares / count, squares / np.trace(gram), mean)


def orthogonalise(vectors):
    """Orthonormal vectors, each the part of one of `vectors` (k, n) orthogonal to those before it.

    Examples
    --------
    >>> from mslbook import orthogonalise
    >>> orthogonalise([[3.0, 0.0], [1.0, 2.0]])
    array([[1., 0.],
           [0., 1.]])
    """
    rows = np.stack([to_numpy(row) for row in vectors])
    with np.errstate(invalid="ignore"):  # of 0 or infinity, which are refused below
        rows = rows / np.abs(rows).max(axis=1, keepdims=True)  # or a square could leave the range
    basis, triangle = np.linalg.qr((rows / np.linalg.norm(rows, axis=1, keepdims=True)).T)
    new = np.append(np.abs(np.diag(triangle)) > MIN_OUTSIDE, False)
    if new.sum() < len(rows):
        told = f"direction {new.argmin()} (from 0) is 0, not finite"
        raise ValueError(f"{told} or within the span of the earlier")
    return np.sign(np.diag(triangle))[:, None] * basis.T + 0.0  # + 0.0 makes 0 of -0


def project(snapshots, origin, directions, memory=MEMORY):
    """The coordinates (T, k) of a path along orthonormal directions (k, n) from an origin (n,).

    `snapshots` and `memory` are as for :func:`principal_directions`.

    Examples
    --------
    >>> from mslbook import project
    >>> project([[1.0, 1.0], [2.0, 5.0]], origin=[1.0, 1.0], directions=[[1, 0], [0, 1]])
    array([[0., 0.],
           [1., 4.]])
    """
    origin, directions = to_numpy(origin), np.stack([to_numpy(row) for row in directions])
    if not np.abs(directions @ directions.T - np.eye(len(directions))).max() <= MAX_SKEW:
        raise ValueError("the directions must be orthonormal: pass them through orthogonalise(...)")
    if not np.isfinite(origin).all():
        raise ValueError("the origin must be finite, without inf or nan")
    blocks = _blocks(snapshots, memory)
    return sum((block - origin[part]) @ directions[:, part].T for part, block in blocks)


def random_walk_shares(count, k):
    """The shares of variance of the first k principal components of a random walk of count points.

    For a long walk in many dimensions 6 / (πj)², j = 1, ..., k (Antognini & Sohl-Dickstein, 2018).

    Examples
    --------
    >>> from mslbook import random_walk_shares
    >>> random_walk_shares(1000, 3).round(3)
    array([0.608, 0.152, 0.068])
    """
    _check_k(k, check_int("count", count, least=2))
    squares = np.sin(np.pi * np.arange(1, count) / (2 * count)) ** -2.0
    return squares[:k] / squares.sum()


def _check_k(k, count):
    if check_int("k", k, least=1) > count - 1:
        raise ValueError(f"{count} points vary in at most {count - 1} directions, not {k}")


def _blocks(snapshots, memory):
    """Blocks of columns of all snapshots in float64, of which four copies fit the memory."""
    width = max(1, int(memory // (32 * len(snapshots))))
    for first in range(0, len(snapshots[0]), width):
        columns = slice(first, first + width)
        block = np.stack([to_numpy(row[columns]) for row in snapshots])
        if not np.isfinite(block).all():
            raise ValueError("the snapshots must be finite, without inf or nan")
        yield columns, block


def _centred(snapshots, memory):
    """Blocks of columns, less the mean of the snapshots, and this mean."""
    for columns, block in _blocks(snapshots, memory):
        first = block[0].copy()
        block -= first  # so that equal snapshots differ by exactly 0
        mean = block.mean(axis=0)
        block -= mean
        yield columns, block, first + mean


def _sign(score):
    """1 or -1, so that the score of a path along a direction grows from its start to its end."""
    candidates = score[-1] - score[0], score[-1], score[np.argmax(np.abs(score))]
    return np.sign(next(number for number in candidates if abs(number) > LEVEL_TOL))
