"""The loss along a line or over a plane through a point, and how it grows there.

A second difference is a small difference of large numbers, and drowns in rounding long before the
losses themselves look wrong. Measured on a VGG11, a loss L in single precision scatters by about
5e-8 L, so its second differences at spacing h by 1.2e-7 L / h²; in double precision both are
hundreds of millions of times smaller, at four to five times the cost on a CPU. Whether single
precision will do is a question for `rounding`; where it will not, take
``line(loss.to(dtype=torch.float64), theta.double(), direction, distances)``. Half precision, and
second differences that are hardly more than rounding, are refused.
"""

from dataclasses import dataclass
from math import comb, inf, isfinite, nan, sqrt

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from mslbook.checks import finite_row, generator, real, real_numbers
from mslbook.loss import as_point
from mslbook.probes.points import TINY, one_point, precision, values_along

PARALLEL = 1e-3  # the sine of the angle below which two directions span no plane
ORDER = 6  # of the differences that leave of a smooth line its rounding alone
DROWNED = 3  # standard deviations of rounding, that second differences do not exceed
CLEAR = 5  # standard deviations, of which a change must consist to be seen
NEAR = 12  # values on either side of the lowest, in which the scatter there is measured
FEW = 4  # points: no exponent is fitted to fewer
CORE = 0.1  # the curvature's relative change at the end of the quadratic core


def line(loss, theta, direction, distances):
    """The losses at ``theta + distance * direction / ||direction||``, one for each distance.

    Parameters
    ----------
    loss : anything with ``value``; a network is evaluated in its chunks, without graphs
    theta : a number, for a function of one variable, or a vector of n coordinates
    direction : of the shape of `theta`: ``loss.grad(theta)``, a row of ``sharpness(...).vectors``,
        `random_direction`, `filter_normalised`, or any vector; its length does not matter
    distances : (D,), in the units of `theta`

    Returns a NumPy array (D,) in the precision of the point, inf or nan where the loss is so.

    Raises ``ValueError`` or ``TypeError``, before any work, for a point in half precision, a
    direction that does not go with the point or points nowhere, and for distances that are not a
    row of finite numbers.

    Journal figures 3.1 and, over a wider range, 3.2 show such lines (preprint figures 2 and 3).

    >>> from mslbook.losses import f1, two_valleys
    >>> line(f1, 0.0, 1.0, [-1, 0, 1]).round(4)
    array([0.3863, 0.    , 0.3863])
    >>> line(two_valleys, [0.0, 0.0], direction=[3.0, 4.0], distances=[-5, 0, 5]).shape
    (3,)
    """
    xp, theta = one_point(loss, theta)
    unit = _unit(xp, theta, direction)
    return _values(loss, theta, unit, finite_row("distances", distances))


def plane(loss, theta, directions, first, second, progress=False):
    """The losses at theta + a * u + b * w for every distance a in `first` and b in `second`.

    The two `directions` are brought to length 1, u and w, and otherwise taken as they are: where
    they are not orthogonal, the plane is drawn in oblique coordinates. Returns a NumPy array
    (A, B), row by row a `line`; ``progress=True`` shows a bar on stderr.

    Raises what `line` raises, and ``ValueError`` for two directions that are parallel.

    >>> from mslbook.losses import valley
    >>> plane(valley, [1.0, 0.0], [[1, 0], [0, 1]], [-1, 0, 1], [0, 1]).shape
    (3, 2)
    """
    xp, theta = one_point(loss, theta)
    directions = list(directions) if np.iterable(directions) else [directions]
    if len(directions) != 2:
        raise ValueError(f"a plane has two directions, not {len(directions)}")
    u, w = (_unit(xp, theta, direction) for direction in directions)
    first, second = finite_row("first", first), finite_row("second", second)
    if float(xp.linalg.vector_norm(w - xp.sum(u * w) * u)) < PARALLEL:
        raise ValueError("the two directions are parallel and span no plane: choose another one")
    if progress:
        from tqdm import tqdm  # only with the networks, which are slow enough to need it

        first = tqdm(first, desc="plane")
    return np.stack([_values(loss, theta + float(a) * u, w, second) for a in first])


def random_direction(point, seed=0):
    """A direction of independent standard normal coordinates, of the kind of `point`.

    The same for every library and device; ``line`` takes it as it is, and `filter_normalised`
    brings its filters to the scale of the network's.

    >>> random_direction([0.0, 0.0, 0.0], seed=1).round(3)
    array([0.346, 0.822, 0.33 ])
    """
    point = as_point(point, None)
    numbers = generator(seed).standard_normal(tuple(point.shape))
    return array_namespace(point).asarray(numbers, dtype=point.dtype, device=device(point))


def filter_normalised(loss, theta, direction):
    """The direction with every filter as long as the network's own (Li et al. 2018, section 4).

    Parameters
    ----------
    loss : NetworkLoss
    theta, direction : (n,)

    A filter is what feeds one output channel of a convolution, or one neuron of a linear layer:
    a slice along the first axis of a parameter with two axes or more. All parameters with one
    axis, the biases and those of BatchNorm, are left where they are: their direction is 0, as in
    the figures of Li et al. Done twice, it changes nothing more.

    The answer is not a unit vector. Li et al. measure distance in units of its length; `line`,
    which divides by it, draws their picture at the distances ``t * d.norm()``, t from -1 to 1.

    Raises ``TypeError`` for a loss without a network, else what `line` raises.

    >>> import torch
    >>> from mslbook.losses.network import NetworkLoss, half_squared_error
    >>> x, y = torch.ones(4, 3), torch.tensor([0, 1, 1, 0])
    >>> loss = NetworkLoss(torch.nn.Linear(3, 2), x, y, half_squared_error)
    >>> d = filter_normalised(loss, loss.theta, random_direction(loss.theta))
    >>> filters, weights = d[:6].reshape(2, 3), loss.theta[:6].reshape(2, 3)
    >>> torch.allclose(filters.norm(dim=1), weights.norm(dim=1)), d[6:].tolist()
    (True, [0.0, 0.0])
    >>> losses = line(loss, loss.theta, d, np.linspace(-1, 1, 51) * float(d.norm()))
    """
    if not hasattr(loss, "model"):
        raise TypeError("only a network has filters: pass a NetworkLoss")
    xp, theta = one_point(loss, theta)
    unit, pieces, first = _unit(xp, theta, direction), [], 0
    for parameter in loss.model.parameters():
        last = first + parameter.numel()
        weights, piece = theta[first:last], unit[first:last]
        first = last
        if parameter.ndim < 2:
            pieces.append(0 * piece)
            continue
        shape = (len(parameter), -1)
        length, wanted = (
            xp.linalg.vector_norm(array.reshape(shape), axis=1, keepdims=True)
            for array in (piece, weights)
        )
        scale = xp.where(length > 0, wanted / length, 0 * length)
        pieces.append((scale * piece.reshape(shape)).reshape(-1))
    return xp.concat(pieces)


def second_difference(values, spacing):
    """Central second differences (v[i-1] - 2 v[i] + v[i+1]) / spacing² along the last axis.

    `values` has shape (..., D), losses at equal `spacing`; returns float64 of shape (..., D - 2).
    The paper leaves out the division by spacing² (journal fig. 3.1, preprint fig. 2).

    Each is the average of the curvature over one spacing to either side, with the weights of a
    tent, and goes to v·Hv as the spacing shrinks, if the loss is smooth. ReLU and max pooling put
    kinks along every line: these count here, and the Hessian knows nothing of them. For a VGG11
    (width 1/8, 100 pictures of CIFAR-10, along the gradient) the average of v·Hv was 46 wherever
    it was taken, while slopes 0.01 to 0.1 apart, as far as a step of descent, differed by 50 to 53
    per unit of distance. So choose a spacing that descent would notice; a finer one sees the
    scatter of single kinks.

    Raises ``ValueError`` for fewer than 3 values, values that are not finite or in half precision,
    a spacing that is not positive, and where the differences are hardly more than rounding. Values
    that lie on a straight line to the last bit give zeros; what storing them may have hidden,
    `rounding` tells.

    >>> second_difference([9.0, 4.0, 1.0, 0.0, 1.0], spacing=0.5)
    array([8., 8., 8.])
    """
    values, spacing = values_along(values, least=3), _spacing(spacing)
    bends = np.diff(values.astype(float), 2, axis=-1)
    scatter = _scatter(values)
    # What scatters by much more than the last digits is rugged at this spacing, not rounded.
    rounded = scatter <= 16 * np.finfo(values.dtype).eps * np.abs(values).max()
    if bends.any() and rounded and sqrt(np.mean(bends**2)) < DROWNED * _amplified(scatter, 2):
        raise ValueError(
            f"at spacing {spacing:g} second differences drown in the rounding of the losses "
            f"({values.dtype}): take a wider spacing or, if these are not yet in double precision, "
            "loss.to(dtype=torch.float64) at theta.double()"
        )
    return bends / spacing**2


def rounding(values, spacing):
    """The standard deviation of the rounding errors in ``second_difference(values, spacing)``.

    `values` has shape (..., D), D at least 9. Measured, not assumed: sixth differences of a smooth
    line shrink like spacing⁶ and leave the rounding of the losses, which they amplify by a known
    factor. Kinks and anything else that is rough at this spacing count too, so it is a bound
    rather than too small; it is never less than what storing the values costs.

    Raises ``ValueError`` as `second_difference` does.

    >>> from mslbook.losses import f1
    >>> spacing = 0.01
    >>> values = line(f1, 1.0, 1.0, spacing * np.arange(-20, 21))
    >>> rounding(values, spacing) < 1e-8
    True
    >>> 1e-4 < rounding(values.astype(np.float32), spacing) < 1e-2
    True
    """
    values, spacing = values_along(values, least=ORDER + 3), _spacing(spacing)
    return _amplified(_scatter(values), 2) / spacing**2


@dataclass(frozen=True, repr=False)
class Growth:
    """How a loss grows on both sides of its minimum along a line: the answer of `growth`.

    Pairs are of the side of smaller distances, then that of larger ones. Along the gradient, seen
    from where descent stands, smaller is downhill.

    Attributes
    ----------
    minimum : the distance at which the line is lowest
    value : the loss there
    curvature : its second difference there
    drops : how far from the minimum the second difference has fallen by a tenth; inf where it
        does not within the range; below the spacing, it says only that the core is narrower
    exponents : p of the fit ``L - value ~ c |distance - minimum|^p`` on each side
    fitted : the two distances from the minimum between which each was fitted
    spacing : that of the second differences

    Whatever a line does not tell is nan.
    """

    minimum: float = nan
    value: float = nan
    curvature: float = nan
    drops: tuple[float, float] = (nan, nan)
    exponents: tuple[float, float] = (nan, nan)
    fitted: tuple[tuple[float, float], tuple[float, float]] = ((nan, nan), (nan, nan))
    spacing: float = nan

    def __repr__(self):
        pairs = [
            f"{name} {before:.3g} | {beyond:.3g}"
            for name, (before, beyond) in (("exponents", self.exponents), ("drops", self.drops))
        ]
        place = f"minimum {self.value:.4g} at {self.minimum:.3g}, curvature {self.curvature:.3g}"
        return f"Growth({place}, {', '.join(pairs)})"


def growth(distances, values):
    """Measure how the loss along a line grows around its minimum: a `Growth`.

    Parameters
    ----------
    distances : (D,), increasing at equal spacing, D at least 9
    values : (D,), the losses there

    The minimum is the vertex of the parabola through the lowest value and its neighbours. From
    there each side is followed as far as the loss keeps rising. Its quadratic core ends where the
    second difference, interpolated linearly, first differs by a tenth from that at the minimum;
    beyond, log(L - value) against log(distance) is fitted by a straight line, whose slope is the
    exponent p. It starts no farther out than half way, so that a quadratic line has its exponent
    too. Below 2 the loss grows subquadratically (journal and preprint section 3.1).

    A change by a tenth can be seen only where second differences scatter by much less, a fiftieth
    of the curvature here. Where rounding or kinks make them scatter by more, only every second,
    fourth, ... value is used, the lowest one always among them. If they still scatter with fewer
    than 9 values left, all values are used and there are no drops. A side with fewer than 4 points
    to fit has no exponent, and a line whose lowest value is the first or the last has no minimum.

    Raises ``ValueError`` for distances that are not equally spaced and increasing, for values that
    do not go with them, and for what `second_difference` refuses.

    >>> from mslbook.losses import PseudoHuber, Quadratic
    >>> distances = np.linspace(-16, 32, 385)
    >>> growth(distances, line(Quadratic(2.0), 0.0, 1.0, distances))
    Growth(minimum 0 at 0, curvature 2, exponents 2 | 2, drops inf | inf)
    >>> growth(distances, line(PseudoHuber(), 0.0, 1.0, distances))
    Growth(minimum 0 at 0, curvature 0.996, exponents 1.3 | 1.21, drops 0.27 | 0.27)
    """
    distances, values = finite_row("distances", distances), values_along(values, least=ORDER + 3)
    if values.shape != distances.shape:
        raise ValueError(
            f"{len(distances)} distances do not go with values of shape {values.shape}: "
            "pass one line at a time"
        )
    spacing = float(distances[-1] - distances[0]) / (len(distances) - 1)
    if not (spacing > TINY and np.allclose(np.diff(distances), spacing, rtol=1e-3, atol=0)):
        raise ValueError(
            f"the distances must increase by equal steps of more than {TINY:.0e}, as np.linspace "
            "makes them"
        )
    ties = np.flatnonzero(values == values.min())
    lowest = int(ties[len(ties) // 2])
    if lowest in (0, len(values) - 1):
        return Growth()
    clear = _clear_stride(values, lowest)
    stride = clear or 1
    every = slice(lowest % stride, None, stride)
    distances, values, lowest = distances[every], values[every].astype(float), lowest // stride
    spacing *= stride
    bends = np.diff(values, 2) / spacing**2
    curvature = float(bends[lowest - 1])
    if not curvature > 0:  # a flat bottom
        return Growth(float(distances[lowest]), float(values[lowest]), curvature, spacing=spacing)
    slope = (values[lowest + 1] - values[lowest - 1]) / (2 * spacing)
    minimum = float(distances[lowest] - slope / curvature)
    value = float(values[lowest] - slope**2 / (2 * curvature))
    away, rise, ratios = distances - minimum, values - value, bends / curvature
    before = _side(-away[lowest - 1 :: -1], rise[lowest - 1 :: -1], ratios[: lowest - 1][::-1],
                   clear)  # fmt: skip
    beyond = _side(away[lowest + 1 :], rise[lowest + 1 :], ratios[lowest:], clear)
    drops, exponents, fitted = zip(before, beyond, strict=True)
    return Growth(minimum, value, curvature, drops, exponents, fitted, spacing)


def _clear_stride(values, lowest):
    """The least power of 2 at which a tenth of the curvature at the lowest value is clear, or 0."""
    stride = 1
    while True:
        every, place = values[lowest % stride :: stride], lowest // stride
        if len(every) < ORDER + 3 or place in (0, len(every) - 1):
            return 0
        bend = float(np.diff(every[place - 1 : place + 2].astype(float), 2)[0])
        near = every[max(place - NEAR, 0) : place + NEAR + 1]
        if CORE * bend > CLEAR * _amplified(_scatter(near), 2):
            return stride
        stride *= 2


def _side(away, rise, ratios, clear):
    """The drop, the exponent and where it was fitted, from points ordered outwards.

    `ratios` are of the curvature to that at the minimum, and tell something if they are `clear`.
    """
    places, ratios = np.r_[0.0, away[: len(ratios)]], np.r_[1.0, ratios]
    drop = _first_below(places, ratios, 1 - CORE) if clear else nan
    core = min(drop, _first_below(places, -ratios, -1 - CORE)) if clear else inf
    falls = np.flatnonzero(np.diff(rise) <= 0)
    well = slice(int(falls[0]) + 1 if len(falls) else None)
    away, rise = away[well], rise[well]
    beyond = (away >= min(core, away[-1] / 2)) & (rise > 0)
    if beyond.sum() < FEW:
        return drop if isfinite(drop) else nan, nan, (nan, nan)
    away, rise = away[beyond], rise[beyond]
    exponent = np.polynomial.Polynomial.fit(np.log(away), np.log(rise), 1).convert().coef[1]
    return drop, float(exponent), (float(away[0]), float(away[-1]))


def _first_below(places, heights, level):
    """The first place at which the interpolated heights reach below the level, else inf."""
    below = np.flatnonzero(heights < level)
    if not len(below):
        return inf
    i = below[0]  # never 0: at the minimum itself the ratio is 1
    share = (heights[i - 1] - level) / (heights[i - 1] - heights[i])
    return float(places[i - 1] + share * (places[i] - places[i - 1]))


def _values(loss, theta, unit, distances):
    """One number per distance; points are made one by one, since networks are large."""
    return np.array([float(loss.value(theta + float(d) * unit)) for d in distances],
                    dtype=precision(theta))  # fmt: skip


def _scatter(values):
    """The standard deviation of the noise in values along lines, that of storing them at least."""
    stored = np.finfo(values.dtype).eps * float(np.median(np.abs(values))) / sqrt(12)
    if values.shape[-1] < ORDER + 3:
        return stored
    differences = np.abs(np.diff(values.astype(float), ORDER, axis=-1))
    typical = float(np.median(differences)) / 0.6745  # of a normal distribution, blind to outliers
    return max(stored, typical / _amplified(1.0, ORDER))


def _amplified(scatter, order):
    """The standard deviation of differences of independent numbers that scatter so."""
    return scatter * sqrt(comb(2 * order, order))


def _unit(xp, theta, direction):
    """The direction as a unit vector of the kind of the point."""
    if not is_array_api_obj(direction):
        numbers = real_numbers("the direction", direction)
        direction = xp.asarray(numbers, dtype=theta.dtype, device=device(theta))
    elif array_namespace(direction) is not xp:
        raise TypeError(
            f"the point is a {type(theta).__name__}, the direction a {type(direction).__name__}: "
            "give both in the same kind"
        )
    if device(direction) != device(theta):
        raise ValueError(
            f"the point is on {device(theta)}, the direction on {device(direction)}: "
            "move one with .to(...)"
        )
    direction = real_numbers("the direction", direction)
    if direction.shape != theta.shape:
        raise ValueError(
            f"the direction has shape {tuple(direction.shape)}, the point {tuple(theta.shape)}: "
            "give one number for each coordinate"
        )
    direction = direction.detach() if hasattr(direction, "detach") else direction
    direction = xp.astype(direction, theta.dtype)
    if not bool(xp.all(xp.isfinite(direction))):
        raise ValueError("the direction holds nan or infinite numbers: it points nowhere")
    largest = xp.max(xp.abs(direction))
    if not float(largest) > 0:
        raise ValueError("the direction is 0 everywhere: it points nowhere")
    direction = direction / largest  # or its square could leave the range
    return direction / xp.linalg.vector_norm(direction)


def _spacing(spacing):
    return float(real("the spacing", spacing, above=TINY))
