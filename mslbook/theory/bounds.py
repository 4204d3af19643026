"""What a computer can prove about f3: a lower bound of the constant c of definition 4.1."""

import numpy as np

from mslbook.checks import real
from mslbook.losses import f2

GOLDEN = (1 + 5**0.5) / 2  # the largest stretch of (α, σ) -> (α + σ, σ)


def c_of_f3_exceeds(c):
    """Whether a search through boxes proves that definition 4.1 holds on f3 with this c.

    In a = x1 >= 0 and s = x1 + x2, out to r = 30, where the bound by hand of the chapter takes
    over; within r = 0.23 f3 is quadratic but for its last term, and the cosine at least 2/3. Each
    box gets a lower bound of the cosine, and is cut in four until the bound is above ``c``; the
    margin to the smallest cosine, 0.3125, makes up for rounding. False if that does not end, which
    means that nothing is proved, and not that the contrary is.

    Journal definition 4.1, preprint definition 1. Raises ValueError unless ``c`` is positive.

    >>> c_of_f3_exceeds(0.3), c_of_f3_exceeds(0.35)
    (True, False)
    """
    real("the constant c of definition 4.1", c, above=0)
    if c > 2 / 3 or GOLDEN * 8**0.5 / (np.log1p(30) / 2) > (1 / c**2 - 1) ** 0.5:
        return False
    a, s, half = np.full(4, 16.0), np.array([-48.0, -16.0, 16.0, 48.0]), 16.0
    while len(a) and half > 1e-4:
        open_ = _cosine_in_boxes(a, s, half) <= c
        a, s, half = a[open_], s[open_], half / 2
        a = (a[:, None] + half * np.array([-1, -1, 1, 1])).ravel()
        s = (s[:, None] + half * np.array([-1, 1, -1, 1])).ravel()
    return len(a) == 0


def _cosine_in_boxes(a, s, half):
    """A lower bound of the cosine on boxes |x1 - a|, |x1 + x2 - s| <= half that do not straddle 0.

    The gradient is p + λ x/r with p from the two f2 and λ = ln(1 + r) / 2. With q = p·x/r its angle
    to x has the tangent sqrt(‖p‖² - q²) / (q + λ).
    """

    def ends(x):  # of |x|
        return np.abs(x) - half, np.abs(x) + half

    def slopes(low, high):  # f2' rises up to 1/3 and falls beyond, and so does x f2'
        least = np.minimum(f2.grad(low), f2.grad(high))
        return least, f2.grad(np.clip(1 / 3, low, high))

    (a0, a1), (s0, s1) = ends(a), ends(s)
    (alpha0, alpha1), (sigma0, sigma1) = slopes(a0, a1), slopes(s0, s1)
    products = [np.minimum(x0 * f2.grad(x0), x1 * f2.grad(x1)) for x0, x1 in ((a0, a1), (s0, s1))]
    x2 = np.abs(s - a)
    near = np.hypot(a0, np.maximum(x2 - 2 * half, 0))
    far = np.hypot(a1, x2 + 2 * half)
    across = np.where(s > 0, alpha1 + sigma1, np.maximum(alpha1 - sigma0, sigma1 - alpha0))
    p = np.hypot(across, sigma1)
    q, pull = (products[0] + products[1]) / far, np.log1p(near) / 2
    with np.errstate(divide="ignore"):
        tangent = np.sqrt(np.maximum(p * p - q * q, 0)) / (q + pull)
    return np.where((far < 0.23) | (near > 30), 1.0, 1 / np.hypot(1, tangent))
