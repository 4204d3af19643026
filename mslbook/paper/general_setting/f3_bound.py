"""A lower bound, proved by computer, of the constant c of definition 4.1 for f3."""

import numpy as np

from mslbook.losses import f2

GOLDEN = (1 + 5**0.5) / 2  # the largest stretch of (α, σ) -> (α + σ, σ)
R_QUADRATIC, R_FAR = 0.23, 30  # within and beyond these distances bounds by hand hold


def c_of_f3_exceeds(c):
    """Whether a search proves that grad·x >= c ‖grad‖ ‖x‖ everywhere on f3, for a number c > 0.

    False means that nothing is proved, and not that the contrary is.

    Notes
    -----
    A box in a = x1 >= 0 and s = x1 + x2 is cut in four until its bound is above `c`. Beyond r = 30
    a bound by hand takes over; within r = 0.23 f3 is quadratic but for its last term.
    """
    if c > 2 / 3 or GOLDEN * 8**0.5 / (np.log1p(R_FAR) / 2) > (1 / c**2 - 1) ** 0.5:
        return False
    a, s, half = np.full(4, 16.0), np.array([-48.0, -16.0, 16.0, 48.0]), 16.0
    while len(a) and half > 1e-4:  # below, the search gives up
        unproved = cosine_in_boxes(a, s, half) <= c
        a, s, half = a[unproved], s[unproved], half / 2
        a = (a[:, None] + half * np.array([-1, -1, 1, 1])).ravel()
        s = (s[:, None] + half * np.array([-1, 1, -1, 1])).ravel()
    return len(a) == 0


def cosine_in_boxes(a, s, half):
    """A lower bound of the cosine on boxes around a = x1 and s = x1 + x2 that do not straddle 0.

    The gradient is p + λ x/r with p from the two f2 and λ = ln(1 + r) / 2. With q = p·x/r its angle
    to x has the tangent sqrt(‖p‖² - q²) / (q + λ).
    """
    low, high = np.abs([a, s]) - half, np.abs([a, s]) + half
    x2 = np.abs(s - a)
    near, far = np.hypot(low[0], np.maximum(x2 - 2 * half, 0)), np.hypot(high[0], x2 + 2 * half)
    # f2' increases up to 1/3 and decreases beyond, and so does x f2'.
    slopes = f2.grad(np.stack((low, high)))
    (alpha0, sigma0), (alpha1, sigma1) = slopes.min(axis=0), f2.grad(np.clip(1 / 3, low, high))
    across = np.where(s > 0, alpha1 + sigma1, np.maximum(alpha1 - sigma0, sigma1 - alpha0))
    p = np.hypot(across, sigma1)
    q = np.minimum(low * slopes[0], high * slopes[1]).sum(axis=0) / far
    with np.errstate(divide="ignore"):
        tangent = np.sqrt(np.maximum(p * p - q * q, 0)) / (q + np.log1p(near) / 2)
    return np.where((far < R_QUADRATIC) | (near > R_FAR), 1.0, 1 / np.hypot(1, tangent))
