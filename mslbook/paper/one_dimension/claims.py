"""Section 4.1, one dimension: measured here and now."""

import numpy as np

from mslbook.descent import decays, descend
from mslbook.losses import f1, f2
from mslbook.paper.ledger import FAILS, HOLDS, Claim, verdict
from mslbook.probes import lyapunov
from mslbook.theory import stable_lr, two_cycle

ARRIVED = 1e-9  # a distance that counts as arrived


def _starts(count=10_000):
    return np.random.default_rng(0).uniform(-10, 10, count)


def _stable_below():
    lr = 0.95 * stable_lr(f1)
    farthest = abs(descend(f1, _starts(), lr, 1000, every=1000).points[-1]).max()
    number = f"2/f1''(0) = {stable_lr(f1):g}; at η = {lr:g}, |x| ≤ {farthest:.0e} in the end"
    return number, verdict(farthest < ARRIVED)


def _repels():
    start = np.array([1e-6, -1e-6])
    ends = abs(descend(f1, start, 1.05 * stable_lr(f1), 400).points)
    number = f"at η = 2.1 |x| grows from 1e-06 to {ends.max():.2f}"
    grows = np.all(np.diff(ends[:100], axis=0) > 0)
    return number, verdict(grows and ends[-1].min() > 1e-3)


def _formulas():
    x = np.random.default_rng(1).normal(0, 3, 1000)
    far, well = abs(x), np.where(abs(x) <= 1 / 3, 3 * x**2, 1 - 2 / (9 * abs(x)))
    off = abs(f1.value(x) - ((1 + far) * np.log(1 + far) - far)), abs(f2.value(x) - well)
    number = "`f1` and `f2` are the formulas"
    number += "" if np.max(off) < 1e-12 else f", off by {np.max(off):.0e}"
    return number, verdict(np.max(off) < 1e-12)


def _stable_at_the_edge():
    steps = np.array([100, 1000, 10_000])
    distance = abs(descend(f1, 5.0, stable_lr(f1), steps[-1]).points)
    number = "|x| = " + ", ".join(f"{d:.1e}" for d in distance[steps])
    number += " after 10², 10³, 10⁴ steps from 5: like 1/t"
    return number, verdict(np.all(np.diff(distance) < 0) and np.all(distance[steps] < 2 / steps))


def _stable_rate_towards_the_minimum():
    x = np.array([10.0, 1.0, 0.1, 0.01])
    rates = 2 / f1.hvp(x, 1.0)
    number = "2/f1'' = " + ", ".join(f"{rate:.3g}" for rate in rates) + " at x = 10, 1, 0.1, 0.01"
    return number, verdict(np.all(np.diff(rates) > 0))


def _cycle_grows():
    lrs = np.geomspace(2.001, 1e4, 1000)
    cycle = two_cycle(f1, lrs)
    number = f"its points are ±{cycle[0]:.3g} to ±{cycle[-1]:,.0f} for η from 2.001 to 10⁴"
    return number, verdict(np.all(np.diff(cycle) > 0))


def _all_reach_the_cycle():
    cycle = two_cycle(f1, 5.0)
    distance = abs(abs(descend(f1, _starts(), 5.0, 400, every=400).points[-1]) - cycle)
    arrived = np.sum(distance < ARRIVED)
    number = f"{arrived:,} of {len(distance):,} random starts at ±{cycle:.4f} (η = 5)"
    return number, verdict(arrived == len(distance))


def _contraction():
    distance = abs(abs(descend(f1, _starts(), 5.0, 60).points) - two_cycle(f1, 5.0))
    far = distance[:-1] > ARRIVED  # nearer, the ratio is one of rounding errors
    ratio = (distance[1:][far] / distance[:-1][far]).max()
    return f"at most {ratio:.4f}", verdict(ratio < 1)


def _left_panel():
    x = abs(descend(f1, -5.0, decays({0: 5, 100: 3, 150: 1}), 250).points)
    levels = x[[100, 150, 250]]
    expected = *two_cycle(f1, [5.0, 3.0]), 0.0
    number = "|x| settles at " + ", ".join(f"{level:.3f}" for level in levels)
    return number, verdict(np.allclose(levels, expected, rtol=0, atol=ARRIVED))


def _middle_panel():
    starts, lrs = _starts(1000) / 10, np.array([[2.0], [0.5]])
    exponents = lyapunov(f2, starts, lrs, steps=1000, discard=1000).mean(axis=1)
    path = descend(f2, -5.0, decays({0: 2, 500: 0.5, 700: 0.2}), 1000)
    number = "Lyapunov exponents " + ", ".join(f"{e:.1f}" for e in exponents)
    number += f"; |x| at most {abs(path.points).max():.0f}, in the end {abs(path.points[-1]):.3f}"
    bounded = abs(path.points).max() <= 5  # no farther out than its start
    return number, verdict(min(exponents) > 0 and bounded and abs(path.points[-1]) < ARRIVED)


def _strongly_convex():
    far = np.array([1e2, 1e4, 1e6])
    curvature = f1.hvp(far, 1.0)
    number = "f1'' = " + ", ".join(f"{c:.0e}" for c in curvature) + " at x = 10², 10⁴, 10⁶"
    return number, verdict(curvature.min() > 1e-3)


CLAIMS = (
    Claim(
        "4.1-stable",
        "journal 4.1, preprint 4.1",
        "below η = 2/f''(0), descent converges to the minimum",
        "2 for f1",
        _stable_below,
        "1e-9 after 1000 steps, each of which takes a tenth of |x| away near 0",
        HOLDS,
    ),
    Claim(
        "4.1-repels",
        "journal 4.1, preprint 4.1",
        "above η = 2/f''(0) the minimum is an unstable stationary point",
        "—",
        _repels,
        "none: a thousandfold growth, at every one of the first hundred steps",
        HOLDS,
    ),
    Claim(
        "4.1-constants",
        "journal fig. 4.1, preprint fig. 4",
        "f1(x) = (1 + |x|) ln(1 + |x|) - |x|, and f2 is eq. 6.2 with C = 3",
        "3",
        _formulas,
        "1e-12, rounding, at 1000 random points: this tests our own functions only",
        HOLDS,
    ),
    Claim(
        "4.1-at-the-edge",
        "journal theorem 4.1, preprint theorem 1",
        "at exactly η = 2/f''(0) descent still converges to the minimum",
        "2 for f1",
        _stable_at_the_edge,
        "nearer at every step, and below 2/t: it needs ever more steps, but gets there",
        HOLDS,
    ),
    Claim(
        "4.1-stable-rate",
        "journal 3.1, preprint 3.1",
        "the stable learning rate increases as the parameters come close to the minimum",
        "—",
        _stable_rate_towards_the_minimum,
        "none: it decreases, which is what the argument of sections 3 and 4 needs",
        FAILS,
    ),
    Claim(
        "4.1-cycle",
        "journal lemma 4.1, preprint lemma 1",
        "above η = 2/f''(0) a two-cycle exists, for every η, and grows with η",
        "—",
        _cycle_grows,
        "none: 1000 values must increase",
        HOLDS,
    ),
    Claim(
        "4.1-converges",
        "journal theorem 4.1, preprint theorem 1",
        "from almost every start, descent converges to the two-cycle",
        "—",
        _all_reach_the_cycle,
        "1e-9 after 400 steps at η = 5, far above rounding",
        HOLDS,
    ),
    Claim(
        "4.1-contracts",
        "journal eq. 4.2, preprint eq. 2",
        "every step brings the iterate nearer to a point of the cycle",
        "below 1",
        _contraction,
        "none: every ratio must be below 1",
        HOLDS,
    ),
    Claim(
        "4.1-left",
        "journal fig. 4.1 left, preprint fig. 4 left",
        "on f1 each drop of η brings a smaller cycle, and at last rest",
        "from -5; η = 5, 3 from step 100, 1 from step 150",
        _left_panel,
        "1e-9 from the two cycles and 0: far below their distances, far above rounding",
        HOLDS,
    ),
    Claim(
        "4.1-middle",
        "journal fig. 4.1 middle, preprint fig. 4 middle",
        "on the non-convex f2 descent is chaotic before the last decay, and yet bounded",
        "C = 3; from -5; η = 2, 0.5 from step 500, 0.2 from step 700",
        _middle_panel,
        "the sign of the exponents; no iterate beyond the start; 1e-9 from 0 in the end",
        HOLDS,
    ),
    Claim(
        "4.1-convex",
        "journal 4.1, preprint 4.1",
        "the functions of this section are strongly convex",
        "f'' bounded away from 0",
        _strongly_convex,
        "none: lemma 4.1 itself asks that f'' fall to 0, which strong convexity forbids",
        FAILS,
    ),
)
