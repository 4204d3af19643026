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
    Sum,
    Valley,
    crossed_valleys,
    f1,
    two_valleys,
)
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, Claim, verdict
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
BOWL_2D = Sum((Ridge(Quadratic(25.0), (1, 0)), Ridge(Quadratic(1.0), (0, 1))))  # F near the origin
CANDIDATES = np.arange(650, 770)  # decay steps, up to the first visit of the small valley


@cache
def _before():
    """The figure's path before any decay."""
    return descend(two_valleys, START, LARGE, CANDIDATES[-1])


@cache
def _after():
    """The paths at the small learning rate from each of the candidates."""
    return descend(two_valleys, _before().points[CANDIDATES], SMALL, 1500)


def _waits():
    """After how many steps at the small rate each candidate arrives; infinity for not yet."""
    inside = abs(_after().points[..., 0]) < ARRIVED
    return np.where(inside.any(axis=0), inside.argmax(axis=0), np.inf)


def _at(array):
    """Its entries for the paper's three decay steps."""
    return [array[..., step - CANDIDATES[0]] for step in DECAYS]


def _listed(numbers, form="{:g}"):
    return ", ".join(form.format(number) for number in numbers)


def _constants():
    x = np.random.default_rng(0).uniform(-20, 20, (1000, 2))

    def h(x1, x2):
        return f1.value((1 + 0.001 * x1**2) * x2)

    small = h(x[:, 1], 10 * x[:, 0])
    by_hand = h(x[:, 0], x[:, 1]) + 0.25 * small / (1 + small)
    error = abs(two_valleys.value(x) / by_hand - 1).max()
    same = error < 1e-13
    return f"`two_valleys` is {'' if same else 'not '}the formula with these", verdict(same)


def _flattest():
    x = np.linspace(-20, 20, 4001)
    across = ONE_VALLEY.hvp(np.stack([x, 0 * x], axis=-1), [0.0, 1.0])[:, 1]
    flattest = x[across.argmin()]
    number = f"curvature {across.min():g} at the origin, {across.max():g} at x1 = ±20"
    return number, verdict(abs(flattest) < 1e-9 and np.sum(across == across.min()) == 1)


def _global_minimum():
    scales = 10.0 ** -np.arange(6)[:, None, None]
    x = scales * np.random.default_rng(0).uniform(-20, 20, (20_000, 2))
    origin = max(loss.value([0.0, 0.0]) for loss in (two_valleys, HARD))
    lowest = min(loss.value(x).min() for loss in (two_valleys, HARD))
    number = f"F = {origin:g} there, with both cut-offs, and more at 120,000 random points"
    return number, verdict(origin == 0 < lowest)


def _confined():
    z = np.concatenate([[0], np.geomspace(1e-6, 1e9, 1000)])
    hard, smooth = Clip(0.25).value(z), Saturation(0.25).value(z)
    rising = all(v[0] == 0 and np.all(np.diff(v) > -1e-12) for v in (hard, smooth))
    number = (
        f"min{{z, ¼}} rises to {hard.max():g}, ¼ z/(1 + z) is {0.25 - smooth.max():.1e} below it "
    )
    number += "at z = 10⁹"
    return number, verdict(rising and abs(hard.max() - 0.25) < 1e-12 < 0.25 - smooth.max())


def _kink():
    edge = brentq(lambda u: f1.value(u) - 0.25, 0, 2) / 10
    sides = [[edge - 1e-9, 0.0], [edge + 1e-9, 0.0]]
    hard, smooth = (abs(np.diff(loss.grad(sides)[:, 0]))[0] for loss in (HARD, two_valleys))
    number = (
        f"at |x1| = {edge:.4f} the slope jumps by {hard:.2f} (for ¼ z/(1 + z): by {smooth:.0f})"
    )
    return number, verdict(hard < 1e-6, RESERVED)


def _local():
    paths = _before(), descend(HARD, START, LARGE, 550)
    steps = [np.argmax(path.points[:, 0] > -4) for path in paths]
    number = f"x1 passes -4 at step {steps[0]}; without the small valley's far slope, at {steps[1]}"
    return number, verdict(abs(steps[0] - steps[1]) <= 1, RESERVED)


def _needs_a_small_rate():
    stable = 2 / sharpness(two_valleys, np.zeros(2), tol=1e-8).values[0]
    number = f"largest stable rate at the origin {stable:g}"
    return number, verdict(stable < LARGE / 10)


def _comes_to_rest():
    starts = np.random.default_rng(0).uniform(-1, 1, 200)
    exponent = lyapunov(PROFILE, starts, 25 * SMALL, steps=600, discard=200).mean()
    swings = abs(descend(PROFILE, starts, 25 * SMALL, 600, every=2).points[100:]) / 10
    waits = np.array(_at(_waits()))
    number = f"Lyapunov exponent {exponent:+.1f}, up to |x1| = {swings.max():.2f} in the end"
    if np.isinf(waits).any() or swings.max() > ARRIVED:
        return f"{number}; not all arrive and stay", FAILS
    columns = np.subtract(DECAYS, CANDIDATES[0])
    arrived = _after().points[waits.astype(int), columns]
    near = np.linalg.norm(descend(two_valleys, arrived, LAST, 300).points, axis=-1) < 1e-6
    if not near[-1].all():
        return f"{number}; one more decay, to {LAST:g}, brings no rest", FAILS
    number += f"; one more decay, to {LAST:g}, brings all three to rest: within 1e-6 of the origin "
    number += f"after {_listed(near.argmax(axis=0))} steps"
    return number, verdict(exponent < 0 and swings[-1].max() < 1e-7, RESERVED)


def _attracted_first():
    path = _before()
    h = BOWL.value(path.points[:, 0])
    cycle = two_cycle(f1, LARGE * h**2) / h
    off = abs(abs(path.points[:, 1]) / cycle - 1)
    first = np.argmax(off < 0.05)
    number = f"|x2| within 5 % of its two-cycle from step {first} on, at x1 = "
    number += f"{path.points[first, 0]:.1f}"
    return number, verdict(off[first : DECAYS[-1] + 1].max() < 0.05 and path.points[first, 0] < -15)


def _to_the_flattest():
    rates = np.array([[1.5], [LARGE]])
    x = descend(ONE_VALLEY, START, rates, 2000, every=2000).points[-1, :, 0]
    curvature = BOWL.value(x) ** 2
    number = f"large valley alone, 2000 steps: x1 = {x[1]:.2f}, curvature {curvature[1]:.3f}; at "
    number += f"η = 1.5 only {x[0]:.1f}, {curvature[0]:.3f}"
    return number, verdict(curvature[1] < 1.001 < 4 / 3 < curvature[0])


def _faster():
    rates = np.array([2.5, 3.0, 4.0])
    x = descend(two_valleys, START, rates[:, None], 500).points[..., 0]
    steps = np.where((x > -4).any(axis=0), (x > -4).argmax(axis=0), 10**9)
    number = f"x1 passes -4 at steps {_listed(steps)} with η = {_listed(rates)}"
    return number, verdict(np.all(np.diff(steps) < 0))


def _loss_hardly_falls():
    path, steps = _before(), [1, 10, 100, 466, 750]
    values, (x, far) = path.values[steps], path.points[[466, 750], 0]
    way, last = 1 - far / x, 1 - values[-1] / values[-2]
    number = f"{_listed(values, '{:.3g}')} at steps {_listed(steps)}; up to 466 "
    number += (
        f"by a factor {values[0] / values[-2]:.1f}, then {last:.0%} over {way:.0%} of the way left"
    )
    if way < 0.5 or last > 0.15:
        return number, FAILS
    return number, verdict(values[-1] > 0.85 * values[0], RESERVED)


def _passes_minus_4():
    x = _before().points[: DECAYS[-1] + 1, 0]
    first = np.argmax(x > -4)
    return f"{first}, and it stays", verdict(first == 466 and np.all(x[first:] > -4))


def _similar_losses():
    values = _before().values[list(DECAYS)]
    return _listed(values, "{:.3f}"), verdict(values.max() < 1.1 * values.min())


def _different_times():
    waits = np.array(_at(_waits()))
    number = f"{_listed(waits)} steps until |x1| < {ARRIVED}"
    return number, verdict(np.all(waits[:-1] > 1.5 * waits[1:]))


def _five_hundred_steps():
    later = _after().points[500]
    x = _at(later[:, 0])
    loss = _at(_after().values[500])
    number = f"x1 = {x[0]:.2f}, {x[1]:.2f}, inside ±{ARRIVED}; loss {loss[0]:.3f}, {loss[1]:.3f}, "
    number += "below 0.12"
    far = x[0] < -1 and x[1] < -1
    return number, verdict(far and abs(x[2]) < ARRIVED and loss[2] < 0.12 < min(loss[:2]))


def _earlier_costs_more():
    total = CANDIDATES + _waits()
    best = CANDIDATES[total.argmin()]
    until = total[: total.argmin() + 1]
    number = f"arrival at step {_listed(_at(total))}; best {total.min():g}, first by a decay at "
    number += f"{best}"
    return number, verdict(len(until) > 1 and np.all(np.diff(until) < 0))


def _in_the_vicinity():
    total = CANDIDATES + _waits()
    best = CANDIDATES[total == total.min()]
    x = _before().points[best, 0]
    number = f"best are the decays at steps {_listed(best)}, with x1 = {_listed(x, '{:.2f}')}"
    return number, verdict(np.all(abs(x) < 2 * ARRIVED))


def _suboptimal_minimum():
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


def _same_on_a_quadratic():
    starts = descend(BOWL_2D, START, 0.06, 50).points[[0, 20, 50]]
    ends = descend(BOWL_2D, starts, 0.006, 5000, every=5000).points[-1]
    apart = np.ptp(ends, axis=0).max()
    distances = _listed(np.linalg.norm(starts, axis=1), "{:.2g}")
    number = f"decays at distances {distances} end within {apart:.0e} of each other"
    return number, verdict(apart < 1e-12)


def _slower_on_a_quadratic():
    rates = np.array([0.06, 0.0798])  # stable below 0.08
    both = np.stack([rates, rates / 10])[..., None]
    path = np.linalg.norm(descend(BOWL_2D, START, both, 3500).points, axis=-1)
    kept, decayed = np.where((path < 1e-6).any(axis=0), (path < 1e-6).argmax(axis=0), np.inf)
    number = "; ".join(
        f"at η = {lr:g} {a:g} steps, with a decay at step 0 {b:g}"
        for lr, a, b in zip(rates, kept, decayed, strict=True)
    )
    if not kept[0] < decayed[0]:
        return number, FAILS
    return number, verdict(kept[1] < decayed[1], RESERVED)


CLAIMS = (
    Claim(
        "5-constants",
        "journal eq. 5.1 and fig. 5.1, preprint eq. 9 and fig. 6",
        "the loss of the figure: f1, h(x) = 1 + 0.001 x², k = 10, a cut-off ¼ z/(1 + z)",
        "0.001, 10, 0.25",
        _constants,
        "1e-13, rounding, at 1000 random points; it tests our own code only",
        HOLDS,
    ),
    Claim(
        "5-flattest",
        "journal section 5, preprint section 5",
        "(0, 0) is the flattest minimum of the large valley",
        "—",
        _flattest,
        "none: it must be the smallest of 4001 curvatures",
        HOLDS,
    ),
    Claim(
        "5-global",
        "journal section 5, preprint section 5",
        "both valleys meet at their lowest point, the origin",
        "—",
        _global_minimum,
        "none; proved on the page",
        HOLDS,
    ),
    Claim(
        "5-confined",
        "journal eq. 5.1, preprint eq. 9",
        "the cut-off does not decrease and keeps the small valley within [0, c]",
        "0.25 in the figure",
        _confined,
        "10⁻¹², rounding; it tests our own two cut-offs only",
        HOLDS,
    ),
    Claim(
        "5-kink",
        "journal section 5, preprint section 5",
        "the simplest cut-off is min{z, c}",
        "—",
        _kink,
        "a slope that jumps by less than 1e-6 would do: descent needs a gradient everywhere",
        RESERVED,
    ),
    Claim(
        "5-local",
        "journal section 5, preprint section 5",
        "the cut-off makes the small valley's effect local",
        "—",
        _local,
        "one step: with ¼ z/(1 + z) the small valley pulls from afar",
        RESERVED,
    ),
    Claim(
        "5-sharp",
        "journal section 5, preprint section 5",
        "the small valley is sharp, so descent needs a small learning rate to converge in it",
        "—",
        _needs_a_small_rate,
        "it must be below a tenth of the large rate 2.5",
        HOLDS,
    ),
    Claim(
        "5-rest",
        "journal section 5, preprint section 5",
        "with the small rate the three trajectories converge in the small valley",
        "0.25",
        _comes_to_rest,
        "the sign of the exponent: they arrive, but do not come to rest before one more decay",
        RESERVED,
    ),
    Claim(
        "5-first",
        "journal section 5 and fig. 5.1, preprint section 5 and fig. 6",
        "from (-20, 3) at η = 2.5, descent is first attracted by the large valley",
        "(-20, 3), 2.5",
        _attracted_first,
        "5 % of the two-cycle; x1 below -15 when it is reached",
        HOLDS,
    ),
    Claim(
        "5-along",
        "journal section 5, preprint section 5",
        "descent then moves along the large valley to its flattest part",
        "—",
        _to_the_flattest,
        "0.1 % of the least curvature, 1; the rate must be at least 2, or it stops where h² = 2/η",
        HOLDS,
    ),
    Claim(
        "5-faster",
        "journal section 5, preprint section 5",
        "descent moves along it faster with a larger learning rate",
        "—",
        _faster,
        "none: the steps must decrease",
        HOLDS,
    ),
    Claim(
        "5-loss",
        "journal section 5, preprint section 5",
        "while it moves along the large valley, the loss hardly decreases",
        "—",
        _loss_hardly_falls,
        "15 %; true of the last part; before it the loss falls tenfold, as the valley gets flatter",
        RESERVED,
    ),
    Claim(
        "5-466",
        "journal fig. 5.1, preprint fig. 6",
        "x1 first exceeds -4 at step 466",
        "466, -4",
        _passes_minus_4,
        "none",
        HOLDS,
    ),
    Claim(
        "5-similar",
        "journal section 5 and fig. 5.1, preprint section 5 and fig. 6",
        "at the decays at steps 650, 700 and 750 the losses are similar",
        "650, 700, 750",
        _similar_losses,
        "10 %, the paper names no number",
        HOLDS,
    ),
    Claim(
        "5-times",
        "journal section 5, preprint section 5",
        "yet the three need very unequal times from there to the small valley",
        "—",
        _different_times,
        "1.5 times the next: decays 7 % apart in step must differ far more in their wait",
        HOLDS,
    ),
    Claim(
        "5-500",
        "journal fig. 5.1, preprint fig. 6",
        "the figure shows each of the three for 500 steps after its decay",
        "500",
        _five_hundred_steps,
        "none: one of three has arrived by then",
        HOLDS,
    ),
    Claim(
        "5-earlier",
        "journal section 5, preprint section 5",
        "decayed earlier, descent takes longer",
        "—",
        _earlier_costs_more,
        "none: the arrival must fall with every decay step from 650 to the first of the best",
        HOLDS,
    ),
    Claim(
        "5-ideal",
        "journal section 5, preprint section 5",
        "one decays best when the iterate has got close to the small valley",
        "—",
        _in_the_vicinity,
        "twice the 0.17 at which the small valley has half its depth",
        HOLDS,
    ),
    Claim(
        "5-stuck",
        "journal section 5, preprint section 5",
        "decayed much too early, descent can end for good in the large valley",
        "—",
        _suboptimal_minimum,
        "a slope below 1e-100 is none; that only min{z, ¼} has such minima is proved on the page",
        RESERVED,
    ),
    Claim(
        "5-quadratic",
        "journal section 2.2, preprint section 2.2",
        "on a quadratic loss all decays end at the same solution",
        "—",
        _same_on_a_quadratic,
        "1e-12: 5000 steps at η = 0.006 leave 0.994⁵⁰⁰⁰ = 9e-14 of the distance",
        HOLDS,
    ),
    Claim(
        "5-slower",
        "journal section 2.2, preprint section 2.2",
        "on a quadratic loss a decay makes convergence slower",
        "—",
        _slower_on_a_quadratic,
        "steps until 1e-6 from the minimum; next to the stable limit, 0.08, a decay is a help",
        RESERVED,
    ),
)
