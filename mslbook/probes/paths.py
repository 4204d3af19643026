"""Paths of parameters seen in a few directions: PCA of trajectories too large for the memory."""

from dataclasses import dataclass

import numpy as np

from mslbook.checks import float64, real, real_numbers, whole

MEMORY = 2**28  # bytes of snapshots held at a time, 256 MiB
# Directions with a smaller part of the first one's variance are lost in the rounding of the Gram
# matrix; a direction with a smaller part outside the span of others adds nothing but rounding.
RANK, DEPENDENT = 1e-10, 1e-5
SKEW = 1e-3  # by which scalar products of unit vectors in half precision may be off
LEVEL = 1e-6  # two scores (of unit length over a path) that differ by less are level


@dataclass(frozen=True)
class PrincipalDirections:
    """The answer of `principal_directions`, in NumPy arrays of float64.

    Attributes
    ----------
    directions : (k, n), orthonormal, the largest variance first
    variances : (k,), mean squared distance from the mean along each
    shares : (k,), each variance as a part of the total one
    mean : (n,), of the snapshots
    """

    directions: np.ndarray
    variances: np.ndarray
    shares: np.ndarray
    mean: np.ndarray

    def __repr__(self):
        return f"PrincipalDirections(shares {self.shares.round(3).tolist()})"


def principal_directions(snapshots, k, memory=MEMORY):
    """The k directions in which the snapshots of a path vary most: its principal components.

    With the centred snapshots as the rows of X, they are ``Xᵀu / ||Xᵀu||`` for the first
    eigenvectors u of the Gram matrix XXᵀ, which is only as large as the path has snapshots.
    Everything is summed up in float64 over blocks of columns, in two passes.

    Parameters
    ----------
    snapshots : an array (T, n), one point of the path a row, or a sequence of T arrays (n,). Of a
        memory map (``np.load(file, mmap_mode="r")``) no more is read than is worked on; torch
        tensors may live on any device.
    k : how many, at most T - 1
    memory : bytes of snapshots that are held at a time, beside the answer and the Gram matrix

    Each direction points the way the path travels: its last snapshot lies further along it than
    the first (or, if these are level, further than the mean).

    A word of warning: the principal components of a random walk in many dimensions are cosines of
    time, however aimless it was (Antognini & Sohl-Dickstein, 2018), so a smooth curve in a plot of
    components is no sign of structure. Compare ``shares`` with `random_walk_shares`: drift in one
    direction puts more into the first.

    Returns `PrincipalDirections`. Raises ``ValueError`` or ``TypeError`` for what is not a path,
    holds nan or infinities, or varies in fewer than k directions.

    >>> path = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> found = principal_directions(path, 1)
    >>> found.directions, found.shares
    (array([[0.6, 0.8]]), array([1.]))
    """
    count, n = _shape(snapshots)
    blocks = _blocks(count, n, memory)
    _check_directions(k, count)
    gram = sum(centred @ centred.T for _, centred, _ in _centred(snapshots, blocks))
    squares, scores = np.linalg.eigh(gram)
    squares, scores = squares[::-1][:k], scores[:, ::-1][:, :k]
    rank = int(np.sum(squares > RANK * squares[0]))
    if rank < k:
        raise ValueError(
            f"the snapshots vary in {rank} directions (to rounding), not {k}: "
            + ("ask for fewer" if rank else "a path needs at least two distinct points")
        )
    mixing = scores * [_way(column) for column in scores.T] / np.sqrt(squares)
    directions, mean = np.empty((k, n)), np.empty(n)
    for block, centred, mean[block] in _centred(snapshots, blocks):
        directions[:, block] = mixing.T @ centred
    return PrincipalDirections(directions, squares / count, squares / np.trace(gram), mean)


def segment_directions(segments, memory=MEMORY):
    """The leading principal direction of each segment of a path, orthogonalised in their order.

    These are the axes of the journal's figure 3.2 (right), preprint figure 3 (right): its
    segments are the path before the learning rate decays, the one after an early decay and the
    one after a late decay. ``orthogonalise`` says what each keeps of its own direction.

    Parameters
    ----------
    segments : a sequence of paths, each as for `principal_directions`
    memory : as there

    Returns an array (number of segments, n) with orthonormal rows. Raises ``ValueError`` for a
    segment with fewer than two distinct points, or one whose direction lies within the span of
    the earlier ones.

    >>> segment_directions([np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[2.0, 0.0], [3.0, 1.0]])])
    array([[1., 0.],
           [0., 1.]])
    """
    segments = list(segments) if np.iterable(segments) else []
    if len({_shape(segment)[1] for segment in segments}) != 1:
        raise ValueError("give at least one segment, and all of them in the same dimension")
    leading = []
    for i, segment in enumerate(segments):
        try:
            leading.append(principal_directions(segment, 1, memory).directions[0])
        except ValueError as error:
            raise ValueError(f"segment {i} (counted from 0): {error}") from error
    return orthogonalise(leading)


def orthogonalise(vectors):
    """Orthonormal vectors, each the part of one of `vectors` (k, n) orthogonal to those before it.

    Gram and Schmidt's way, done twice over against rounding. Raises ``ValueError`` for a vector
    that is 0 or not finite, or lies within the span of the earlier ones.

    >>> orthogonalise([[3.0, 0.0], [1.0, 2.0]])
    array([[1., 0.],
           [0., 1.]])
    """
    rows = [_float64(row) for row in (vectors if np.iterable(vectors) else [vectors])]
    shapes = {row.shape for row in rows}
    if len(shapes) != 1 or len(*shapes) != 1:
        raise ValueError(f"vectors must have the shape (k, n), not rows of {[*shapes]}")
    basis = np.array(rows)
    for i, row in enumerate(basis):
        size = np.abs(row).max()
        if not 0 < size < np.inf:
            what = "is 0 everywhere" if size == 0 else "holds nan or infinite numbers"
            raise ValueError(f"direction {i} (counted from 0) {what}: it points nowhere")
        row /= size  # or its square could leave the range
        row /= np.linalg.norm(row)
        for _ in range(2):
            row -= (basis[:i] @ row) @ basis[:i]
        left = np.linalg.norm(row)
        if not left > DEPENDENT:
            raise ValueError(
                f"direction {i} lies within the span of the {i} before it (directions are counted "
                "from 0): leave it out"
            )
        row /= left
    return basis


def project(snapshots, origin, directions, memory=MEMORY):
    """The coordinates (T, k) of a path along k orthonormal directions.

    Parameters
    ----------
    snapshots : a path, as for `principal_directions`
    origin : (n,), the point where all coordinates are 0
    directions : (k, n)
    memory : bytes of snapshots that are held at a time

    Raises ``ValueError`` or ``TypeError`` for shapes that do not fit, nan and infinities, and for
    directions that are not orthonormal.

    >>> project(np.array([[1.0, 1.0], [2.0, 5.0]]), np.array([1.0, 1.0]), np.eye(2))
    array([[0., 0.],
           [1., 4.]])
    """
    count, n = _shape(snapshots)
    directions = directions if hasattr(directions, "shape") else np.asarray(directions)
    if np.shape(origin) != (n,) or np.shape(directions)[1:] != (n,):
        raise ValueError(
            f"a path in {n} dimensions needs an origin of shape ({n},) and directions of shape "
            f"(k, {n}), not {tuple(np.shape(origin))} and {tuple(np.shape(directions))}"
        )
    blocks = _blocks(count, n, memory)
    pieces = (_float64(directions[:, block]) for block in blocks)
    gram = sum(piece @ piece.T for piece in pieces)
    if np.abs(gram - np.eye(len(gram))).max() > SKEW:  # nan and infinities are told below
        raise ValueError("the directions must be orthonormal: pass them through orthogonalise(...)")
    coordinates = np.zeros((count, len(directions)))
    for block in blocks:
        away = _columns(snapshots, block) - _float64(origin[block])
        coordinates += away @ _float64(directions[:, block]).T
    if not np.isfinite(coordinates).all():
        raise ValueError("the origin or the directions hold nan or infinite numbers")
    return coordinates


def random_walk_shares(count, k):
    """The shares (k,) of variance that the first principal components of a random walk take.

    The walk has `count` points, independent steps of one size, and many more dimensions than
    points. Its centred Gram matrix is then the inverse of the Laplacian of a chain, with
    eigenvalues in proportion to 1 / sin²(πj / 2 count) for j = 1, 2, ..., and cosines of time as
    eigenvectors (Antognini & Sohl-Dickstein, 2018); of a long walk the j-th component takes
    6 / (πj)².

    >>> random_walk_shares(1000, 3).round(3)
    array([0.608, 0.152, 0.068])
    """
    _check_directions(k, whole("count", count, least=2))
    squares = np.sin(np.pi * np.arange(1, count) / (2 * count)) ** -2.0
    return squares[:k] / squares.sum()


def _shape(snapshots):
    """T and n; clear errors for what is not a path."""
    if hasattr(snapshots, "shape"):
        shape = tuple(snapshots.shape)
    else:
        listed = snapshots if hasattr(snapshots, "__len__") else ()
        rows = {tuple(getattr(row, "shape", ("?",))) for row in listed}
        shape = (len(snapshots), *rows.pop()) if len(rows) == 1 else ()
    if len(shape) != 2 or 0 in shape or "?" in shape:
        raise ValueError(
            "snapshots must be an array of shape (T, n), or a sequence of T arrays of one shape "
            f"(n,), not {type(snapshots).__name__}" + (f" of shape {shape}" if shape else "")
        )
    return shape


def _check_directions(k, count):
    if count < 2:
        raise ValueError("a path needs at least two distinct points")
    if whole("k", k, least=1) > count - 1:
        raise ValueError(f"{count} points vary in at most {count - 1} directions, not {k}")


def _blocks(count, n, memory):
    """Slices of columns so narrow that four float64 copies of their snapshots fit the memory."""
    width = int(real("memory", memory) // (32 * count))
    if width < 1:
        raise ValueError(
            f"{memory} bytes do not hold one column of {count} snapshots: "
            f"allow memory for at least {32 * count}"
        )
    return [slice(first, min(first + width, n)) for first in range(0, n, width)]


def _centred(snapshots, blocks):
    """Each block of columns, its snapshots less their mean, and this mean."""
    for block in blocks:
        columns = _columns(snapshots, block)
        first = columns[0].copy()  # no view, which would keep them all
        columns = columns - first  # so that equal snapshots differ by exactly 0
        mean = columns.mean(axis=0)
        columns -= mean
        yield block, columns, first + mean


def _columns(snapshots, block):
    """A block of columns of all snapshots, in float64."""
    if hasattr(snapshots, "shape"):
        columns = _float64(snapshots[:, block])
    else:
        columns = np.empty((len(snapshots), block.stop - block.start))
        for row, snapshot in zip(columns, snapshots, strict=True):
            row[:] = _float64(snapshot[block])
    if not np.isfinite(columns).all():
        where = int(np.argmin(np.isfinite(columns).all(axis=1)))
        raise ValueError(f"snapshot {where} (counted from 0) holds nan or infinite numbers")
    return columns


def _float64(array):
    """The array, or the tensor from any device, in NumPy's float64."""
    return float64(real_numbers("points and directions", array))


def _way(score):
    """1 or -1, so that the score of a path along a direction grows from its start to its end."""
    ways = score[-1] - score[0], score[-1], score[np.argmax(np.abs(score))]
    return np.sign(next(way for way in ways if abs(way) > LEVEL))
