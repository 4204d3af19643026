"""The loss along a line and over a plane through a point, and directions to look along."""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import inf, nan
from os import getpid
from pathlib import Path

import numpy as np

from mslbook._arrays import as_real, as_row, as_theta, like, to_numpy
from mslbook._checks import check_real
from mslbook.probes._theta import check_theta, precision

MIN_ANGLE_SINE = 1e-3  # of two directions that span a plane
FIRST_STRIDE = 8  # of the places that an adaptive plane begins with
NEIGHBOURS = 40  # of a place, from which it is interpolated


def line(loss, theta, direction, distances):
    """The losses at ``theta + distance * direction / ||direction||``, in the precision of theta.

    In single precision `rounding` may hide the curvature: take ``loss.to(dtype=torch.float64)``.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    direction : array_like, shape of theta
    distances : array_like, shape (D,)

    Examples
    --------
    >>> from mslbook import f1, line
    >>> line(f1, 0.0, 1.0, [-1, 0, 1]).round(4)
    array([0.3863, 0.    , 0.3863])
    """
    xp, theta = check_theta(loss, theta)
    unit = _unit(xp, theta, direction)
    points = (theta + float(d) * unit for d in as_row("distances", distances))
    return np.array(_values(loss, points), dtype=precision(theta))


def plane(loss, theta, directions, first, second, checkpoint=None, progress=False):
    """The losses at theta + a u + b w, shape (A, B), for every distance a and b.

    Parameters
    ----------
    loss, theta
        As for `line`.
    directions : pair of array_like, shape of theta
        Brought to length 1, u and w; they need not be orthogonal.
    first, second : array_like, shapes (A,) and (B,)
        Distances along them.
    checkpoint : path, optional
        An ``.npz`` file that keeps what is computed; a call that was interrupted goes on from it.
    progress : bool
        Whether to show a bar on stderr.

    Examples
    --------
    >>> from mslbook import plane, valley
    >>> plane(valley, [1.0, 0.0], [[1, 0], [0, 1]], [-1, 0, 1], [0, 1]).shape
    (3, 2)
    """
    grid = _Grid(loss, theta, directions, first, second, checkpoint, progress)
    grid.evaluate(np.ones(grid.values.shape, dtype=bool))
    return grid.values


@dataclass(frozen=True)
class AdaptivePlane:
    """The answer of `adaptive_plane`."""

    values: np.ndarray  #: the losses, shape (A, B)
    evaluated: np.ndarray  #: where they were evaluated and not interpolated, bool, shape (A, B)
    error: float  #: the largest error seen of the interpolation, relative to the range of values


def adaptive_plane(loss, theta, directions, first, second, tol=0.01, checkpoint=None,
                   progress=False) -> AdaptivePlane:  # fmt: skip
    """The losses of `plane`, interpolated wherever that is good enough.

    It begins with every eighth distance. Where a cubic interpolation misses what is evaluated half
    way between by more than `tol`, relative to the range of the losses, it halves the spacing, down
    to the grid. What is narrower than the first spacing can be missed.

    Parameters
    ----------
    loss, theta, directions, first, second, checkpoint, progress
        As for `plane`; at least 17 distances each way.
    tol : float

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook import adaptive_plane, valley
    >>> away = np.linspace(-1, 1, 51)
    >>> adaptive_plane(valley, [0.0, 0.0], np.eye(2), away, away).evaluated.mean() < 1 / 5
    np.True_
    """
    from scipy.ndimage import maximum_filter  # slow to import

    tol = check_real("tol", tol, above=0, below=1)
    grid = _Grid(loss, theta, directions, first, second, checkpoint, progress)
    if min(grid.values.shape) < 2 * FIRST_STRIDE + 1:
        raise ValueError(f"give at least {2 * FIRST_STRIDE + 1} distances each way, or call plane")
    known = _every(FIRST_STRIDE, grid.values.shape)
    grid.evaluate(known)
    error, stride, near = 0.0, FIRST_STRIDE, True
    while stride > 1 and np.any(near):
        stride //= 2
        new = _every(stride, known.shape) & near & ~known
        grid.evaluate(new)
        scale = np.ptp(grid.values[known | new])
        errors = np.abs(_interpolated(grid.values, known)[new] - grid.values[new])
        missed = np.zeros(known.shape, dtype=bool)
        missed[new] = ~(errors <= tol * scale)
        near = maximum_filter(missed, 2 * stride + 1, mode="constant")
        known, error = known | new, max([error, *errors[~missed[new]]])
    values = np.where(known, grid.values, _interpolated(grid.values, known))
    return AdaptivePlane(values, known, float(error / scale) if error else 0.0)


def random_direction(theta, seed=0):
    """Independent standard normal coordinates, of the kind and shape of theta.

    Parameters
    ----------
    theta : array_like
    seed : int

    Examples
    --------
    >>> from mslbook import random_direction
    >>> random_direction([0.0, 0.0, 0.0], seed=1).round(3)
    array([0.346, 0.822, 0.33 ])
    """
    theta = as_theta(theta, None)
    return like(theta, np.random.default_rng(seed).standard_normal(tuple(theta.shape)))


def filter_normalised(loss, theta, direction):
    """The direction with every filter as long as that of the network (H. Li et al., 2018).

    A filter is a slice along the first axis of a parameter with two axes or more; biases and
    BatchNorm are not moved.

    Parameters
    ----------
    loss : NetworkLoss
    theta, direction : Tensor, shape (n,)

    Examples
    --------
    >>> import torch
    >>> from mslbook import NetworkLoss, filter_normalised, random_direction
    >>> model, x, y = torch.nn.Linear(3, 2), torch.ones(4, 3), torch.tensor([0, 1, 1, 0])
    >>> loss = NetworkLoss(model, (x, y), torch.nn.functional.cross_entropy)
    >>> filter_normalised(loss, loss.theta, random_direction(loss.theta))[6:]
    tensor([0., 0.])
    """
    if not hasattr(loss, "parameters"):
        raise TypeError("only a network has filters: pass a NetworkLoss")
    xp, theta = check_theta(loss, theta)
    parameters, pieces = list(loss.parameters.values()), []
    unit, sizes = _unit(xp, theta, direction), [p.numel() for p in parameters]
    for p, weights, filters in zip(parameters, theta.split(sizes), unit.split(sizes), strict=True):
        if p.ndim < 2:
            pieces.append(0 * filters)
            continue
        weights, filters = (rows.reshape((len(p), -1)) for rows in (weights, filters))
        wanted, length = (
            xp.linalg.vector_norm(rows, axis=1, keepdims=True) for rows in (weights, filters)
        )
        scale = xp.where(length > 0, wanted / length, 0 * length)
        pieces.append((scale * filters).reshape((-1,)))
    return xp.concat(pieces)


class _Grid:
    """The losses over a plane, nan where they are not known; a file keeps them."""

    def __init__(self, loss, theta, directions, first, second, checkpoint, progress):
        xp, theta = check_theta(loss, theta)
        u, w = (_unit(xp, theta, one) for one in directions)
        first, second = as_row("first", first), as_row("second", second)
        if float(xp.linalg.vector_norm(w - xp.sum(u * w) * u)) < MIN_ANGLE_SINE:
            raise ValueError("the two directions are parallel and span no plane: choose another")
        self._loss, self._file, self._progress = loss, checkpoint, progress
        self._point = lambda row, column: theta + float(first[row]) * u + float(second[column]) * w
        self.values = np.full((len(first), len(second)), nan, precision(theta))
        arrays = (*map(to_numpy, (theta, u, w)), first, second)
        self._plane = sha256(b"".join(map(np.ndarray.tobytes, arrays))).hexdigest()
        if checkpoint is not None and Path(checkpoint).exists():
            self._read()

    def evaluate(self, wanted):
        """Evaluate the loss at those of the wanted places where it is not known yet."""
        places, run = np.argwhere(wanted & np.isnan(self.values)), self.values.shape[1]
        runs = [places[first : first + run].T for first in range(0, len(places), run)]
        if self._progress:
            from tqdm import tqdm  # only with the networks, which are slow enough to need it

            runs = tqdm(runs, desc="plane")
        try:
            for rows, columns in runs:
                points = map(self._point, rows, columns)
                self.values[rows, columns] = _values(self._loss, points)
                self._write()
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            hint = "lower the chunk= of the NetworkLoss; a checkpoint= keeps what was computed"
            raise MemoryError(f"out of memory: {hint}") from error

    def _read(self):
        with np.load(self._file, allow_pickle=False) as kept:
            values, same = kept["values"], kept["plane"] == self._plane
        places = np.argwhere(~np.isnan(values))[:1]
        found = _values(self._loss, (self._point(*place) for place in places))
        if not (same and np.allclose(found, [values[*place] for place in places])):
            raise ValueError(f"{self._file} keeps another plane: name another checkpoint")
        self.values = values

    def _write(self):
        if self._file is not None:
            whole = Path(f"{self._file}.{getpid()}.tmp")  # so that the file is never half-written
            with whole.open("wb") as file:
                np.savez(file, values=self.values, plane=self._plane)
            whole.replace(self._file)


def _every(stride, shape):
    """Where a grid with every so many-th place, and the last one, has its places."""
    chosen = np.zeros(shape, dtype=bool)
    chosen[np.ix_(*(np.r_[0 : n - 1 : stride, n - 1] for n in shape))] = True
    return chosen


def _interpolated(values, known):
    """A cubic interpolation, by radial functions, of the known values to all places."""
    from scipy.interpolate import RBFInterpolator  # slow to import

    places = np.argwhere(np.ones_like(known)).astype(float)
    among = known.ravel()
    fit = RBFInterpolator(places[among], values[known], NEIGHBOURS, kernel="cubic")
    return fit(places).reshape(values.shape)


def _values(loss, points):
    """The losses at points, which are made one by one, since networks are large."""
    evaluate = getattr(loss, "values", None) or partial(map, loss.value)
    return [float(value) for value in evaluate(points)]


def _unit(xp, theta, direction):
    """The direction as a unit vector of the kind of theta."""
    direction = as_real("the direction", direction)
    direction = like(theta, direction.detach() if hasattr(direction, "detach") else direction)
    if direction.shape != theta.shape:
        shape, wanted = tuple(direction.shape), tuple(theta.shape)
        raise ValueError(f"the direction has shape {shape}, theta {wanted}")
    largest = xp.max(xp.abs(direction))
    if not 0 < float(largest) < inf:
        raise ValueError("the direction is 0 or not finite: it points nowhere")
    direction = direction / largest  # or its square could leave the range
    return direction / xp.linalg.vector_norm(direction)
