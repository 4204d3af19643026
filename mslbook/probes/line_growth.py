"""How a loss grows along a line: second differences, exponents, curvature by distance."""

from dataclasses import dataclass
from math import comb, inf, isfinite, nan, sqrt

import numpy as np

from mslbook._arrays import array_namespace, as_real, as_row
from mslbook._checks import check_real
from mslbook.probes._theta import precision

MIN_SPACING = 1e-150  # its square is still an ordinary number
NOISE_ORDER = 6  # of the differences in which nothing but rounding is left of a smooth line
NOISE_WINDOW = 12  # values on either side of the lowest, in which noise is measured
MIN_SIGNAL_TO_NOISE = 3  # of second differences; below it they are refused
N_SIGMA = 5  # of noise, that a change of the curvature must exceed to count
CORE_TOL = 0.1  # relative change of the curvature that ends the quadratic core
MIN_FIT_POINTS = 4  # for an exponent
MIN_OFFSET_SPACINGS = 3  # from the minimum, within which the error of its place would count
MIN_RISE_EPS = 100  # machine epsilons of the loss, that a rise must be to be known to a hundredth
PLATEAU_TOL = 0.2  # from the exponent 2, within which the curvature is on a plateau


def second_difference(values, spacing):
    """Central second differences ``(v[i-1] - 2 v[i] + v[i+1]) / spacing²`` along the last axis.

    Averages of the curvature over one spacing to either side; kinks, as of ReLU, count here and not
    in the Hessian. Raises ValueError where rounding hides the differences.

    Parameters
    ----------
    values : array_like, shape (..., D)
        Losses at equal spacing, at least 3.
    spacing : float

    Examples
    --------
    >>> from mslbook import second_difference
    >>> second_difference([9.0, 4.0, 1.0, 0.0, 1.0], spacing=0.5)
    array([8., 8., 8.])
    """
    values = _line_values(values, least=3)
    check_real("the spacing", spacing, above=MIN_SPACING)
    differences, noise = np.diff(values.astype(float), 2, axis=-1), _noise_std(values)
    # What scatters by much more than the last digits is rugged at this spacing, not rounded.
    rounded = noise <= 16 * np.finfo(values.dtype).eps * np.abs(values).max()
    size = sqrt(np.mean(differences**2))
    if rounded and 0 < size < MIN_SIGNAL_TO_NOISE * _difference_std(noise, 2):
        raise ValueError(
            f"at spacing {spacing:g} the rounding of the losses hides their second differences: "
            "take a wider spacing or double precision, loss.to(dtype=torch.float64)"
        )
    return differences / spacing**2


def rounding(values, spacing):
    """The standard deviation of the rounding errors in ``second_difference(values, spacing)``.

    From the sixth differences, in which little but rounding is left of a smooth line.

    Parameters
    ----------
    values, spacing
        As for `second_difference`; at least 9 values.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook import rounding
    >>> print(f"{rounding(np.linspace(-1, 1, 201, dtype=np.float32) ** 2, 0.01):.1g}")
    0.0002
    """
    values = _line_values(values, least=NOISE_ORDER + 3)
    check_real("the spacing", spacing, above=MIN_SPACING)
    return _difference_std(_noise_std(values), 2) / spacing**2


@dataclass(frozen=True, repr=False)
class Growth:
    """The answer of `growth`, pairs towards smaller and larger distances; nan is undetermined."""

    minimum: float = nan  #: the distance at which the line is lowest
    value: float = nan  #: the loss there
    curvature: float = nan  #: the second difference there
    #: how far from the minimum the second difference has fallen by a tenth; inf where it does not
    drops: tuple[float, float] = (nan, nan)
    exponents: tuple[float, float] = (nan, nan)  #: p of ``L - value ~ c |distance - minimum|^p``
    fitted: tuple = ((nan, nan), (nan, nan))  #: the ranges of distances of these fits
    spacing: float = nan  #: of the second differences

    def __repr__(self):
        exponents, drops = ("{:.3g} | {:.3g}".format(*p) for p in (self.exponents, self.drops))
        place = f"minimum {self.value:.4g} at {self.minimum:.3g}, curvature {self.curvature:.3g}"
        return f"Growth({place}, exponents {exponents}, drops {drops})"


def growth(distances, values) -> Growth:
    """Measure how the loss along a line grows around its minimum.

    Parameters
    ----------
    distances, values : array_like, shape (D,)
        At least 9 distances, increasing at equal spacing, and the losses there.

    Notes
    -----
    Each side is followed as far as the loss rises. Its quadratic core ends where the second
    difference first differs by a tenth from that at the minimum; from there, or from half way if
    that is nearer, the exponent is fitted in logarithms: below 2 the loss grows subquadratically
    (Ma et al. (2022), section 3.1). Where second differences are noisy only every second, fourth,
    ... value is used.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook import growth
    >>> distances = np.linspace(-16, 32, 385)
    >>> growth(distances, np.sqrt(1 + distances**2) - 1)
    Growth(minimum 0 at 0, curvature 0.996, exponents 1.3 | 1.21, drops 0.27 | 0.27)
    """
    distances, values = _one_line(distances, values, least=NOISE_ORDER + 3)
    spacing = float(distances[-1] - distances[0]) / (len(distances) - 1)
    if not np.allclose(np.diff(distances), spacing, rtol=1e-3, atol=0):
        raise ValueError("the distances must be equally spaced, as np.linspace makes them")
    ties = np.flatnonzero(values == values.min())
    lowest = int(ties[len(ties) // 2])
    if lowest in (0, len(values) - 1):
        return Growth()
    clear = _clear_stride(values, lowest)
    stride = clear or 1
    every = slice(lowest % stride, None, stride)
    distances, values, lowest = distances[every], values[every].astype(float), lowest // stride
    spacing *= stride
    seconds = np.diff(values, 2) / spacing**2
    curvature = float(seconds[lowest - 1])
    if not curvature > 0:  # a flat bottom
        return Growth(float(distances[lowest]), float(values[lowest]), curvature, spacing=spacing)
    slope = (values[lowest + 1] - values[lowest - 1]) / (2 * spacing)
    minimum = float(distances[lowest] - slope / curvature)
    value = float(values[lowest] - slope**2 / (2 * curvature))
    offset, rise, ratios = distances - minimum, values - value, seconds / curvature
    inner, outer = slice(lowest - 1, None, -1), slice(lowest + 1, None)
    before = _side(-offset[inner], rise[inner], ratios[: lowest - 1][::-1], clear)
    beyond = _side(offset[outer], rise[outer], ratios[lowest:], clear)
    return Growth(minimum, value, curvature, *zip(before, beyond, strict=True), spacing)


@dataclass(frozen=True)
class CurvatureProfile:
    """The answer of `curvature_profile`, pairs for the sides of smaller and larger distances."""

    minimum: float  #: the distance at which the line is lowest
    value: float  #: the loss there
    distances: tuple[np.ndarray, np.ndarray]  #: the distances r from the minimum, increasing
    curvatures: tuple[np.ndarray, np.ndarray]  #: 2 (L - value) / r² there

    @property
    def exponents(self):
        """The local exponents d log(L - value) / d log r, a pair of arrays."""
        sides = zip(self.distances, self.curvatures, strict=True)
        return tuple(2 + np.gradient(np.log(c), np.log(r)) for r, c in sides)

    @property
    def separations(self):
        """The largest factors by which the curvature falls on the way out, a pair."""
        return tuple(float(np.max(np.maximum.accumulate(c) / c)) for c in self.curvatures)

    @property
    def dips(self):
        """The smallest exponents, a pair."""
        return tuple(float(p.min()) for p in self.exponents)

    @property
    def plateaus(self):
        """The longest ranges beyond the dip with an exponent of 2 ± 0.2, as ratios of distances."""
        sides = zip(self.distances, self.exponents, strict=True)
        return tuple(_plateau(r[p.argmin() :], p[p.argmin() :]) for r, p in sides)


def curvature_profile(distances, values) -> CurvatureProfile:
    """Secant curvature 2 (L - L*) / r² on each side of a line's minimum, by the distance r.

    Parameters
    ----------
    distances, values : array_like, shape (D,)
        At least 9 distances, increasing at any spacing, and the losses there.

    Notes
    -----
    In a continuum of scales it falls steadily; separate scales show as a high plateau, a fall and a
    low plateau (Ma et al. (2022), section 3.2). Distances so small that the error of the minimum or
    the rounding of the losses would count are left out. Raises ValueError for a line lowest at an
    end or in two places.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook import curvature_profile
    >>> distances = np.linspace(-16, 32, 385)
    >>> np.round(curvature_profile(distances, np.sqrt(1 + distances**2) - 1).separations, 1)
    array([ 8.4, 16.3])
    """
    distances, values = _one_line(distances, values, least=2 * MIN_OFFSET_SPACINGS + 3)
    values, eps = values.astype(float), float(np.finfo(values.dtype).eps)
    (ties,) = np.nonzero(values == values.min())
    hidden = MIN_RISE_EPS * eps * abs(values.min())  # a rise that rounding may hide
    clear = values > values.min() + hidden
    low = np.flatnonzero(~clear)
    if values[low[0] : low[-1]].max(initial=values.min()) > values.min() + 2 * hidden:
        raise ValueError("the line is as low in two places: take a shorter range, or another line")
    if min(clear[: ties[0]].sum(), clear[ties[-1] :].sum()) <= MIN_OFFSET_SPACINGS:
        raise ValueError("the lowest value is at an end: take a wider range, or another line")
    minimum, value = _vertex(distances, values, ties)
    sides = []
    for sign in (-1, 1):
        r, rise = sign * (distances - minimum)[::sign], (values - value)[::sign]
        nearest = max(np.sort(abs(r))[MIN_OFFSET_SPACINGS], abs(minimum))
        first = np.searchsorted(r, nearest)
        first += np.argmax(clear[::sign][first:])
        sides.append((r[first:], 2 * rise[first:] / r[first:] ** 2))
    return CurvatureProfile(float(minimum), float(value), *zip(*sides, strict=True))


def _clear_stride(values, lowest):
    """The least power of 2 at which a tenth of the curvature at the lowest value is clear, or 0."""
    stride = 1
    while True:
        every, place = values[lowest % stride :: stride], lowest // stride
        if len(every) < NOISE_ORDER + 3 or place in (0, len(every) - 1):
            return 0
        second = float(np.diff(every[place - 1 : place + 2].astype(float), 2)[0])
        noise = _noise_std(every[max(place - NOISE_WINDOW, 0) : place + NOISE_WINDOW + 1])
        if CORE_TOL * second > N_SIGMA * _difference_std(noise, 2):
            return stride
        stride *= 2


def _side(offset, rise, ratios, clear):
    """The drop, the exponent and the fitted range, from points ordered outwards."""
    places, ratios = np.r_[0.0, offset[: len(ratios)]], np.r_[1.0, ratios]
    drop = _first_below(places, ratios, 1 - CORE_TOL) if clear else nan
    core = min(drop, _first_below(places, -ratios, -1 - CORE_TOL)) if clear else inf
    falls = np.flatnonzero(np.diff(rise) <= 0)
    rising = slice(int(falls[0]) + 1 if len(falls) else None)
    offset, rise = offset[rising], rise[rising]
    beyond = (offset >= min(core, offset[-1] / 2)) & (rise > 0)
    if beyond.sum() < MIN_FIT_POINTS:
        return drop if isfinite(drop) else nan, nan, (nan, nan)
    offset, rise = offset[beyond], rise[beyond]
    exponent = np.polynomial.Polynomial.fit(np.log(offset), np.log(rise), 1).convert().coef[1]
    return drop, float(exponent), (float(offset[0]), float(offset[-1]))


def _first_below(places, heights, level):
    """The first place at which the interpolated heights reach below the level, else inf."""
    below = np.flatnonzero(heights < level)
    if not len(below):
        return inf
    i = below[0]  # never 0: at the minimum itself the ratio is 1
    share = (heights[i - 1] - level) / (heights[i - 1] - heights[i])
    return float(places[i - 1] + share * (places[i] - places[i - 1]))


def _vertex(distances, values, ties):
    if len(ties) > 2:
        return (distances[ties[0]] + distances[ties[-1]]) / 2, values[ties[0]]
    near, lowest = slice(ties[0] - 1, ties[0] + 2), distances[ties[0]]
    polyfit = np.polynomial.polynomial.polyfit
    constant, slope, square = polyfit(distances[near] - lowest, values[near], 2)
    return lowest - slope / (2 * square), constant - slope**2 / (4 * square)


def _plateau(r, exponents):
    level = np.flatnonzero(np.abs(exponents - 2) <= PLATEAU_TOL)
    runs = np.split(level, np.flatnonzero(np.diff(level) > 1) + 1)
    return max((float(r[run[-1]] / r[run[0]]) for run in runs if len(run)), default=1.0)


def _noise_std(values):
    """The standard deviation of the noise in values along lines, that of storing them at least."""
    stored = np.finfo(values.dtype).eps * float(np.median(np.abs(values))) / sqrt(12)
    if values.shape[-1] < NOISE_ORDER + 3:
        return stored
    differences = np.abs(np.diff(values.astype(float), NOISE_ORDER, axis=-1))
    typical = float(np.median(differences)) / 0.6745  # of a normal distribution, blind to outliers
    return max(stored, typical / _difference_std(1.0, NOISE_ORDER))


def _difference_std(sigma, order):
    return sigma * sqrt(comb(2 * order, order))


def _line_values(values, least):
    """Finite values along lines as a NumPy array of the precision that they have."""
    values = as_real("the values", values)
    floating = array_namespace(values).isdtype(values.dtype, "real floating")
    dtype = precision(values) if floating else float
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=dtype)
    if values.shape[-1:] < (least,) or not (values.size and np.isfinite(values).all()):
        hint = f"give at least {least} finite values along the last axis"
        raise ValueError(f"{hint}, not {values.shape} values")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)  # often stored as double, by .item() or in a list
    return single if np.array_equal(single, values) else values


def _one_line(distances, values, least):
    distances, values = as_row("distances", distances), _line_values(values, least)
    if values.shape != distances.shape:
        told = f"{len(distances)} distances do not go with {values.shape} values"
        raise ValueError(f"{told}: one line at a time")
    if not np.all(np.diff(distances) > MIN_SPACING):
        raise ValueError(f"distances must increase, by more than {MIN_SPACING:g} at a time")
    return distances, values
