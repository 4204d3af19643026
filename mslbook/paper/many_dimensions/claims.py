"""Section 4.2, many dimensions: measured here and now."""

import numpy as np

from mslbook.descent import decays, descend
from mslbook.losses import Composed, Quadratic, Saturation, Scaled, Sum, f1, f2, f3, separable
from mslbook.paper.ledger import HOLDS, RESERVED, at_most, claim, graded, listed, verdict
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


@claim("4.2-eigen", HOLDS, "1e-8, which the eigensolver is asked for", place="eq. 4.4")
def eigendirections():
    """The directions of a sum (4.4) play the part of a quadratic's eigenvectors."""
    found = sharpness(separable(FUNCTIONS, BASIS), np.zeros(N), k=N, tol=1e-8)
    cosines = abs(np.sum(found.vectors * BASIS, axis=1))
    off = max(abs(found.values - CURVATURES).max(), abs(cosines - 1).max())
    return f"cosines and curvatures are off by {at_most(off, 1e-8)}", verdict(off < 1e-8)


@claim("4.2-converges", HOLDS, "1e-9 in every component, after 300 steps", place="theorem 4.2")
def components_converge():
    """From almost every start each component rests or cycles, as in one dimension."""
    levels = np.array([two_cycle(f, 2.5) if stable_lr(f) < 2.5 else 0.0 for f in FUNCTIONS])
    path = descend(separable(FUNCTIONS, BASIS), random_starts(300), 2.5, 300, every=300)
    arrived = np.sum(np.all(abs(abs(path.points[-1] @ BASIS.T) - levels) < ARRIVED, axis=-1))
    number = f"η = 2.5: {arrived} of 300 starts in {N} dimensions, {np.sum(levels > 0)} cycling"
    return number, verdict(arrived == 300)


@claim("4.2-orthogonal", HOLDS, "1e-9 over 30 steps, before chaos", place="theorem 4.2")
def components_are_separate():
    """Orthogonal directions make n separate descents in one dimension."""
    functions, starts = 2 * [f1, f2, Scaled(0.5, f1), g], random_starts(100) / 10
    z = descend(separable(functions, BASIS), starts, 0.3, 30).points @ BASIS.T
    alone = [descend(f, z[0, :, i], 0.3, 30).points for i, f in enumerate(functions)]
    off = abs(z - np.stack(alone, axis=-1)).max()
    return f"off separate descents by {at_most(off, ARRIVED)}", verdict(off < ARRIVED)


@claim("4.2-many", HOLDS, "none: the two-cycles reached from 1500 starts (to 1e-6) must be 2ᵏ⁻¹")
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


@claim(
    "4.2-right",
    HOLDS,
    "the signs of the exponents; 1e-9 after the last decay",
    place="fig. 4.1 right",
    number="from (-3, 3); η = 1, 0.3, 0.1; steps 200, 400",
)
def right_panel():
    """On f3 descent is chaotic, until the last decay brings it to rest."""
    path = descend(f3, (-3.0, 3.0), decays({0: 1, 200: 0.3, 400: 0.1}), 600)
    stable = 2 / sharpness(f3, np.zeros(2)).values[0]
    starts = path.points[[0, 200]] + random_starts(50, 2)[:, None] / 1e4
    exponents = lyapunov(f3, starts, np.array([[1.0], [0.3]]), 300, discard=100).mean(axis=0)
    rest = abs(path.points[-1]).max()
    number = f"exponents {listed(exponents, '{:+.1f}')}; at η = 0.1 |x| {at_most(rest, ARRIVED)}"
    return number, verdict(min(exponents) > 0 and rest < ARRIVED and 0.1 < stable < 0.3)


@claim("4.2-several", HOLDS, "1e-9 for the return after two steps")
def several_cycles():
    """If the loss is not convex, descent may end in this cycle or in that one, by its start."""
    ends = descend(g, random_starts(1000, 1)[:, 0] / 10, 1.9, 1000, every=1000).points[-1]
    after = descend(g, ends, 1.9, 2).points
    returned = np.all(abs(after[2] - after[0]) < ARRIVED)
    orbits = len(np.unique(np.sort(after[:2], axis=0).round(6), axis=1).T)
    number = f"x²/(1 + x²) at η = 1.9: {orbits} two-cycles attract"
    return number, verdict(returned and orbits > 1)


@claim("4.2-long", HOLDS, "1e-7 for the return; each period must be twice the last")
def long_periods():
    """If the loss is not convex, some cycles have very long periods."""
    lrs, starts = np.array([2.05, 2.12, 2.15, 2.16]), random_starts(20, 1) / 10
    late = descend(g, starts, lrs, 2000, every=2000).points[-1]
    orbits = descend(g, late, lrs, 60).points
    # Chaos may last long before a start falls into the cycle, so not all of them need be there.
    returned = np.any(abs(orbits[1:] - orbits[0]) < 1e-7, axis=1)
    periods = returned.argmax(axis=0) + 1  # 1 if nothing returns
    number = f"x²/(1 + x²) at η = {listed(lrs)}: periods {listed(periods)}"
    return number, verdict(np.all(periods[1:] == 2 * periods[:-1]))


@claim("4.2-chaos", RESERVED, "more than half of 34 η up to 2; from 5.1 on f3 is orderly again")
def chaos_is_easy():
    """Without convexity a large learning rate easily makes descent chaotic."""
    line, plane = random_starts(40, 1) / 10, random_starts(20, 2)[:, None] / 10

    def share(f, starts, lrs):
        return np.mean(lyapunov(f, starts, lrs, 250, discard=250).mean(axis=0) > 0)

    of_f1 = share(f1, line, np.linspace(2.1, 20, 34))
    of_f2 = share(f2, line, np.linspace(0.35, 2, 34))
    of_f3 = share(f3, plane, np.linspace(0.13, 2, 34)[:, None])
    large = np.array([[4.0], [6.0], [8.0]])
    late = lyapunov(f3, plane, large, 250, discard=500).mean(axis=0).min()
    number = f"chaos at {of_f2:.0%} of η above stable for f2, {of_f3:.0%} for f3, {of_f1:.0%} for "
    number += f"the convex f1; exponent down to {late:+.1f} for f3 at η = 4, 6, 8"
    easy = min(of_f2, of_f3) > 0.5 and of_f1 == 0
    return number, graded(easy and late > 0, easy)


@claim("4.2-bounded", RESERVED, "none; the growth must be subquadratic far out, too")
def bounded():
    """Subquadratic growth around the minimum keeps descent from blowing up at any η."""
    bowl = Sum((f1, Quadratic(curvature=0.1)))  # its curvature falls from 1.1 to 0.1
    runs = (f1, 100.0), (f2, 100.0), (f3, 100.0), (bowl, 25.0)
    paths = [descend(f, random_starts(300, f.dimension or 1), lr, 1500) for f, lr in runs]
    lost = [np.sum(path.diverged_at >= 0) for path in paths]
    number = f"{listed(lost)} of 300 starts diverge on f1, f2, f3 at η = 100, f1 + x²/20 at 25"
    return number, graded(not any(lost), not any(lost[:3]))
