"""Section 4.2, many dimensions: measured here and now."""

import numpy as np

from mslbook.descent import decays, descend
from mslbook.losses import Composed, Quadratic, Saturation, Scaled, Sum, f1, f2, f3, separable
from mslbook.paper.ledger import HOLDS, RESERVED, at_most, claim, verdict
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import stable_lr, two_cycle

ARRIVED = 1e-9  # a distance that counts as arrived
N = 8  # dimensions

CURVATURES = np.array([3, 2, 1.4, 1, 0.7, 0.5, 0.3, 0.2])  # of N functions, at their minimum
g = Composed(Saturation(), Quadratic(curvature=2.0))  # x² / (1 + x²): smooth, not convex


def eigenbasis():
    """A random orthonormal basis, a vector in each row."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(N, N)))[0].T


def random_starts(count, n=N):
    """Random starts."""
    return np.random.default_rng(1).normal(0, 10, (count, n))


@claim(
    "4.2-eigen",
    HOLDS,
    "1e-8, what sharpness is asked for: p_i, f_i''(0) are the Hessian's eigenvectors, values",
    place="eq. 4.4",
)
def eigendirections():
    """The directions of a sum (4.4) play the part of a quadratic's eigenvectors."""
    loss = separable([Scaled(a, f1) for a in CURVATURES], eigenbasis())
    found = sharpness(loss, np.zeros(N), k=N, tol=1e-8)
    values = abs(found.values - CURVATURES).max()
    cosines = abs(1 - abs(np.sum(found.vectors * eigenbasis(), axis=1))).max()
    number = f"cosines differ from 1 by {at_most(cosines, 1e-8)}, curvatures "
    number += f"by {at_most(values, 1e-8)}"
    return number, verdict(max(values, cosines) < 1e-8)


@claim(
    "4.2-converges",
    HOLDS,
    "1e-9 from 0 or the two-cycle in every component, after 300 steps at η = 2.5",
    place="theorem 4.2",
)
def components_converge():
    """From almost every start each component rests or cycles, as in one dimension."""
    lr = 2.5
    functions = [Scaled(a, f1) for a in CURVATURES]
    levels = np.array([two_cycle(f, lr) if lr > stable_lr(f) else 0.0 for f in functions])
    basis, starts = eigenbasis(), random_starts(300)
    ends = descend(separable(functions, basis), starts, lr, 300, every=300).points[-1]
    arrived = np.sum(np.all(abs(abs(ends @ basis.T) - levels) < ARRIVED, axis=-1))
    number = (
        f"{arrived:,} of {len(starts):,} starts in {N} dimensions, {np.sum(levels > 0)} cycling"
    )
    return number, verdict(arrived == len(starts))


@claim(
    "4.2-orthogonal",
    HOLDS,
    "1e-9 over 30 steps: rounding, before chaos enlarges it",
    place="theorem 4.2",
)
def components_are_separate():
    """Orthogonal directions make n separate descents in one dimension."""
    functions = [f1, f2, Scaled(0.5, f1), g] * 2
    basis, starts = eigenbasis(), random_starts(100) / 10
    z = descend(separable(functions, basis), starts, 0.3, 30).points @ basis.T
    alone = [descend(f, z[0, :, i], 0.3, 30).points for i, f in enumerate(functions)]
    off = abs(z - np.stack(alone, axis=-1)).max()
    number = f"components and descents apart differ by {at_most(off, ARRIVED)}"
    return number, verdict(off < ARRIVED)


@claim("4.2-many", HOLDS, "none: the two-cycles reached from 1500 starts (to 1e-6) must be 2ᵏ⁻¹")
def exponentially_many():
    """There are exponentially many two-cycles, by the combinations of signs."""
    orbits, level = [], two_cycle(f1, 5.0)
    for k in range(1, N + 1):
        loss = separable(k * [f1] + (N - k) * [Scaled(0.2, f1)], eigenbasis())
        z = (
            descend(loss, random_starts(1500), 5.0, 40, every=40).points[-1]
            @ eigenbasis().T
            / level
        )
        arrived = np.all(abs(abs(z) - (np.arange(N) < k)) < 1e-6, axis=-1)
        signs = z[arrived, :k] > 0
        orbits.append(len(np.unique(signs ^ signs[:, :1], axis=0)))  # a pattern and its opposite
    number = f"{', '.join(map(str, orbits))} for 1 to {N} cycling directions"
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
    nearby = random_starts(50, 2) / 1e4
    exponents = [
        lyapunov(f3, start + nearby, lr, 300, discard=100).mean()
        for start, lr in zip(path.points[[0, 200]], (1.0, 0.3), strict=True)
    ]
    rest = abs(path.points[-1]).max()
    number = f"exponents {exponents[0]:+.1f} at η = 1, {exponents[1]:+.1f} at 0.3; "
    number += f"at rest at 0.1 (stable up to {stable:.4f}): {'yes' if rest < ARRIVED else 'no'}"
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


def period_of(lr, longest=60):
    """The period of the cycle of g that attracts at this learning rate, 0 if none so short does."""
    late = descend(g, random_starts(20, 1)[:, 0] / 10, lr, 2000, every=2000).points[-1]
    orbits = descend(g, late, lr, longest).points
    # Chaos may last long before a start falls into the cycle, so not all of them need be there.
    back = np.flatnonzero(np.any(abs(orbits[1:] - orbits[0]) < 1e-7, axis=-1))
    return int(back[0]) + 1 if len(back) else 0


@claim(
    "4.2-long",
    HOLDS,
    "1e-7 for the return; each period must be twice the last: doubling knows no bound",
)
def long_periods():
    """If the loss is not convex, some cycles have very long periods."""
    lrs = (2.05, 2.12, 2.15, 2.16)
    periods = np.array([period_of(lr) for lr in lrs])
    number = "on x²/(1 + x²) " + ", ".join(
        f"{period} at η = {lr}" for period, lr in zip(periods, lrs, strict=True)
    )
    doubled = periods[0] > 0 and np.all(periods[1:] == 2 * periods[:-1])
    return number, verdict(doubled)


@claim(
    "4.2-chaos",
    RESERVED,
    "easily: more than half of 34 η up to 2; from η ≈ 5.1 on f3 is orderly again",
)
def chaos_is_easy():
    """Without convexity a large learning rate easily makes descent chaotic."""
    line, plane = random_starts(40, 1) / 10, random_starts(20, 2)[:, None] / 10
    share = []
    for f, start, lrs in (
        (f2, line, np.linspace(0.35, 2, 34)),
        (f3, plane, np.linspace(0.13, 2, 34)[:, None]),
        (f1, line, np.linspace(2.1, 20, 34)),
    ):
        share.append(np.mean(lyapunov(f, start, lrs, 250, discard=250).mean(axis=0) > 0))
    late = lyapunov(f3, plane, np.array([[4.0], [6.0], [8.0]]), 250, discard=500).mean(axis=0)
    number = "up to η = 2 positive at {:.0%} of η above stable for f2, {:.0%} for f3; ".format(
        *share
    )
    number += "f3 {:+.1f} at η = 4, {:+.1f} at 6, {:+.1f} at 8; ".format(*late)
    number += f"{share[2]:.0%} for the convex f1"
    if min(share[:2]) <= 0.5 or share[2] > 0:
        return number, verdict(False)
    return number, verdict(late.min() > 0, RESERVED)


@claim(
    "4.2-bounded",
    RESERVED,
    "none; the growth must be subquadratic far out, not only around the minimum",
)
def bounded():
    """Subquadratic growth around the minimum keeps descent from blowing up at any η."""
    far = 0.0
    for f in (f1, f2, f3):
        path = descend(f, random_starts(300, f.dimension or 1), 100.0, 500, every=500)
        if np.any(path.diverged_at >= 0):
            return "descent on f1, f2 or f3 diverged at η = 100", verdict(False)
        far = max(far, abs(path.points[-1]).max())
    bowl = Sum((f1, Quadratic(curvature=0.1)))  # its curvature falls from 1.1 to 0.1
    lost = np.mean(descend(bowl, random_starts(200, 1), 25.0, 1500, every=1500).diverged_at >= 0)
    number = f"η = 100: f1, f2, f3 within {10 ** np.ceil(np.log10(far)):.0f}; "
    number += f"η = 25 on f1 + x²/20: {lost:.0%} of starts diverge"
    return number, verdict(lost == 0, RESERVED)
