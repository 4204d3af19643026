"""Section 4.2, many dimensions: measured here and now."""

import numpy as np

from mslbook.descent import decays, descend
from mslbook.losses import Composed, Quadratic, Saturation, Scaled, Sum, f1, f2, f3, separable
from mslbook.paper.ledger import HOLDS, RESERVED, at_most, claim, listed, verdict
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import stable_lr, two_cycle

ARRIVED = 1e-9  # a distance that counts as arrived
N = 8  # dimensions
BASIS = np.linalg.qr(np.random.default_rng(0).normal(size=(N, N)))[0].T  # a vector in each row
CURVATURES = np.array([3, 2, 1.4, 1, 0.7, 0.5, 0.3, 0.2])  # at the minimum of N functions
FUNCTIONS = [Scaled(a, f1) for a in CURVATURES]
g = Composed(Saturation(), Quadratic(curvature=2.0))  # x² / (1 + x²): smooth, not convex


def random_starts(count, n=N):
    """Random starts."""
    return np.random.default_rng(1).normal(0, 10, (count, n))


@claim("4.2-converges", HOLDS, "1e-9 in every component, after 300 steps", place="theorem 4.2")
def components_converge():
    """From almost every start each component rests or cycles, as in one dimension."""
    levels = np.array([two_cycle(f, 2.5) if stable_lr(f) < 2.5 else 0.0 for f in FUNCTIONS])
    path = descend(separable(FUNCTIONS, BASIS), random_starts(300), 2.5, 300, every=300)
    arrived = np.sum(np.all(abs(abs(path.points[-1] @ BASIS.T) - levels) < ARRIVED, axis=-1))
    number = f"η = 2.5: {arrived} of 300 starts in {N} dimensions, {np.sum(levels > 0)} cycling"
    return number, verdict(arrived == 300)


@claim("4.2-many", HOLDS, "the two-cycles reached from 1500 starts (to 1e-6) are 2ᵏ⁻¹")
def exponentially_many():
    """There are exponentially many two-cycles, by the combinations of signs."""
    orbits, level = [], two_cycle(f1, 5.0)
    for k in range(1, N + 1):
        loss = separable(k * [f1] + (N - k) * [Scaled(0.2, f1)], BASIS)
        ends = descend(loss, random_starts(1500), 5.0, 40, every=40).points[-1]
        z = ends @ BASIS.T / level
        arrived = np.all(abs(abs(z) - (np.arange(N) < k)) < 1e-6, axis=-1)
        signs = z[arrived, :k] > 0
        orbits.append(len(np.unique(signs ^ signs[:, :1], axis=0)))  # a pattern and its opposite
    number = f"{listed(orbits)} for 1 to {N} cycling directions"
    return number, verdict(orbits == [2**k for k in range(N)])


@claim("4.2-right", HOLDS, "the signs of the exponents; 1e-9 after the last decay",
       place="fig. 4.1 right", number="from (-3, 3); η = 1, 0.3, 0.1; steps 200, 400")  # fmt: skip
def right_panel():
    """On f3 descent is chaotic, until the last decay brings it to rest."""
    path = descend(f3, (-3.0, 3.0), decays({0: 1, 200: 0.3, 400: 0.1}), 600)
    stable = 2 / sharpness(f3, np.zeros(2)).values[0]
    starts = path.points[[0, 200]] + random_starts(50, 2)[:, None] / 1e4
    exponents = lyapunov(f3, starts, np.array([[1.0], [0.3]]), 300, discard=100).mean(axis=0)
    rest = abs(path.points[-1]).max()
    number = f"exponents {listed(exponents, '{:+.1f}')}; at η = 0.1 |x| {at_most(rest, ARRIVED)}"
    return number, verdict(min(exponents) > 0 and rest < ARRIVED and 0.1 < stable < 0.3)


@claim("4.2-long", HOLDS, "two two-cycles attract at least; the longest period is {long_period} or "
       "more; a return is one to 10⁻⁷")  # fmt: skip
def many_and_long_periods(long_period=50):
    """Without convexity there may be several cycles, and some of very long periods."""
    starts = random_starts(1000, 1)[:, 0] / 10
    late = descend(g, starts, 1.9, 1000, every=1000).points[-1]
    pairs = np.sort(descend(g, late, 1.9, 1).points, axis=0).round(6)
    orbits = len(np.unique(pairs, axis=1).T)
    lrs = np.array([2.05, 2.12, 2.15, 2.16, 2.162, 2.16245])
    late = descend(g, starts[:5, None], lrs, 10_000, every=10_000).points[-1]
    path = descend(g, late, lrs, 100).points
    # Chaos may last long before a start falls into the cycle, so not all of them need be there.
    periods = np.any(abs(path[1:] - path[0]) < 1e-7, axis=1).argmax(axis=0) + 1
    number = f"x²/(1 + x²): {orbits} two-cycles at η = 1.9; periods {listed(periods)} at η = "
    return number + listed(lrs), verdict(orbits > 1 and periods.max() >= long_period)


@claim("4.2-chaos", HOLDS, "at more than {chaotic_share:.0%} of the rates from the largest stable "
       "one to 2")  # fmt: skip
def chaos_is_easy(chaotic_share=0.5):
    """Without convexity a large learning rate easily makes descent chaotic."""

    def chaotic(f, starts, lrs):
        return np.mean(lyapunov(f, starts, lrs, 250, discard=250).mean(axis=0) > 0)

    line, plane = random_starts(40, 1) / 10, random_starts(20, 2)[:, None] / 10
    of_f1 = chaotic(f1, line, np.linspace(2.1, 20, 34))
    of_f2 = chaotic(f2, line, np.linspace(0.35, 2, 34))
    of_f3 = chaotic(f3, plane, np.linspace(0.13, 2, 34)[:, None])
    number = f"at {of_f2:.0%} of them for f2, {of_f3:.0%} for f3, {of_f1:.0%} for the convex f1"
    return number, verdict(min(of_f2, of_f3) > chaotic_share and of_f1 == 0)


@claim("4.2-bounded", RESERVED, "the growth must be subquadratic far out, too, and not only around")
def bounded():
    """Subquadratic growth around the minimum keeps descent from blowing up at any η."""
    bowl = Sum((f1, Quadratic(curvature=0.1)))  # its curvature falls from 1.1 to 0.1
    runs = (f1, 100.0), (f2, 100.0), (f3, 100.0), (bowl, 25.0)
    paths = [descend(f, random_starts(300, f.dimension or 1), lr, 1500) for f, lr in runs]
    lost = [np.sum(path.diverged_at >= 0) for path in paths]
    number = f"{listed(lost)} of 300 starts diverge on f1, f2, f3 at η = 100, f1 + x²/20 at 25"
    return number, verdict(not any(lost), not any(lost[:3]))
