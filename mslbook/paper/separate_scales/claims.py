"""Section 5, separate scales and learning-rate decay: measured here and now."""

from functools import cache

import numpy as np

from mslbook import losses
from mslbook.descent import descend
from mslbook.losses import Quadratic, Valley, crossed_valleys, f1, two_valleys
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, at_most, claim, listed, verdict
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import two_cycle

START, LARGE, SMALL, DECAYS = (-20.0, 3.0), 2.5, 0.25, (650, 700, 750)
LAST = 0.05  # the rate of one more decay, after 1500 steps at the small one
BOWL = Quadratic(curvature=0.002, minimum=1.0)  # h(x) = 1 + 0.001 x²
ONE_VALLEY = Valley(f1, losses.Ridge(BOWL, (1,)))
HARD = crossed_valleys(f1, h=BOWL, k=10, cutoff=losses.Clip(0.25))
PROFILE = losses.Composed(losses.Saturation(), f1)  # F(x, 0) = PROFILE(10 x) / 4, at the rate 25 η
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


@claim("5-sharp", HOLDS, "below {part_of_the_rate:.0%} of the large rate 2.5")
def needs_a_small_rate(part_of_the_rate=0.1):
    """The small valley is sharp, so descent needs a small learning rate to converge in it."""
    stable = 2 / sharpness(two_valleys, np.zeros(2), tol=1e-8).values[0]
    number = f"largest stable rate at the origin {stable:g}"
    return number, verdict(stable < part_of_the_rate * LARGE)


@claim("5-rest", FAILS, "the exponent is above 0, so that they go on chaotically; they stay in the "
       "small valley, and one more decay brings them to rest", number="0.25")  # fmt: skip
def comes_to_rest():
    """With the small rate the three trajectories converge in the small valley."""
    starts = np.random.default_rng(0).uniform(-1, 1, 200)
    exponent = lyapunov(PROFILE, starts, 25 * SMALL, steps=600, discard=200).mean()
    swings = abs(descend(PROFILE, starts, 25 * SMALL, 600, every=2).points[100:]) / 10
    later = descend(two_valleys, after().points[-1, the_three()], LAST, 300).points[-1]
    off = np.linalg.norm(later, axis=-1).max()
    number = f"Lyapunov exponent {exponent:+.1f}, up to |x1| = {swings.max():.2f} in the end; one "
    number += f"more decay, to {LAST:g}, and they are {at_most(off, AT_REST)} from the origin"
    return number, verdict(exponent < 0 and swings[-1].max() < AT_REST)


@claim("5-first", HOLDS, "its two-cycle to {from_the_cycle:.0%}, before x1 = -15",
       place="5 and fig. 5.1", number="(-20, 3), 2.5")  # fmt: skip
def attracted_first(from_the_cycle=0.05):
    """From (-20, 3) at η = 2.5, descent is first attracted by the large valley."""
    x1, x2 = before().points[: DECAYS[-1] + 1].T
    h = BOWL.value(x1)
    off = abs(abs(x2) * h / two_cycle(f1, LARGE * h**2) - 1)
    first = np.argmax(off < from_the_cycle)
    number = f"|x2| is on it from step {first} on, at x1 = {x1[first]:.1f}"
    return number, verdict(off[first:].max() < from_the_cycle and x1[first] < -15)


@claim("5-along", HOLDS, "0.1 % of the least curvature, 1; the steps to x1 = -4 decrease with η")
def to_the_flattest():
    """Descent then moves along the large valley to its flattest part, faster at a larger rate."""
    rates = np.array([[LARGE], [3.0], [4.0]])
    curvature = BOWL.value(descend(ONE_VALLEY, START, LARGE, 2000).points[-1, 0]) ** 2
    steps = first_step(descend(two_valleys, START, rates, 500).points[..., 0] > -4)
    number = f"curvature {curvature:.3f} after 2000 steps; x1 passes -4 at steps {listed(steps)} "
    number += f"with η = {listed(rates.ravel())}"
    return number, verdict(curvature < 1.001 and np.all(np.diff(steps) < 0))


@claim("5-466", HOLDS, "the step itself, and no return", place="fig. 5.1", number="466, -4")
def passes_minus_4():
    """X1 first exceeds -4 at step 466."""
    x = before().points[: DECAYS[-1] + 1, 0]
    first = np.argmax(x > -4)
    return f"at step {first}", verdict(first == 466 and np.all(x[first:] > -4))


@claim("5-loss", RESERVED, "by {hardly_falls:.0%} at most; with a reservation if only from step "
       "466 to 750")  # fmt: skip
def loss_hardly_falls(hardly_falls=0.15):
    """While it moves along the large valley, the loss hardly decreases."""
    steps = [1, 10, 100, 466, 750]
    values, (x, far) = before().values[steps], before().points[[466, 750], 0]
    way, last = 1 - far / x, 1 - values[-1] / values[-2]
    number = f"{listed(values, '{:.3g}')} at steps {listed(steps)}: "
    number += f"the last {last:.0%} over {way:.0%} of the way left"
    whole = 1 - values[-1] / values[0]
    return number, verdict(whole < hardly_falls, way > 0.5 and last < hardly_falls)


@claim("5-times", HOLDS, "losses within {similar_losses:.0%} of one another; the longest time "
       "{times_as_long} times the shortest or more", place="5 and fig. 5.1",
       number="650, 700, 750")  # fmt: skip
def different_times(similar_losses=0.1, times_as_long=3):
    """From decays at similar losses it takes drastically different times to the small valley."""
    values, waits = before().values[list(DECAYS)], arrivals()[the_three()] - DECAYS
    number = f"losses {listed(values, '{:.3f}')}; {listed(waits)} steps until |x1| < {ARRIVED}"
    similar = values.max() < (1 + similar_losses) * values.min()
    return number, verdict(similar and waits.max() > times_as_long * waits.min())


@claim("5-earlier", HOLDS, "every earlier decay arrives later; at the best |x1| is below "
       "{vicinity}, twice the distance at which the small valley has half its depth")  # fmt: skip
def earlier_costs_more(vicinity=2 * ARRIVED):
    """One decays best in the vicinity of the small valley; earlier, descent takes longer."""
    steps, x = arrivals(), abs(before().points[CANDIDATES, 0])
    best = steps.argmin()
    number = f"arrival at step {listed(steps[the_three()])}; best {steps[best]:g}, first by a "
    number += f"decay at {CANDIDATES[best]}, with |x1| = {x[best]:.2f}"
    costs = best > 0 and np.all(steps[1 : best + 1] < steps[:best])
    return number, verdict(costs and np.all(x[steps == steps.min()] < vicinity))


@claim("5-stuck", HOLDS, "with the paper's cut-off min{{z, c}}, and for good: a slope below 1e-100")
def suboptimal_minimum():
    """Decayed much too early, descent can end for good in the large valley."""
    x, y = START
    bound = abs(x) * (1 - 0.002 * y**2 / (2 - SMALL * BOWL.value(x) ** 2))
    hard, smooth = (descend(loss, START, SMALL, 400).points[-1] for loss in (HARD, two_valleys))
    slopes = abs(HARD.grad(hard)[0]), abs(two_valleys.grad(smooth)[0])
    number = f"at x1 = {hard[0]:.2f} the slope is {at_most(slopes[0], FLAT)}, and "
    number += f"{at_most(slopes[1], FLAT)} with ¼ z/(1 + z)"
    return number, verdict(slopes[0] < FLAT and abs(hard[0]) >= bound)
