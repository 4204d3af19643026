"""The loss of three neurons that share a weight, on data or on a distribution of data."""

from functools import partial

import numpy as np

from mslbook._arrays import array_namespace, as_real, as_theta, like, to_numpy
from mslbook.losses.closed_form import ClosedForm

NODES = 16  # Gauss-Legendre nodes, and terms of the series, on each panel
PANEL_TOL = 1e-14  # difference between two half panels and the whole, relative to x²
MAX_LEVELS, MAX_PANELS = 50, 10_000  # of refinement, which then has found a kink or noise
OCTAVES = 2.0 ** np.arange(-500, 501)  # x² and 1/x² stay within the floating-point range
X_MIN, X_MAX = OCTAVES[0], OCTAVES[-1]
TAIL_MASS_TOL = 1e-12  # neglected probability above X_MAX
HEAVY_TAIL_TOL = 1e-6  # E[x²] is infinite if X_MAX² P(x > X_MAX) exceeds this share of it


def three_neurons(x, w):
    """The network 1 - σ(wx + 1) + 2σ(wx) - σ(wx - 1), σ(z) = max(z, 0), of data x and weight w.

    Ma et al. (2022), eq. 6.1 (preprint, eq. 10). The two broadcast against each other.

    Examples
    --------
    >>> from mslbook.losses import three_neurons
    >>> three_neurons(2.0, [-1.0, -0.25, 0.0, 0.25, 1.0])
    array([1. , 0.5, 0. , 0.5, 1. ])
    """
    w = as_theta(w)
    z, relu = w * like(w, as_theta(x)), partial(array_namespace(w).clip, min=0.0)
    return (1 - relu(z + 1) + 2 * relu(z) - relu(z - 1))[()]


class EmpiricalLoss(ClosedForm):
    """The mean of min(1, x_i² w²) over data x_i > 0, a function of w.

    Each point costs one binary search. At a kink, ``|w| = 1/x_i``, ``grad`` and ``hvp`` take the
    inner values. All data lie between 3e-151 and 3e150, so that their squares do not overflow.

    Examples
    --------
    >>> from mslbook.losses import EmpiricalLoss
    >>> EmpiricalLoss([0.1, 1.0, 10.0]).value([0.0, 0.5, 2.0, 20.0])
    array([0.    , 0.4175, 0.68  , 1.    ])
    """

    def __init__(self, x):
        self.x = x = np.sort(to_numpy(as_real("the data", x)).ravel())
        if not (x.size and x[0] >= X_MIN and x[-1] <= X_MAX):  # nan is sorted to the end
            hint = "pass abs(x) without zeros, or change the unit"
            raise ValueError(f"data must lie between {X_MIN:.0e} and {X_MAX:.0e}: {hint}")
        sums = np.append(0.0, np.cumsum(x * x)) / len(x)  # smallest first, for accuracy
        self._sums = np.ascontiguousarray(sums[::-1])
        self._kinks = np.ascontiguousarray(1 / x[::-1])  # past k of them, k data are left out

    def _parts(self, xp, w):
        """The mean of x_i² over the data with |x_i w| <= 1, the share of the others, and w."""
        kinks, sums = like(w, self._kinks), like(w, self._sums)
        beyond = xp.searchsorted(kinks, xp.abs(w))
        w = xp.clip(w, -2 * kinks[-1], 2 * kinks[-1])  # infinity would give 0 times infinity
        return sums[beyond], xp.astype(beyond, w.dtype) / len(self.x), w

    def _value_and_grad(self, xp, w):
        moment, share, w = self._parts(xp, w)
        return moment * w * w + share, 2 * moment * w

    def _hvp(self, xp, w, v):
        return 2 * self._parts(xp, w)[0] * v

    def __repr__(self):
        return f"EmpiricalLoss({len(self.x)} data from {self.x[0]:g} to {self.x[-1]:g})"


class PopulationLoss(ClosedForm):
    """The expectation of min(1, x² w²) for x > 0 from a distribution, a function of w.

    Ma et al. (2022), section 6; eq. 6.2 (preprint, eq. 11) for the uniform distribution.

    Parameters
    ----------
    distribution : scipy.stats frozen distribution
        Continuous, between 3e-151 and 3e150. A mixture is a `Sum` of `Scaled` losses.

    Notes
    -----
    With ``c = 1/|w|`` the loss is ``w² E[x²; x < c] + P(x > c)`` and the curvature ``2 E[x²; x < c]
    - 2c³ p(c)`` for the density p; E[x²] may be infinite. They are accurate to about 1e-12, or as
    the distribution's ``sf`` is. Tensors pass through NumPy.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from mslbook.losses import PopulationLoss
    >>> PopulationLoss(uniform(0, 3)).value([0.1, 1.0]).round(12)
    array([0.03      , 0.77777778])
    """

    def __init__(self, distribution):
        self.distribution = distribution = _frozen(distribution)
        self._edges, self._sums, self._series = _integrate(distribution)
        _, whole, below = self._parts(np.zeros(()))
        self._bottom = 2 * below if whole - below <= HEAVY_TAIL_TOL * below else np.inf  # at w = 0

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
        far = 2 / self._edges[0]  # where L is 1; infinity would give 0 times infinity
        double = np.clip(to_numpy(w), -far, far)
        _, moment, below = self._parts(double)
        return like(w, double * double * moment), like(w, 2 * double * below)

    def _hvp(self, xp, w, v):
        c, _, below = self._parts(to_numpy(w))
        density = self.distribution.pdf(c * (1 + 4 * np.finfo(float).eps))  # just inside |w| = 1/c
        inner = 2 * below - 2 * density * c * c * c
        return like(w, np.where(c == self._edges[-1], self._bottom, inner)) * v


def _integrate(distribution):
    """Panels' edges, ∫ 2x P(x > ·) dx up to them, and the Legendre series that each panel adds.

    P(x > ·) is monotone: unlike a density, it cannot hide anything between the nodes.
    """
    legendre = np.polynomial.legendre
    nodes, weights = legendre.leggauss(NODES)
    polynomials = legendre.legvander(nodes, NODES - 1).T
    coefficients = np.arange(0.5, NODES)[:, None] * polynomials * weights
    ends = np.array([-1.0, 1.0])
    at_ends = legendre.legval(ends, coefficients)  # (NODES, 2): of the series through the nodes

    def integrand(low, high, places=nodes):
        half = (high - low)[:, None] / 2
        x = low[:, None] + half * (1 + places)
        return half * 2 * x * distribution.sf(x)

    low, high = _panels(distribution)
    done = []
    for _ in range(MAX_LEVELS):
        middle = (low + high) / 2
        whole = integrand(low, high)
        halves = (integrand(low, middle) + integrand(middle, high)) @ weights
        missed = abs(whole @ at_ends - integrand(low, high, ends)).max(axis=1)
        rough = np.maximum(abs(whole @ weights - halves), missed) > PANEL_TOL * high * high
        done.append((low[~rough], high[~rough]))
        low, middle, high = low[rough], middle[rough], high[rough]
        low, high = np.append(low, middle), np.append(middle, high)
        if not 0 < len(low) < MAX_PANELS:
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


def _frozen(distribution):
    if not hasattr(distribution, "pdf"):
        raise TypeError("give a continuous distribution of scipy.stats, or data to EmpiricalLoss")
    distribution = distribution() if callable(distribution) else distribution  # expon is expon()
    if not distribution.cdf(0.0) == 0:
        raise ValueError("data must be positive: give one distribution on (0, ∞)")
    if distribution.sf(X_MIN) == 0 or distribution.sf(X_MAX) > TAIL_MASS_TOL:
        raise ValueError(f"data must lie between {X_MIN:.0e} and {X_MAX:.0e}: change the unit")
    return distribution
