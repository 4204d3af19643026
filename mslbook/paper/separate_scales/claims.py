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
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, listed, verdict
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import two_cycle

START, LARGE, SMALL, DECAYS = (-20.0, 3.0), 2.5, 0.25, (650, 700, 750)
LAST = 0.05  # the rate of one more decay, on arrival in the small valley
BOWL = Quadratic(curvature=0.002, minimum=1.0)  # h(x) = 1 + 0.001 x²
ONE_VALLEY = Valley(f1, Ridge(BOWL, (1,)))
HARD = crossed_valleys(f1, h=BOWL, k=10, cutoff=Clip(0.25))
PROFILE = Composed(Saturation(), f1)  # F(x, 0) = PROFILE(10 x) / 4, descended at the rate 25 η
ARRIVED = 0.17  # |x1| where it has half its depth; at η = 0.25, x2 = 0 none leaves 0.1615 again
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


def arrival_steps():
    """After how many steps at the small rate each candidate arrives; infinity for not yet."""
    inside = abs(after().points[..., 0]) < ARRIVED
    return np.where(inside.any(axis=0), inside.argmax(axis=0), np.inf)


def at(array):
    """Its entries for the paper's three decay steps."""
    return [array[..., step - CANDIDATES[0]] for step in DECAYS]


@claim("5-flattest", HOLDS, "none: it must be the smallest of 4001 curvatures")
def flattest():
    """(0, 0) is the flattest minimum of the large valley."""
    x = np.linspace(-20, 20, 4001)
    across = ONE_VALLEY.hvp(np.stack([x, 0 * x], axis=-1), [0.0, 1.0])[:, 1]
    flattest = x[across.argmin()]
    number = f"curvature {across.min():g} at the origin, {across.max():g} at x1 = ±20"
    return number, verdict(abs(flattest) < 1e-9 and np.sum(across == across.min()) == 1)


@claim(
    "5-kink",
    RESERVED,
    "a slope that jumps by less than 1e-6 would do: descent needs a gradient everywhere",
)
def kink():
    """The simplest cut-off is min{z, c}."""
    edge = brentq(lambda u: f1.value(u) - 0.25, 0, 2) / 10
    sides = [[edge - 1e-9, 0.0], [edge + 1e-9, 0.0]]
    hard, smooth = (abs(np.diff(loss.grad(sides)[:, 0]))[0] for loss in (HARD, two_valleys))
    number = (
        f"at |x1| = {edge:.4f} the slope jumps by {hard:.2f} (for ¼ z/(1 + z): by {smooth:.0f})"
    )
    return number, verdict(hard < 1e-6, RESERVED)


@claim("5-local", RESERVED, "one step: with ¼ z/(1 + z) the small valley pulls from afar")
def local():
    """The cut-off makes the small valley's effect local."""
    paths = before(), descend(HARD, START, LARGE, 550)
    steps = [np.argmax(path.points[:, 0] > -4) for path in paths]
    number = f"x1 passes -4 at step {steps[0]}; without the small valley's far slope, at {steps[1]}"
    return number, verdict(abs(steps[0] - steps[1]) <= 1, RESERVED)


@claim("5-sharp", HOLDS, "it must be below a tenth of the large rate 2.5")
def needs_a_small_rate():
    """The small valley is sharp, so descent needs a small learning rate to converge in it."""
    stable = 2 / sharpness(two_valleys, np.zeros(2), tol=1e-8).values[0]
    number = f"largest stable rate at the origin {stable:g}"
    return number, verdict(stable < LARGE / 10)


@claim(
    "5-rest",
    RESERVED,
    "the sign of the exponent: they arrive, but do not come to rest before one more decay",
    number="0.25",
)
def comes_to_rest():
    """With the small rate the three trajectories converge in the small valley."""
    starts = np.random.default_rng(0).uniform(-1, 1, 200)
    exponent = lyapunov(PROFILE, starts, 25 * SMALL, steps=600, discard=200).mean()
    swings = abs(descend(PROFILE, starts, 25 * SMALL, 600, every=2).points[100:]) / 10
    waits = np.array(at(arrival_steps()))
    number = f"Lyapunov exponent {exponent:+.1f}, up to |x1| = {swings.max():.2f} in the end"
    if np.isinf(waits).any() or swings.max() > ARRIVED:
        return f"{number}; not all arrive and stay", FAILS
    columns = np.subtract(DECAYS, CANDIDATES[0])
    arrived = after().points[waits.astype(int), columns]
    near = np.linalg.norm(descend(two_valleys, arrived, LAST, 300).points, axis=-1) < 1e-6
    if not near[-1].all():
        return f"{number}; one more decay, to {LAST:g}, brings no rest", FAILS
    number += f"; one more decay, to {LAST:g}, brings all three to rest: within 1e-6 of the origin "
    number += f"after {listed(near.argmax(axis=0))} steps"
    return number, verdict(exponent < 0 and swings[-1].max() < 1e-7, RESERVED)


@claim(
    "5-first",
    HOLDS,
    "5 % of the two-cycle; x1 below -15 when it is reached",
    place="5 and fig. 5.1",
    number="(-20, 3), 2.5",
)
def attracted_first():
    """From (-20, 3) at η = 2.5, descent is first attracted by the large valley."""
    path = before()
    h = BOWL.value(path.points[:, 0])
    cycle = two_cycle(f1, LARGE * h**2) / h
    off = abs(abs(path.points[:, 1]) / cycle - 1)
    first = np.argmax(off < 0.05)
    number = f"|x2| within 5 % of its two-cycle from step {first} on, at x1 = "
    number += f"{path.points[first, 0]:.1f}"
    return number, verdict(off[first : DECAYS[-1] + 1].max() < 0.05 and path.points[first, 0] < -15)


@claim(
    "5-along",
    HOLDS,
    "0.1 % of the least curvature, 1; the rate must be at least 2, or it stops where h² = 2/η",
)
def to_the_flattest():
    """Descent then moves along the large valley to its flattest part."""
    rates = np.array([[1.5], [LARGE]])
    x = descend(ONE_VALLEY, START, rates, 2000, every=2000).points[-1, :, 0]
    curvature = BOWL.value(x) ** 2
    number = f"large valley alone, 2000 steps: x1 = {x[1]:.2f}, curvature {curvature[1]:.3f}; at "
    number += f"η = 1.5 only {x[0]:.1f}, {curvature[0]:.3f}"
    return number, verdict(curvature[1] < 1.001 < 4 / 3 < curvature[0])


@claim("5-faster", HOLDS, "none: the steps must decrease")
def faster():
    """Descent moves along it faster with a larger learning rate."""
    rates = np.array([2.5, 3.0, 4.0])
    x = descend(two_valleys, START, rates[:, None], 500).points[..., 0]
    steps = np.where((x > -4).any(axis=0), (x > -4).argmax(axis=0), 10**9)
    number = f"x1 passes -4 at steps {listed(steps)} with η = {listed(rates)}"
    return number, verdict(np.all(np.diff(steps) < 0))


@claim(
    "5-loss",
    RESERVED,
    "15 %; true of the last part; before it the loss falls tenfold, as the valley gets flatter",
)
def loss_hardly_falls():
    """While it moves along the large valley, the loss hardly decreases."""
    path, steps = before(), [1, 10, 100, 466, 750]
    values, (x, far) = path.values[steps], path.points[[466, 750], 0]
    way, last = 1 - far / x, 1 - values[-1] / values[-2]
    number = f"{listed(values, '{:.3g}')} at steps {listed(steps)}; up to 466 "
    number += (
        f"by a factor {values[0] / values[-2]:.1f}, then {last:.0%} over {way:.0%} of the way left"
    )
    if way < 0.5 or last > 0.15:
        return number, FAILS
    return number, verdict(values[-1] > 0.85 * values[0], RESERVED)


@claim("5-466", HOLDS, "none", place="fig. 5.1", number="466, -4")
def passes_minus_4():
    """X1 first exceeds -4 at step 466."""
    x = before().points[: DECAYS[-1] + 1, 0]
    first = np.argmax(x > -4)
    return f"{first}, and it stays", verdict(first == 466 and np.all(x[first:] > -4))


@claim(
    "5-similar",
    HOLDS,
    "10 %, the paper names no number",
    place="5 and fig. 5.1",
    number="650, 700, 750",
)
def similar_losses():
    """At the decays at steps 650, 700 and 750 the losses are similar."""
    values = before().values[list(DECAYS)]
    return listed(values, "{:.3f}"), verdict(values.max() < 1.1 * values.min())


@claim(
    "5-times",
    HOLDS,
    "1.5 times the next: decays 7 % apart in step must differ far more in their wait",
)
def different_times():
    """Yet the three need very unequal times from there to the small valley."""
    waits = np.array(at(arrival_steps()))
    number = f"{listed(waits)} steps until |x1| < {ARRIVED}"
    return number, verdict(np.all(waits[:-1] > 1.5 * waits[1:]))


@claim(
    "5-earlier",
    HOLDS,
    "none: the arrival must fall with every decay step from 650 to the first of the best",
)
def earlier_costs_more():
    """Decayed earlier, descent takes longer."""
    total = CANDIDATES + arrival_steps()
    best = CANDIDATES[total.argmin()]
    until = total[: total.argmin() + 1]
    number = f"arrival at step {listed(at(total))}; best {total.min():g}, first by a decay at "
    number += f"{best}"
    return number, verdict(len(until) > 1 and np.all(np.diff(until) < 0))


@claim("5-ideal", HOLDS, "twice the 0.17 at which the small valley has half its depth")
def in_the_vicinity():
    """One decays best when the iterate has got close to the small valley."""
    total = CANDIDATES + arrival_steps()
    best = CANDIDATES[total == total.min()]
    x = before().points[best, 0]
    number = f"best are the decays at steps {listed(best)}, with x1 = {listed(x, '{:.2f}')}"
    return number, verdict(np.all(abs(x) < 2 * ARRIVED))


@claim(
    "5-stuck",
    RESERVED,
    "a slope below 1e-100 is none; that only min{z, ¼} has such minima is proved on the page",
)
def suboptimal_minimum():
    """Decayed much too early, descent can end for good in the large valley."""
    x, y = START
    h = BOWL.value(x)
    bound = abs(x) * (1 - 0.002 * y**2 / (2 - SMALL * h**2))
    hard, smooth = (descend(loss, START, SMALL, 400).points[-1] for loss in (HARD, two_valleys))
    slopes = [loss.grad(point)[0] for loss, point in ((HARD, hard), (two_valleys, smooth))]
    rests = [abs(slope) < FLAT for slope in slopes]
    words = ["at rest" if abs(slope) < FLAT else f"sliding ({slope:.0e})" for slope in slopes]
    number = f"at x1 = {hard[0]:.2f}, with min{{z, ¼}} {words[0]}, with ¼ z/(1 + z) {words[1]}"
    if not (rests[0] and abs(hard[0]) >= bound):
        return number, FAILS
    return number, verdict(rests[1], RESERVED)
