"""Section 4.3, a more general setting: measured here and now."""

import numpy as np

from mslbook.descent import descend
from mslbook.losses import F2, Landing, Quadratic, Scaled, Staircase, Sum, f1, f2, f3
from mslbook.paper.general_setting.f3_bound import c_of_f3_exceeds
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, graded, listed, verdict
from mslbook.probes import lyapunov
from mslbook.theory import subquadratic, trapping_radius, two_cycle

LRS = np.array([0.2, 1.0, 5.0, 8.0])
ROUNDING = 1 + 1e-9  # the radius of a ball is computed to about this


def plane_starts(count, farthest=1000.0):
    """Points of the plane in all directions, at distances from 0.1 to ``farthest``, (count, 2)."""
    rng = np.random.default_rng(0)
    angle, r = rng.uniform(0, 2 * np.pi, count), np.geomspace(0.1, farthest, count)
    return r[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=-1)


def distance(f, x):
    """The distances of points of f from the minimum at 0."""
    return abs(x) if f.dimension is None else np.linalg.norm(x, axis=-1)


@claim("4.3-definition", RESERVED, "none; f2'' jumps, which does no harm", place="definition 4.1")
def examples():
    """F1, f2 and f3 are subquadratic, and twice continuously differentiable."""
    found = [subquadratic(f) for f in (f1, f2, f3)]
    bound = 0.312 if c_of_f3_exceeds(0.312) else 0.0
    jump = np.ptp(f2.hvp(np.nextafter(1 / 3, [0, 1]), 1.0))
    constants = listed([s.c for s in found], "{:.4f}")
    number = f"c = {constants} at most, for f3 at least {bound:g}; f2'' jumps by {jump:.0f}"
    met = bound > 0 and all(s.satisfies_definition and s.critical is None for s in found)
    return number, graded(met and jump < 1e-6, met)


@claim("4.3-slower", HOLDS, "f/r² must fall tenfold over three decades, twice")
def slower():
    """A subquadratic function grows more slowly than a quadratic."""
    radii, directions = np.array([1.0, 1e3, 1e6]), plane_starts(256, farthest=0.1) / 0.1
    farthest = f3.value(radii[:, None, None] * directions).max(axis=1)
    ratios = np.array([f1.value(radii), f2.value(radii), farthest]) / radii**2
    number = f"at r = 10⁶ f/r² is down to {listed(ratios[:, -1], '{:.0e}')} on f1, f2, f3"
    return number, verdict(np.all(ratios[:, 1:] < ratios[:, :-1] / 10))


@claim("4.3-weaker", RESERVED, "none; but f1 + x², whose curvature falls, does not meet it")
def weaker():
    """The condition is weaker than in one variable: f' may fall far out, and f be non-convex."""
    slopes, bowl = f2.grad(np.array([1 / 3, 1.0, 10.0])), subquadratic(Sum((f1, Quadratic(2.0))))
    allowed = subquadratic(f2).satisfies_definition and np.all(np.diff(slopes) < 0)
    number = f"f2' = {listed(slopes, '{:.4f}')}; far out f'/x = {bowl.growth[-1]:.1f} on f1 + x²"
    return number, graded(allowed and bowl.satisfies_definition, allowed)


@claim("4.3-towards", RESERVED, "none; where the gradient vanishes, there is no part")
def always_towards_the_minimum():
    """The negative gradient (in the paper: the gradient) always has a part towards the minimum."""
    cosines = [subquadratic(f).c for f in (f1, f2, f3)]
    level = np.sum(abs(Staircase().grad(np.pi * np.arange(1, 100, 2))) < 1e-12)
    number = f"smallest cosines {listed(cosines, '{:.2f}')}; Staircase is level at {level} points"
    return number, graded(min(cosines) > 0 and level == 0, min(cosines) > 0)


@claim("4.3-theorem", FAILS, "none: the gradient must vanish only at 0", place="theorem 4.3")
def theorem_as_stated():
    """On every subquadratic function, at every η, one ball catches all trajectories."""
    stairs, starts = Staircase(), np.random.default_rng(0).uniform(104, 1000, 10_000)
    nearest = descend(stairs, starts, 1.0, 300, every=300).points[-1].min()
    number = f"η = 1, 10,000 starts between 104 and 1000: after 300 steps none below {nearest:.1f}"
    return number, verdict(nearest < 100)


@claim("4.3-caught", HOLDS, "1e-9 of R; none may leave, all be inside at last", place="theorem 4.3")
def theorem_on_examples():
    """On f1, f2 and f3, at every η, one ball catches all trajectories."""
    line = np.random.default_rng(0).uniform(-1, 1, 5000)
    plane = plane_starts(5000, farthest=300)
    caught = []
    for f, starts, lr in ((f1, 1000 * line, 5.0), (f2, 5 * line, 2.0), (f3, plane, 1.0)):
        r = distance(f, descend(f, starts, lr, 200).points)
        inside = r <= trapping_radius(f, lr).radius * ROUNDING
        caught.append(np.sum(inside[-1] & np.all(inside[1:] >= inside[:-1], axis=0)))
    number = "after 200 steps {} on f1 (η = 5), {} on f2 (2), {} on f3 (1) of 5000 each".format(
        *caught
    )
    return number, verdict(caught == [5000] * 3)


@claim("4.3-nearer", RESERVED, "none; no gradient may be 0", place="eq. 4.5", number="below 1")
def nearer():
    """Every step from beyond r1 lands nearer to the minimum."""
    x = plane_starts(100_000)
    x = x[distance(f3, x) > trapping_radius(f3, 1.0).r1 * ROUNDING]
    ratio = (distance(f3, x - f3.grad(x)) / distance(f3, x)).max()
    level = 1 - Staircase().grad(33 * np.pi) / (33 * np.pi)
    number = f"f3: ratio at most {ratio:.3f}; where the gradient is 0 it is {level:.3f}"
    return number, graded(ratio < 1 and level < 1, ratio < 1)


@claim("4.3-invariant", HOLDS, "1e-9 of R", place="theorem 4.3 (proof)", number="at most 1")
def invariant():
    """No step leaves the ball."""
    landings = []
    for lr, radius in zip(LRS, trapping_radius(f3, LRS).radius, strict=True):
        x = plane_starts(50_000, farthest=radius)
        landings.append(distance(f3, x - lr * f3.grad(x)).max() / radius)
    number = f"one step lands at most at {listed(landings, '{:.2f}')} R at η = {listed(LRS)} on f3"
    return number, verdict(max(landings) <= ROUNDING)


@claim("4.3-r2", RESERVED, "1e-6; on one loss r2 depends on η alone", place="theorem 4.3 (proof)")
def r2_depends_on_c_and_lr():
    """R2 depends on c and η only."""
    losses = [Scaled(9 / C**2, F2(C)) for C in (3.0, 0.3, 0.03)]  # of one c, and of one curvature
    radii = np.array([trapping_radius(f, 2.0).r2 for f in losses])
    starts = radii[:, None] * np.linspace(-1.5, 1.5, 1001)
    ends = [descend(f, x, 2.0, 200).points[-50:] for f, x in zip(losses, starts, strict=True)]
    late = (abs(np.array(ends)).max(axis=(1, 2)) / radii).max()
    number = f"c = 1, η = 2: r2 = {listed(radii, '{:.2f}')}; late iterates at most at {late:.2f} r2"
    comparable = np.ptp([subquadratic(f).c for f in losses]) < 1e-9 and late <= ROUNDING
    return number, graded(comparable and np.ptp(radii) < 1e-6, comparable)


@claim("4.3-enters", RESERVED, "none; every larger ball it enters", place="theorem 4.3 (proof)")
def enters():
    """Every trajectory enters the closed ball of radius r2."""
    outside = abs(descend(f1, 1.2, 3.0, 8).points) - trapping_radius(f1, 3.0).r2
    number = f"f1 at η = 3, from 1.2: |x| - r2 = {listed(outside[::4], '{:.0e}')}"
    return number, verdict(np.any(outside <= 0), RESERVED)


@claim("4.3-neighbourhood", HOLDS, "none: R must grow with η, and hold what is visited")
def neighbourhood():
    """Descent oscillates in a neighbourhood whose size depends on η."""
    radii, starts = trapping_radius(f3, LRS).radius, plane_starts(300, farthest=10)[:, None]
    late = descend(f3, starts, LRS[:, None], 500, every=500).points[-1]
    visited = distance(f3, descend(f3, late, LRS[:, None], 300).points).max(axis=(0, 1))
    number = f"R = {listed(radii, '{:.2g}')} on f3 at η = {listed(LRS)}"
    within = np.all(visited <= radii * ROUNDING) and np.ptp(visited) > 1
    return number, verdict(np.all(np.diff(radii) > 0) and within)


@claim("4.3-behaviours", HOLDS, "1e-12, 1e-9, and the sign of the exponent")
def behaviours():
    """Descent may hit the minimum, oscillate at a level, or do so chaotically."""
    hit = round(abs(descend(Landing(), 1.5, 1.0, 1).points[-1]), 12)
    cycle = abs(descend(f1, 3.0, 5.0, 100).points[-2:])
    exponent = lyapunov(f2, np.linspace(0.1, 1, 500), 2.0, steps=500, discard=500).mean()
    number = f"at {hit:g} on Landing, at ±{cycle[0]:.4f} on f1; exponent {exponent:+.1f} on f2"
    level = np.allclose(cycle, two_cycle(f1, 5.0), rtol=0, atol=1e-9)
    return number, verdict(hit == 0 and level and exponent > 0)


@claim("4.3-measure-zero", RESERVED, "1e-12; Landing meets the definition, and its minimum repels")
def measure_zero():
    """When η is not too small, almost no start hits or converges to the minimum."""
    line = np.random.default_rng(0).uniform(-2, 2, 10_000)
    plane = np.stack((line, line[::-1]), axis=-1)
    runs = (f1, line, 5.0), (f2, line, 2.0), (f3, plane, 1.0), (Landing(), line, 1.0)
    nearest = [distance(f, descend(f, x, lr, 150).points).min(axis=0) for f, x, lr in runs]
    arrived = np.sum(np.array(nearest) < 1e-12, axis=1)  # later, rounding may throw it out
    number = f"to the minimum came {listed(arrived)} of 10000 on f1, f2, f3, Landing"
    return number, graded(not any(arrived), not any(arrived[:3]))
