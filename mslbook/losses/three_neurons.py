"""The loss of Section 6: three neurons that share a weight, on data or on a distribution of data.

Data of magnitude x contribute a well of half-width 1/x and curvature 2 x², so the magnitudes of
the data become the scales of the loss.
"""

import numpy as np
from array_api_compat import array_namespace, device

from mslbook.checks import float64, real_numbers
from mslbook.loss import as_point
from mslbook.losses.closed_form import ClosedForm

NODES = 16  # of Gauss and Legendre, and of the series, on each panel
TOLERANCE = 1e-14  # by which two halves of a panel may differ from the whole, relative to x²
LEVELS, PANELS = 50, 10_000  # where refinement ends: it has then found a kink, or noise
OCTAVES = 2.0 ** np.arange(-500, 501)  # x² and 1/x² stay within the floating-point range
LEAST, GREATEST = OCTAVES[0], OCTAVES[-1]
LOST = 1e-12  # the share of data above GREATEST that nobody will miss
HEAVY = 1e-6  # E[x²] is infinite if at GREATEST c² P(x > c) is still this share of E[x²; x < c]


def three_neurons(x, w):
    """The network 1 - σ(wx + 1) + 2σ(wx) - σ(wx - 1) with σ(z) = max(z, 0).

    `x` and `w` are numbers, arrays or tensors that broadcast; the answer is of the kind of `w`
    (journal eq. 6.1, preprint eq. 10). It is rounded like the numbers it subtracts, of the size
    of ``|wx| + 1``.

    >>> three_neurons(2.0, [-1.0, -0.25, 0.0, 0.25, 1.0])
    array([1. , 0.5, 0. , 0.5, 1. ])
    """
    xp, z = _products(x, w)

    def relu(z):
        return xp.clip(z, 0.0, None)

    return (1 - relu(z + 1) + 2 * relu(z) - relu(z - 1))[()]


def three_neurons_piecewise(x, w):
    """The same network without neurons, ``min(1, |xw|)`` (journal and preprint section 6).

    Takes and returns what :func:`three_neurons` does, and loses no digits near w = 0.

    >>> three_neurons_piecewise(2.0, [-1.0, -0.25, 0.0, 0.25, 1.0])
    array([1. , 0.5, 0. , 0.5, 1. ])
    """
    xp, z = _products(x, w)
    return xp.clip(xp.abs(z), None, 1.0)[()]


class EmpiricalLoss(ClosedForm):
    """The mean of min(1, x_i² w²) over data x_i > 0: a loss of one variable w (section 6).

    The data are sorted once; a point then costs one binary search, so that a million data and a
    hundred thousand points are no trouble. At a kink, ``|w| = 1/x_i``, ``grad`` and ``hvp`` take
    the inner values. Raises ValueError unless there are data, all between 3e-151 and 3e150, so
    that their squares are numbers too.

    >>> loss = EmpiricalLoss([0.1, 1.0, 10.0])
    >>> loss
    EmpiricalLoss(3 data from 0.1 to 10)
    >>> loss.value([0.0, 0.5, 2.0, 20.0])
    array([0.    , 0.4175, 0.68  , 1.    ])
    """

    def __init__(self, x):
        x = float64(real_numbers("the data", x)).ravel()
        _check_data(x)
        self.x = np.sort(x)
        # From the least to the greatest, so that the sums lose as little as they can.
        sums = np.append(0.0, np.cumsum(self.x * self.x)) / len(x)
        self._sums = np.ascontiguousarray(sums[::-1])
        self._kinks = np.ascontiguousarray(1 / self.x[::-1])  # past k of them, k data are left out

    def _parts(self, xp, w):
        """The mean of x_i² over the data with |x_i w| <= 1, the share of the others, and w.

        Past all kinks L is 1, and an infinite w would only make 0 times ∞: w stops at twice the
        last one.
        """
        kinks, sums = (
            xp.asarray(array, dtype=w.dtype, device=device(w))
            for array in (self._kinks, self._sums)
        )
        beyond = xp.searchsorted(kinks, xp.abs(w))
        w = xp.clip(w, -2 * kinks[-1], 2 * kinks[-1])
        return sums[beyond], xp.astype(beyond, w.dtype) / len(self.x), w

    def _value_and_grad(self, xp, w):
        moment, share, w = self._parts(xp, w)
        return moment * w * w + share, 2 * moment * w

    def _hvp(self, xp, w, v):
        return 2 * self._parts(xp, w)[0] * v

    def __repr__(self):
        return f"EmpiricalLoss({len(self.x)} data from {self.x[0]:g} to {self.x[-1]:g})"


class PopulationLoss(ClosedForm):
    """The expectation of min(1, x² w²) for x > 0 from a distribution: a loss of one variable w.

    With ``c = 1/|w|`` it is ``w² E[x²; x < c] + P(x > c)``, its slope is ``2w E[x²; x < c]``, and
    its curvature ``2 E[x²; x < c] - 2c³ p(c)``, for the density p (journal and preprint section 6;
    for the uniform distribution on [0, C], journal eq. 6.2, preprint eq. 11).

    `distribution` is a continuous one of scipy.stats with its parameters given ("frozen"), with all
    its mass on (0, ∞). Once, when the loss is made, ∫ 2x P(x > ·) dx is found by Gauss-Legendre
    quadrature on panels that are halved until they agree and meet P at their ends, and kept as a
    series on each; a point then costs one binary search and one short sum. Value, w · slope and,
    where p is smooth, w² · curvature are right to about 1e-12, or to the accuracy of the
    distribution's own ``sf``. At a jump of p, ``hvp`` takes the inner value. At w = 0 it is twice
    E[x²], and ``inf`` where that is infinite, or hangs on what lies beyond the floating-point range
    (moments up to the order 2.04 only): no learning rate is stable then. Torch tensors travel
    through NumPy, without autograd.

    Raises TypeError for anything but such a distribution, and ValueError where it has mass at or
    below 0, or lies outside the floating-point range of 3e-151 to 3e150. A mixture is a sum:
    ``Sum((Scaled(0.3, PopulationLoss(a)), Scaled(0.7, PopulationLoss(b))))``.

    >>> from scipy.stats import uniform
    >>> loss = PopulationLoss(uniform(0, 3))
    >>> loss
    PopulationLoss(uniform(0, 3))
    >>> loss.value([0.1, 1.0]).round(12)  # C² w² / 3, and 1 - 2 / (3 C w)
    array([0.03      , 0.77777778])
    """

    def __init__(self, distribution):
        self.distribution = distribution = _frozen(distribution)
        self._edges, self._sums, self._series = _integrate(distribution)
        _, whole, below = self._parts(np.zeros(()))
        self._bottom = 2 * below if whole - below <= HEAVY * below else np.inf  # at w = 0

    def _parts(self, w):
        """Return c = 1/|w|, E min(x, c)² and E[x²; x < c], in double precision."""
        with np.errstate(divide="ignore"):
            c = np.minimum(1 / np.abs(w), self._edges[-1])
        panel = np.clip(np.searchsorted(self._edges, c) - 1, 0, len(self._sums) - 1)
        low, high = self._edges[panel], self._edges[panel + 1]
        series = np.moveaxis(self._series[panel], -1, 0)
        rest = np.polynomial.legendre.legval((2 * c - low - high) / (high - low), series, False)
        moment = np.where(c > self._edges[0], self._sums[panel] + rest, c * c)  # below: no data
        return c, moment, moment - c * c * self.distribution.sf(c)

    def _value_and_grad(self, xp, w):
        far = 2 / self._edges[0]  # there L is 1, and an infinite w would only make 0 times ∞
        double = np.clip(float64(w), -far, far)
        _, moment, below = self._parts(double)
        return _like(xp, w, double * double * moment, 2 * double * below)

    def _hvp(self, xp, w, v):
        c, _, below = self._parts(float64(w))
        density = self.distribution.pdf(c * (1 + 4 * np.finfo(float).eps))  # just inside |w| = 1/c
        inner = 2 * below - 2 * density * c * c * c
        (curvature,) = _like(xp, w, np.where(c == self._edges[-1], self._bottom, inner))
        return curvature * v

    def __repr__(self):
        return f"PopulationLoss({_name(self.distribution)})"


def _integrate(distribution):
    """E min(x, c)² = ∫_0^c 2x P(x > ·) dx as a function of c, a series on each panel.

    Returns the edges (P + 1,) of the panels, the integrals (P,) up to the lower ones, and the
    Legendre series (P, NODES + 1) of what each panel adds.
    """
    # Not the density but P(x > ·) is integrated: it is monotone, so that what happens between the
    # nodes, or between the last of them and the end of a panel, shows in the values there.
    legendre = np.polynomial.legendre
    nodes, weights = legendre.leggauss(NODES)
    coefficients = (
        np.arange(0.5, NODES)[:, None] * legendre.legvander(nodes, NODES - 1).T
    ) * weights
    ends = np.array([-1.0, 1.0])
    at_ends = legendre.legval(ends, coefficients)  # (NODES, 2): of the series through the nodes

    def integrand(low, high, places=nodes):
        """2x P(x > ·) dx for places between -1 and 1 on the panels: (P, places)."""
        half = (high - low)[:, None] / 2
        x = low[:, None] + half * (1 + places)
        return half * 2 * x * distribution.sf(x)

    low, high = _panels(distribution)
    done = []
    for _ in range(LEVELS):
        middle = (low + high) / 2
        whole = integrand(low, high)
        halves = (integrand(low, middle) + integrand(middle, high)) @ weights
        missed = abs(whole @ at_ends - integrand(low, high, ends)).max(axis=1)
        rough = np.maximum(abs(whole @ weights - halves), missed) > TOLERANCE * high * high
        done.append((low[~rough], high[~rough]))
        low, middle, high = low[rough], middle[rough], high[rough]
        low, high = np.append(low, middle), np.append(middle, high)
        if not 0 < len(low) < PANELS:
            break
    low, high = (np.sort(np.concatenate(ends)) for ends in zip(*done, (low, high), strict=True))
    series = legendre.legint(coefficients, lbnd=-1) @ integrand(low, high).T
    whole = low[0] ** 2 + np.append(0.0, np.cumsum(series.sum(axis=0))[:-1])
    return np.append(low, high[-1]), whole, np.ascontiguousarray(series.T)


def _panels(distribution):
    """Octaves from where P(x > ·) is still 1 to where it is 0, with the ends of the support."""
    tail = distribution.sf(OCTAVES)
    first = max(np.sum(tail == 1) - 1, 0)
    last = min(np.sum(tail > 0), len(OCTAVES) - 1)
    edges = OCTAVES[first : last + 1]
    ends = [end for end in distribution.support() if edges[0] < end < edges[-1]]
    edges = np.unique(np.append(edges, ends))
    return edges[:-1], edges[1:]


def _products(x, w):
    """The namespace of w, and w x in it."""
    x, w = as_point(x, None), as_point(w, None)
    xp = array_namespace(w)
    return xp, w * xp.asarray(x, dtype=w.dtype, device=device(w))


def _like(xp, w, *arrays):
    return tuple(xp.asarray(array, dtype=w.dtype, device=device(w)) for array in arrays)


def _name(distribution):
    """A frozen distribution as it was written, such as uniform(0, 3)."""
    if not hasattr(distribution, "dist"):
        return repr(distribution)
    args = [f"{value:g}" for value in distribution.args]
    args += [f"{name}={value:g}" for name, value in distribution.kwds.items()]
    return f"{distribution.dist.name}({', '.join(args)})"


def _check_data(x):
    if x.size == 0:
        raise ValueError("there are no data: give at least one x_i > 0")
    if not np.all(np.isfinite(x)):
        i = int(np.argmin(np.isfinite(x)))
        raise ValueError(f"the data must be finite numbers, but x[{i}] is {x[i]:g}")
    if not np.all(x > 0):
        i = int(np.argmin(x > 0))
        raise ValueError(
            f"all x_i must be above 0, as section 6 of the paper asks, but x[{i}] is {x[i]:g}: the "
            "neurons see |x| alone, so pass abs(x), and leave zeros out"
        )
    inside = (x >= LEAST) & (x <= GREATEST)
    if not np.all(inside):
        i = int(np.argmin(inside))
        raise ValueError(
            f"all x_i must lie between {LEAST:.0e} and {GREATEST:.0e}, where their squares are "
            f"numbers too, but x[{i}] is {x[i]:g}: measure them in another unit"
        )


def _frozen(distribution):
    """The distribution with its parameters, or one sentence on what is wrong with it."""
    if not all(hasattr(distribution, name) for name in ("cdf", "sf", "pdf", "support")):
        raise TypeError(
            f"expected a continuous distribution of scipy.stats, such as uniform(0, 3), not "
            f"{distribution!r}: of a discrete one, or of data, make an EmpiricalLoss"
        )
    try:
        if callable(distribution):  # such as expon, which is expon()
            distribution = distribution()
        below = distribution.cdf(0.0)
    except TypeError as error:
        raise TypeError(
            f"give the distribution its parameters first, as in lognorm(s=0.5) ({error})"
        ) from None
    if np.ndim(below):
        raise ValueError(
            f"expected one distribution, not {np.size(below)}: let its parameters be numbers, and "
            "make a PopulationLoss of each"
        )
    if below != 0:  # or nan
        what = "is not defined" if np.isnan(below) else f"has mass {below:.3g} at or below 0"
        raise ValueError(
            "the distribution must be supported on (0, ∞), as section 6 of the paper asks, but "
            f"{_name(distribution)} {what}"
        )
    if distribution.sf(LEAST) == 0 or distribution.sf(GREATEST) > LOST:
        raise ValueError(
            f"the data must lie between {LEAST:.0e} and {GREATEST:.0e}, where their squares are "
            f"numbers too, but {_name(distribution)} goes beyond: measure them in another unit"
        )
    return distribution
