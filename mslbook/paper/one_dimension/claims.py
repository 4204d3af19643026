"""Section 4.1, one dimension: measured here and now."""

import numpy as np

from mslbook.descent import decays, descend
from mslbook.losses import f1, f2
from mslbook.paper.ledger import FAILS, HOLDS, claim, listed, verdict
from mslbook.probes import lyapunov
from mslbook.theory import stable_lr, two_cycle

ARRIVED = 1e-9  # a distance that counts as arrived
STARTS = np.random.default_rng(0).uniform(-10, 10, 10_000)


@claim("4.1-stable", HOLDS, "1e-9 from 0 in the end; above, away at every one of 100 steps")
def stable_below():
    """Below η = 2/f''(0) descent converges to the minimum; above, the minimum is unstable."""
    below, above = np.array([0.95, 1.05]) * stable_lr(f1)
    farthest = abs(descend(f1, STARTS, below, 1000, every=1000).points[-1]).max()
    away = abs(descend(f1, 1e-6, above, 100).points)
    number = f"at η = {below:g} |x| ≤ {farthest:.0e} in the end, at η = {above:g} it grows from "
    number += f"1e-06 to {away[-1]:.0e}"
    return number, verdict(farthest < ARRIVED and np.all(np.diff(away) > 0))


@claim("4.1-at-the-edge", HOLDS, "ever nearer, below 2/t", place="theorem 4.1", number="2 for f1")
def stable_at_the_edge():
    """At exactly η = 2/f''(0) descent still converges to the minimum."""
    steps = np.array([100, 1000, 10_000])
    distance = abs(descend(f1, 5.0, stable_lr(f1), steps[-1]).points)
    number = f"|x| = {listed(distance[steps], '{:.1e}')} after 10², 10³, 10⁴ steps from 5: like 1/t"
    return number, verdict(np.all(np.diff(distance) < 0) and np.all(distance[steps] < 2 / steps))


@claim("4.1-stable-rate", FAILS, "a counterexample: it decreases, as sections 3 and 4 need it",
       place="3.1")  # fmt: skip
def stable_rate_towards_the_minimum():
    """The stable learning rate increases as the parameters come close to the minimum."""
    rates = 2 / f1.hvp(np.array([10.0, 1.0, 0.1, 0.01]), 1.0)
    number = f"2/f1'' = {listed(rates, '{:.3g}')} at x = 10, 1, 0.1, 0.01"
    return number, verdict(np.all(np.diff(rates) > 0))


@claim("4.1-cycle", HOLDS, "1000 values increase", place="lemma 4.1")
def cycle_grows():
    """Above η = 2/f''(0) a two-cycle exists, for every η, and grows with η."""
    cycle = two_cycle(f1, np.geomspace(2.001, 1e4, 1000))
    number = f"its points are ±{cycle[0]:.3g} to ±{cycle[-1]:,.0f} for η from 2.001 to 10⁴"
    return number, verdict(np.all(np.diff(cycle) > 0))


@claim("4.1-converges", HOLDS, "1e-9, far above rounding", place="theorem 4.1")
def all_reach_the_cycle():
    """From almost every start, descent converges to the two-cycle."""
    cycle = two_cycle(f1, 5.0)
    distance = abs(abs(descend(f1, STARTS, 5.0, 400, every=400).points[-1]) - cycle)
    arrived = np.sum(distance < ARRIVED)
    number = f"{arrived:,} of {len(distance):,} random starts at ±{cycle:.4f} (η = 5)"
    return number, verdict(arrived == len(distance))


@claim("4.1-contracts", HOLDS, "every ratio is below 1, of 10,000 starts in 60 steps",
       place="eq. 4.2", number="below 1")  # fmt: skip
def contraction():
    """Every step brings the iterate nearer to a point of the cycle."""
    distance = abs(abs(descend(f1, STARTS, 5.0, 60).points) - two_cycle(f1, 5.0))
    far = distance[:-1] > ARRIVED  # nearer, the ratio is one of rounding errors
    ratio = (distance[1:][far] / distance[:-1][far]).max()
    return f"at most {ratio:.4f}", verdict(ratio < 1)


@claim("4.1-left", HOLDS, "1e-9, far above rounding", place="fig. 4.1 left",
       number="from -5; η = 5, 3 from step 100, 1 from step 150")  # fmt: skip
def left_panel():
    """On f1 each drop of η brings a smaller cycle, and at last rest."""
    path = descend(f1, -5.0, decays({0: 5, 100: 3, 150: 1}), 250)
    levels, expected = abs(path.points[[100, 150, 250]]), [*two_cycle(f1, [5.0, 3.0]), 0.0]
    settled = np.all(abs(levels - expected) < ARRIVED)
    return f"|x| settles at {listed(levels, '{:.3f}')}", verdict(settled)


@claim("4.1-middle", HOLDS, "the sign of the exponents; no iterate beyond the start; 1e-9 from 0 "
       "in the end", place="fig. 4.1 middle",
       number="C = 3; from -5; η = 2, 0.5 from step 500, 0.2 from step 700")  # fmt: skip
def middle_panel():
    """On the non-convex f2 descent is chaotic before the last decay, and yet bounded."""
    lrs = np.array([[2.0], [0.5]])
    exponents = lyapunov(f2, STARTS[:1000] / 10, lrs, steps=1000, discard=1000).mean(axis=1)
    x = abs(descend(f2, -5.0, decays({0: 2, 500: 0.5, 700: 0.2}), 1000).points)
    number = f"Lyapunov exponents {listed(exponents, '{:.1f}')}; |x| at most {x.max():.0f}"
    number += f", in the end {x[-1]:.3f}"
    return number, verdict(min(exponents) > 0 and x.max() <= 5 and x[-1] < ARRIVED)


@claim("4.1-convex", FAILS, "a counterexample: lemma 4.1 asks that f'' fall to 0; strictly convex "
       "is meant", number="f'' bounded away from 0")  # fmt: skip
def strongly_convex():
    """The functions of this section are strongly convex."""
    curvature = f1.hvp(np.array([1e2, 1e4, 1e6]), 1.0)
    number = f"f1'' = {listed(curvature, '{:.0e}')} at x = 10², 10⁴, 10⁶"
    return number, verdict(curvature.min() > 1e-3)
