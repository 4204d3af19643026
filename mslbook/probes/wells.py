"""Wells within wells: the curvature around the minimum of a line, by distance, over decades."""

from dataclasses import dataclass

import numpy as np

from mslbook.checks import finite_row
from mslbook.probes.points import TINY, values_along

CLEAR = 3  # spacings from the minimum, nearer than which its own error would count
ROUNDING = 100  # times the precision of the losses that a rise must be, to be told to a hundredth
LEVEL = 0.2  # from the exponent 2, within which the curvature stands on a plateau


@dataclass(frozen=True, repr=False)
class Scales:
    """How a loss grows around its minimum along a line, by distance: the answer of `scales`.

    Attributes
    ----------
    minimum : the distance at which the line is lowest
    value : the loss there
    distances : two arrays, increasing: the distances from the minimum, on the side of smaller
        distances and on that of larger ones
    curvatures : two arrays: 2 (L - value) / r² at these distances r, the curvature of the parabola
        that rises as high
    """

    minimum: float
    value: float
    distances: tuple[np.ndarray, np.ndarray]
    curvatures: tuple[np.ndarray, np.ndarray]

    @property
    def exponents(self):
        """On each side the local exponent d log(L - value) / d log r, at the same distances."""
        return tuple(
            2 + np.gradient(np.log(bend), np.log(away))
            for away, bend in zip(self.distances, self.curvatures, strict=True)
        )

    @property
    def separations(self):
        """On each side the largest factor by which the curvature falls on the way out."""
        return tuple(float(np.max(np.maximum.accumulate(c) / c)) for c in self.curvatures)

    @property
    def dips(self):
        """On each side the smallest exponent."""
        return tuple(float(p.min()) for p in self.exponents)

    @property
    def plateaus(self):
        """On each side the longest stretch beyond the dip on which the exponent is 2 within 0.2.

        As the ratio of the distances of its ends: 1 where there is none, and little more where the
        exponent passes 2 on its way up.
        """
        pairs = zip(self.distances, self.exponents, strict=True)
        return tuple(_plateau(away[p.argmin() :], p[p.argmin() :]) for away, p in pairs)

    def __repr__(self):
        before, beyond = self.separations
        place = f"minimum {self.value:.4g} at {self.minimum:.3g}"
        return f"Scales({place}, curvature falls {before:.3g} | {beyond:.3g}-fold)"


def scales(distances, values):
    """Measure the growth around the minimum of a line at every distance from it: a `Scales`.

    Parameters
    ----------
    distances : (D,), increasing, at any spacing, such as ``np.geomspace`` makes on either side
    values : (D,), the losses there

    At distance r from the minimum, 2 (L - minimum) / r² is an average of the second derivative
    between the two, with the weight 2 (1 - s / r) / r at s. On a parabola it is the same at every
    r. Where the loss bends off it falls, steadily if there is a continuum of scales; a sharp well
    within a flat one shows as a high plateau, a fall and a low plateau (journal and preprint
    section 3.2). Linear axes show nothing of this: on them every line is flat up to a tenth of the
    range.

    The minimum is the vertex of the parabola through the lowest value and its neighbours; on a
    flat floor of equally low values, it is in their middle. Distances so small that the
    error of its place, or the rounding of the losses, would count are left out: the fewer digits
    the losses have, the farther out the answer begins, so give `line` a point and a loss of double
    precision.

    Raises ``ValueError`` for what is not such a line, for half precision, if its lowest value is at
    an end or next to one, and if it is as low in two places with a barrier between.

    >>> from mslbook.losses import Quadratic, two_valleys
    >>> from mslbook.probes import line
    >>> out = np.geomspace(0.01, 10, 49)
    >>> distances = np.concatenate([-out[::-1], [0.0], out])
    >>> scales(distances, 3 + line(Quadratic(2.0), -1.0, 1.0, distances))
    Scales(minimum 3 at 1, curvature falls 1 | 1-fold)
    >>> found = scales(distances, line(two_valleys, [0.0, 0.0], [1.0, 1.0], distances))
    >>> np.round(found.separations, 1)
    array([58.6, 58.6])
    >>> np.round(found.dips, 1), found.plateaus  # a clear dip, and no second plateau up to here
    (array([0.7, 0.7]), (1.0, 1.0))
    """
    distances, values = finite_row("distances", distances), values_along(values, least=1)
    if distances.shape != values.shape or len(distances) < 2 * CLEAR + 3:
        raise ValueError(
            f"distances of shape {distances.shape} and losses of shape {values.shape} are not "
            f"one line: give two rows of the same length, at least {2 * CLEAR + 3}"
        )
    if not np.all(np.diff(distances) > TINY):
        raise ValueError(f"distances must increase, by more than {TINY:.0e} from one to the next")
    values, precision = values.astype(float), float(np.finfo(values.dtype).eps)
    (ties,) = np.nonzero(values == values.min())
    hidden = ROUNDING * precision * abs(values.min())  # a rise that rounding may hide
    clear = values > values.min() + hidden
    low = np.flatnonzero(~clear)
    if values[low[0] : low[-1]].max(initial=values.min()) > values.min() + 2 * hidden:
        raise ValueError("the line is as low in two places: take a shorter range, or another line")
    before, beyond = np.flatnonzero(clear[: ties[0]]), np.flatnonzero(clear[ties[-1] :])
    if not (len(before) > CLEAR and len(beyond) > CLEAR):
        raise ValueError("the lowest value is at an end: take a wider range, or another line")
    minimum, value = _bottom(distances, values, ties)
    sides = []
    for way in (-1, 1):
        away, rise = way * (distances - minimum)[::way], (values - value)[::way]
        first = np.searchsorted(away, max(np.sort(abs(away))[CLEAR], abs(minimum)))
        first += np.argmax(clear[::way][first:])
        sides.append((away[first:], 2 * rise[first:] / away[first:] ** 2))
    away, bends = zip(*sides, strict=True)
    return Scales(float(minimum), float(value), away, bends)


def _bottom(distances, values, ties):
    """Where the minimum is, and the loss there, for the indices of the lowest values."""
    if len(ties) > 2:
        return (distances[ties[0]] + distances[ties[-1]]) / 2, values[ties[0]]
    near, lowest = slice(ties[0] - 1, ties[0] + 2), distances[ties[0]]
    constant, slope, square = np.polynomial.polynomial.polyfit(
        distances[near] - lowest, values[near], 2
    )
    return lowest - slope / (2 * square), constant - slope**2 / (4 * square)


def _plateau(away, exponents):
    """The longest stretch of exponents close to 2: the ratio of its last distance to its first."""
    level = np.flatnonzero(np.abs(exponents - 2) <= LEVEL)
    runs = np.split(level, np.flatnonzero(np.diff(level) > 1) + 1)
    return max((float(away[run[-1]] / away[run[0]]) for run in runs if len(run)), default=1.0)
