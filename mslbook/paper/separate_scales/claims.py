"""Section 5, separate scales and learning-rate decay: measured here and now."""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from mslbook.descent import descend
from mslbook.losses import (
    Clip,
    Composed,
    Quadratic,
    Ridge,
    Saturation,
    Valley,
    crossed_valleys,
    f1,
    two_valleys,
)
from mslbook.paper.ledger import HOLDS, RESERVED, at_most, claim, graded, listed, verdict
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import two_cycle

START, LARGE, SMALL, DECAYS = (-20.0, 3.0), 2.5, 0.25, (650, 700, 750)
LAST = 0.05  # the rate of one more decay, after 1500 steps at the small one
BOWL = Quadratic(curvature=0.002, minimum=1.0)  # h(x) = 1 + 0.001 x²
ONE_VALLEY = Valley(f1, Ridge(BOWL, (1,)))
HARD = crossed_valleys(f1, h=BOWL, k=10, cutoff=Clip(0.25))
PROFILE = Composed(Saturation(), f1)  # F(x, 0) = PROFILE(10 x) / 4, descended at the rate 25 η
ARRIVED = 0.17  # |x1| where it has half its depth; at η = 0.25, x2 = 0 none leaves 0.1615 again
AT_REST = 1e-7  # from the origin
FLAT = 1e-100  # a slope that leads nowhere
CANDIDATES = np.arange(650, 770)  # decay steps, up to the first visit of the small valley


@cache
def before():
    """The figure's path before any decay."""
    return descend(two_valleys, START, LARGE, CANDIDATES[-1])


@cache
def after():
    """The paths at the small learning rate from each of the candidates."""
    return descend(two_valleys, before().points[CANDIDATES], SMALL, 1500)


def first_step(reached):
    """After how many steps a condition is met, of each path (steps, ...); infinity for never."""
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.inf)


def arrivals():
    """At which step each candidate arrives in the small valley."""
    return CANDIDATES + first_step(abs(after().points[..., 0]) < ARRIVED)


def the_three():
    """Which of the candidates are the paper's."""
    return np.isin(CANDIDATES, DECAYS)


@claim("5-flattest", HOLDS, "none: it must be the smallest of 4001 curvatures")
def flattest():
    """(0, 0) is the flattest minimum of the large valley."""
    x = np.linspace(-20, 20, 4001)
    across = ONE_VALLEY.hvp(np.stack([x, 0 * x], axis=-1), [0.0, 1.0])[:, 1]
    number = f"curvature {across.min():g} at the origin, {across.max():g} at x1 = ±20"
    least = x[across == across.min()]
    return number, verdict(len(least) == 1 and abs(least[0]) < 1e-9)


@claim("5-kink", RESERVED, "a jump below 1e-6 would do: descent needs a gradient everywhere")
def kink():
    """The simplest cut-off is min{z, c}."""
    edge = brentq(lambda u: f1.value(u) - 0.25, 0, 2) / 10
    sides = [[edge - 1e-9, 0.0], [edge + 1e-9, 0.0]]
    hard, smooth = (abs(np.diff(loss.grad(sides)[:, 0]))[0] for loss in (HARD, two_valleys))
    number = f"at |x1| = {edge:.4f} the slope jumps by {hard:.2f}; for ¼ z/(1 + z) by {smooth:.0f}"
    return number, verdict(hard < 1e-6, RESERVED)


@claim("5-local", RESERVED, "one step: with ¼ z/(1 + z) the small valley pulls from afar")
def local():
    """The cut-off makes the small valley's effect local."""
    paths = before(), descend(HARD, START, LARGE, 550)
    smooth, hard = (first_step(path.points[:, 0] > -4) for path in paths)
    number = f"x1 passes -4 at step {smooth:g}; without the small valley's far slope, at {hard:g}"
    return number, verdict(abs(smooth - hard) <= 1, RESERVED)


@claim("5-sharp", HOLDS, "it must be below a tenth of the large rate 2.5")
def needs_a_small_rate():
    """The small valley is sharp, so descent needs a small learning rate to converge in it."""
    stable = 2 / sharpness(two_valleys, np.zeros(2), tol=1e-8).values[0]
    return f"largest stable rate at the origin {stable:g}", verdict(stable < LARGE / 10)


@claim("5-rest", RESERVED, "the sign of the exponent: no rest before one more decay", number="0.25")
def comes_to_rest():
    """With the small rate the three trajectories converge in the small valley."""
    starts = np.random.default_rng(0).uniform(-1, 1, 200)
    exponent = lyapunov(PROFILE, starts, 25 * SMALL, steps=600, discard=200).mean()
    swings = abs(descend(PROFILE, starts, 25 * SMALL, 600, every=2).points[100:]) / 10
    later = descend(two_valleys, after().points[-1, the_three()], LAST, 300).points[-1]
    off = np.linalg.norm(later, axis=-1).max()
    number = f"Lyapunov exponent {exponent:+.1f}, up to |x1| = {swings.max():.2f} in the end; one "
    number += f"more decay, to {LAST:g}, and they are {at_most(off, AT_REST)} from the origin"
    rest = swings.max() < ARRIVED and off < AT_REST
    return number, graded(rest and exponent < 0 and swings[-1].max() < AT_REST, rest)


@claim("5-first", HOLDS, "5 %, where x1 < -15", place="5 and fig. 5.1", number="(-20, 3), 2.5")
def attracted_first():
    """From (-20, 3) at η = 2.5, descent is first attracted by the large valley."""
    x1, x2 = before().points[: DECAYS[-1] + 1].T
    h = BOWL.value(x1)
    off = abs(abs(x2) * h / two_cycle(f1, LARGE * h**2) - 1)
    first = np.argmax(off < 0.05)
    number = f"|x2| within 5 % of its two-cycle from step {first} on, at x1 = {x1[first]:.1f}"
    return number, verdict(off[first:].max() < 0.05 and x1[first] < -15)


@claim("5-along", HOLDS, "0.1 % of the least curvature, 1; below η = 2 it stops where h² = 2/η")
def to_the_flattest():
    """Descent then moves along the large valley to its flattest part."""
    x = descend(ONE_VALLEY, START, [[1.5], [LARGE]], 2000, every=2000).points[-1, :, 0]
    slow, fast = BOWL.value(x) ** 2
    number = f"large valley alone, 2000 steps: curvature {fast:.3f}; at η = 1.5 only {slow:.3f}"
    return number, verdict(fast < 1.001 < 4 / 3 < slow)


@claim("5-faster", HOLDS, "none: the steps must decrease")
def faster():
    """Descent moves along it faster with a larger learning rate."""
    rates = np.array([2.5, 3.0, 4.0])
    steps = first_step(descend(two_valleys, START, rates[:, None], 500).points[..., 0] > -4)
    number = f"x1 passes -4 at steps {listed(steps)} with η = {listed(rates)}"
    return number, verdict(np.all(steps[1:] < steps[:-1]))


@claim("5-loss", RESERVED, "15 %, in the last part; before it the loss falls tenfold")
def loss_hardly_falls():
    """While it moves along the large valley, the loss hardly decreases."""
    steps = [1, 10, 100, 466, 750]
    values, (x, far) = before().values[steps], before().points[[466, 750], 0]
    way, last = 1 - far / x, 1 - values[-1] / values[-2]
    number = f"{listed(values, '{:.3g}')} at steps {listed(steps)}: "
    number += f"the last {last:.0%} over {way:.0%} of the way left"
    moves = way > 0.5
    return number, graded(moves and values[-1] > 0.85 * values[0], moves and last < 0.15)


@claim("5-466", HOLDS, "none", place="fig. 5.1", number="466, -4")
def passes_minus_4():
    """X1 first exceeds -4 at step 466."""
    x = before().points[: DECAYS[-1] + 1, 0]
    first = np.argmax(x > -4)
    return f"{first}, and it stays", verdict(first == 466 and np.all(x[first:] > -4))


@claim("5-similar", HOLDS, "10 %, a number of ours", place="5 and fig. 5.1", number="650, 700, 750")
def similar_losses():
    """At the decays at steps 650, 700 and 750 the losses are similar."""
    values = before().values[list(DECAYS)]
    return listed(values, "{:.3f}"), verdict(values.max() < 1.1 * values.min())


@claim("5-times", HOLDS, "1.5 times the next, for decays 7 % apart in step")
def different_times():
    """Yet the three need very unequal times from there to the small valley."""
    waits = arrivals()[the_three()] - DECAYS
    number = f"{listed(waits)} steps until |x1| < {ARRIVED}"
    return number, verdict(np.all(waits[:-1] > 1.5 * waits[1:]))


@claim("5-earlier", HOLDS, "none: up to the best, each later decay must arrive earlier")
def earlier_costs_more():
    """Decayed earlier, descent takes longer."""
    steps = arrivals()
    best = steps.argmin()
    number = f"arrival at step {listed(steps[the_three()])}; best {steps[best]:g}, first by a "
    number += f"decay at {CANDIDATES[best]}"
    return number, verdict(best > 0 and np.all(steps[1 : best + 1] < steps[:best]))


@claim("5-ideal", HOLDS, "twice the 0.17 at which the small valley has half its depth")
def in_the_vicinity():
    """One decays best when the iterate has got close to the small valley."""
    best = CANDIDATES[arrivals() == arrivals().min()]
    x = before().points[best, 0]
    number = f"best are the decays at steps {listed(best)}, with x1 = {listed(x, '{:.2f}')}"
    return number, verdict(np.all(abs(x) < 2 * ARRIVED))


@claim("5-stuck", RESERVED, "a slope below 1e-100 is none; of min{z, ¼} alone, as the page proves")
def suboptimal_minimum():
    """Decayed much too early, descent can end for good in the large valley."""
    x, y = START
    bound = abs(x) * (1 - 0.002 * y**2 / (2 - SMALL * BOWL.value(x) ** 2))
    losses = HARD, two_valleys
    ends = [descend(loss, START, SMALL, 400).points[-1] for loss in losses]
    hard, smooth = (abs(loss.grad(end)[0]) for loss, end in zip(losses, ends, strict=True))
    number = f"at x1 = {ends[0][0]:.2f} the slope is {at_most(hard, FLAT)} with min{{z, ¼}}, and "
    number += f"{at_most(smooth, FLAT)} with ¼ z/(1 + z)"
    stuck = hard < FLAT and abs(ends[0][0]) >= bound
    return number, graded(stuck and smooth < FLAT, stuck)
