"""Section 4.3, a more general setting: measured here and now."""

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Landing, Staircase, f1, f2, f3
from mslbook.paper.general_setting.f3_bound import c_of_f3_exceeds
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, listed, verdict
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


@claim("4.3-definition", RESERVED, "f2'' and so f3'' jump, which theorem 4.3 can do with",
       place="definition 4.1")  # fmt: skip
def examples():
    """F1, f2 and f3 are subquadratic, and twice continuously differentiable."""
    found = [subquadratic(f) for f in (f1, f2, f3)]
    bound = 0.312 if c_of_f3_exceeds(0.312) else 0.0
    jump = np.ptp(f2.hvp(np.nextafter(1 / 3, [0, 1]), 1.0))
    constants = listed([s.c for s in found], "{:.4f}")
    number = f"c = {constants} at most, for f3 at least {bound:g}; f2'' jumps by {jump:.0f}"
    met = bound > 0 and all(s.satisfies_definition and s.critical is None for s in found)
    return number, verdict(met and jump < 1e-6, met)


@claim("4.3-weaker", HOLDS, "f2, which has the property, must fall far out")
def weaker():
    """The condition is weaker than in one variable: f' may fall far out, and f be non-convex."""
    slopes = f2.grad(np.array([1 / 3, 1.0, 10.0]))
    falls = np.all(np.diff(slopes) < 0)
    number = f"f2' = {listed(slopes, '{:.4f}')} at x = 1/3, 1, 10"
    return number, verdict(falls and subquadratic(f2).satisfies_definition)


@claim("4.3-theorem", FAILS, "a counterexample: the gradient must vanish at 0 only, which "
       "definition 4.1 does not ask", place="theorem 4.3")  # fmt: skip
def theorem_as_stated():
    """On every subquadratic function, at every η, one ball catches all trajectories."""
    stairs, starts = Staircase(), np.random.default_rng(0).uniform(104, 1000, 10_000)
    nearest = descend(stairs, starts, 1.0, 300, every=300).points[-1].min()
    number = f"η = 1, 10,000 starts between 104 and 1000: after 300 steps none below {nearest:.1f}"
    return number, verdict(nearest < 100)


@claim("4.3-caught", HOLDS, "of 1000 starts none leaves, and all are inside at last; 1e-9 of R")
def theorem_on_examples():
    """On f1, f2 and f3, at every η, one ball catches all trajectories."""
    line, plane = np.random.default_rng(0).uniform(-1, 1, 1000), plane_starts(1000, farthest=300)
    caught = []
    for f, starts, lrs in ((f1, 1000 * line, (5, 20)), (f2, 5 * line, (1, 2)), (f3, plane, (1, 5))):
        for lr in lrs:
            r = distance(f, descend(f, starts, lr, 300).points)
            inside = r <= trapping_radius(f, lr).radius * ROUNDING
            caught.append(np.sum(inside[-1] & np.all(inside[1:] >= inside[:-1], axis=0)))
    number = f"{listed(caught)} after 300 steps: on f1 (η = 5, 20), f2 (1, 2) and f3 (1, 5)"
    return number, verdict(min(caught) == 1000)


@claim("4.3-nearer", HOLDS, "at 100,000 points, on f3 at η = 1", place="eq. 4.5", number="below 1")
def nearer():
    """Every step from beyond r1 lands nearer to the minimum."""
    x = plane_starts(100_000)
    x = x[distance(f3, x) > trapping_radius(f3, 1.0).r1 * ROUNDING]
    ratio = (distance(f3, x - f3.grad(x)) / distance(f3, x)).max()
    return f"ratio at most {ratio:.3f}", verdict(ratio < 1)


@claim("4.3-invariant", HOLDS, "1e-9 of R", place="theorem 4.3 (proof)", number="at most 1")
def invariant():
    """No step leaves the ball."""
    landings = []
    for lr, radius in zip(LRS, trapping_radius(f3, LRS).radius, strict=True):
        x = plane_starts(50_000, farthest=radius)
        landings.append(distance(f3, x - lr * f3.grad(x)).max() / radius)
    number = f"one step lands at most at {listed(landings, '{:.2f}')} R at η = {listed(LRS)} on f3"
    return number, verdict(max(landings) <= ROUNDING)


@claim("4.3-enters", RESERVED, "it comes ever nearer, and so into every larger ball, but not into "
       "this one", place="theorem 4.3 (proof)")  # fmt: skip
def enters():
    """Every trajectory enters the closed ball of radius r2."""
    outside = abs(descend(f1, 1.2, 3.0, 8).points) - trapping_radius(f1, 3.0).r2
    number = f"f1 at η = 3, from 1.2: |x| - r2 = {listed(outside[::4], '{:.0e}')}"
    return number, verdict(np.any(outside <= 0), np.all(np.diff(outside) < 0))


@claim("4.3-behaviours", HOLDS, "1e-12, 1e-9, and the sign of the exponent")
def behaviours():
    """Descent may hit the minimum, oscillate at a level, or do so chaotically."""
    hit = round(abs(descend(Landing(), 1.5, 1.0, 1).points[-1]), 12)
    cycle = abs(descend(f1, 3.0, 5.0, 100).points[-2:])
    exponent = lyapunov(f2, np.linspace(0.1, 1, 500), 2.0, steps=500, discard=500).mean()
    number = f"at {hit:g} on Landing, at ±{cycle[0]:.4f} on f1; exponent {exponent:+.1f} on f2"
    level = np.allclose(cycle, two_cycle(f1, 5.0), rtol=0, atol=1e-9)
    return number, verdict(hit == 0 and level and exponent > 0)


@claim("4.3-measure-zero", RESERVED, "Landing meets the definition, and whole intervals hit its "
       "minimum; 1e-12")  # fmt: skip
def measure_zero():
    """When η is not too small, almost no start hits or converges to the minimum."""
    line = np.random.default_rng(0).uniform(-2, 2, 10_000)
    plane = np.stack((line, line[::-1]), axis=-1)
    runs = (f1, line, 5.0), (f2, line, 2.0), (f3, plane, 1.0), (Landing(), line, 1.0)
    nearest = [distance(f, descend(f, x, lr, 150).points).min(axis=0) for f, x, lr in runs]
    arrived = np.sum(np.array(nearest) < 1e-12, axis=1)  # later, rounding may throw it out
    number = f"to the minimum came {listed(arrived)} of 10000 on f1, f2, f3, Landing"
    return number, verdict(not any(arrived), not any(arrived[:3]))
