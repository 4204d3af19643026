"""Section 4.4, what happens after the edge of stability: measured here and now."""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from mslbook.descent import descend
from mslbook.losses import Quadratic, Reciprocal, Ridge, Valley, f1, valley
from mslbook.paper.after_the_edge.noise import label_noise, rescaled, valley_sde
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, listed, verdict
from mslbook.stochastic import euler_maruyama, sgd
from mslbook.theory import quasistatic, two_cycle

LR = 3.0  # of journal fig. 4.2, as is the start (1, 1)
END = 100 * (np.sqrt(1.5) - 1)  # where 3 h(x)² = 2
RATES = np.array([2.1, 2.5, 3.0, 4.0, 6.0])
OPENINGS = (0.1, 0.03, 0.01)
FLOOR = Valley(f1, Ridge(Quadratic(curvature=0.002, minimum=0.7), (1,)))  # has a flattest place


@cache
def relative_distances(opening, steps=500):
    """The largest distance from descent to the slow motion by the way travelled, at RATES.

    Both in log h, in the valley h = 1 / (1 + opening x), from the two-cycle at h = 0.99.
    """
    opened = Valley(f1, Ridge(Reciprocal(), (opening,)))
    x = np.full((RATES.size, 1), 0.01 / opening)
    y = two_cycle(f1, RATES * opened.h.value(x) ** 2) / opened.h.value(x)
    gd = descend(opened, np.c_[x, y], RATES[:, None], steps).points[..., :1]
    slow = quasistatic(opened, x, RATES[:, None], steps).points
    log_h, log_h_slow = np.log(opened.h.value(gd)), np.log(opened.h.value(slow))
    return abs(log_h - log_h_slow).max(axis=0) / (log_h_slow[0] - log_h_slow[-1])


def rescaled_edge(spread):
    """The c = η h² f''(0) at which the mean of ``log|1 - c a|`` is 0, a uniform from 1 ± spread."""
    a = 1 + spread * (2 * np.arange(10_000) + 1 - 10_000) / 10_000
    return brentq(lambda c: np.log(abs(1 - c * a)).mean(), 2.0, 2.4)


def turning_H(x):
    """The matrix [[1 + x², x/2], [x/2, 1]], of trace 2 + x², for each x of shape (..., 1)."""
    one = np.ones_like(x)
    return np.stack([one + x * x, x / 2, x / 2, one], -1).reshape(*x.shape[:-1], 2, 2)


def turning_H_grad(x):
    """Its derivative (..., 1, 2, 2)."""
    half = np.full_like(x, 0.5)
    return np.stack([2 * x, half, half, 0 * x], -1).reshape(*x.shape[:-1], 1, 2, 2)


@cache
def figure_4_2():
    """Descent and the slow motion of the figure, over the steps that most of the way takes."""
    return descend(valley, (1.0, 1.0), LR, 3000), quasistatic(valley, 1.0, LR, 3000)


def steepness(points):
    """The steepness h at points (x, y) of the paper's valley."""
    return valley.h.value(points[..., :1])


@claim(
    "4.4-across", HOLDS, "none: slope / |y| must fall from 0.01 to 10⁴ at every one of 200 places"
)
def across_the_floor():
    """Across the floor the loss grows subquadratically, wherever one is along it."""
    y = np.geomspace(1e-2, 1e4, 200)
    slopes = []
    for x1 in (0.0, 20.0, 100.0):
        points = np.stack([np.full_like(y, x1), y], axis=-1)
        slopes.append(valley.grad(points)[:, 1] / y)
    number = "slope / |y| across falls by a factor of " + ", ".join(
        f"{s[0] / s[-1]:.0f}" for s in slopes
    )
    return number + " at x1 = 0, 20, 100", verdict(np.all(np.diff(slopes) < 0))


@claim("4.4-log-h", HOLDS, "none: h must fall at every step", place="eq. 4.8")
def downhill():
    """Oscillating descent reduces h(x): it searches for flatter minima."""
    h = steepness(figure_4_2()[0].points)
    falls = np.sum(np.diff(h) < 0)
    number = f"h falls at {falls:,} of {len(h) - 1:,} steps, from {h[0]:.3f} to {h[-1]:.3f}"
    return number, verdict(falls == len(h) - 1)


@claim("4.4-close", HOLDS, "1 % of the way", place="fig. 4.2")
def close():
    """The slow motion (4.8) approximates descent very well."""
    path, motion = figure_4_2()
    x, predicted = path.points[:, 0], motion.points[:, 0]
    apart, way = abs(x - predicted).max(), predicted[-1] - predicted[0]
    number = f"x1 at most {apart:.3f} apart on a way of {way:.0f}"
    return number, verdict(apart < 0.01 * way)


@claim(
    "4.4-cycle",
    HOLDS,
    "1 % from the tenth step on; it lags behind a cycle that shrinks",
    place="eq. 4.7",
)
def on_the_cycle():
    """Y bounces on the two-cycle that belongs to the present x."""
    points = figure_4_2()[0].points
    h = steepness(points)
    off = abs(abs(points[:, 1]) * h / two_cycle(f1, LR * h * h) - 1)
    number = f"|x2| is off by {off[0]:.0%} at the start, by {off[10]:.2%} after 10 steps, "
    number += f"by {off[-1]:.2%} after {len(off) - 1}"
    return number, verdict(off[10:].max() < 0.01)


def mean_speeds(distances, steps=100):
    """The mean speed of descent along the valley, from the two-cycle at distances to the end."""
    h = 1 / (1 + 0.01 * (END - distances))
    start = np.stack((END - distances, two_cycle(f1, LR * h * h) / h), axis=-1)
    ends = descend(valley, start, LR, steps, every=steps).points[:, :, 0]
    return (ends[1] - ends[0]) / steps


@claim(
    "4.4-slower",
    RESERVED,
    "a power of 1 or more never arrives; the distance falls like 1/t here",
    place="fig. 4.2",
)
def slower():
    """The motion gets ever slower, and finally stops."""
    distances = np.array([10.0, 1.0, 0.1, 0.01])
    speeds = mean_speeds(distances)
    power = np.log10(speeds[-2] / speeds[-1])
    number = "speeds " + listed(speeds, "{:.1e}") + " at 10, 1, 0.1, 0.01 from the "
    number += f"end: power {power:.2f} of the distance, which is then "
    number += f"{round(1e-4 / speeds[-1], -2):,.0f}/t"
    if not np.all(np.diff(speeds) < 0):
        return number, FAILS
    return number, verdict(power < 1, RESERVED)  # from power 1 on it takes for ever


@claim(
    "4.4-figure",
    HOLDS,
    "none: signs alternate, x1 grows at every step, |x2| falls from step 20 on",
    place="fig. 4.2",
    number="start (1, 1), η = 3",
)
def figure():
    """On f1(x2/(1 + 0.01 x1)), descent bounces and moves to flatter minima."""
    path, _ = figure_4_2()
    x, y = path.points[:, 0], abs(path.points[:, 1])
    number = f"x1 from 1 to {x[-1]:.1f}, |x2| from 1 over {y.max():.2f} down to {y[-1]:.2f}"
    signs = np.all(np.diff(np.sign(path.points[:, 1])) != 0)
    return number, verdict(signs and np.all(np.diff(x) > 0) and np.all(np.diff(y[20:]) < 0))


@claim(
    "4.4-small-rate",
    RESERVED,
    "none: it must fall with η down to 2.1, near the smallest; it falls from 6 to 2.5",
)
def small_rate():
    """The quasistatic view is right when the learning rate is relatively small."""
    by_opening = [relative_distances(opening) for opening in OPENINGS]
    number = "distance / way at η = 6, 2.5, 2.1: " + "; ".join(
        listed(distances[[-1, 1, 0]], "{:.2%}") + f" for h = 1/(1 + {opening} x)"
        for opening, distances in zip(OPENINGS, by_opening, strict=True)
    )
    rises = np.diff(by_opening) > 0  # from each rate to the next larger one
    if not np.all(rises[:, 1:]):
        return number, FAILS
    return number, verdict(np.all(rises), RESERVED)


@claim(
    "4.4-flattest",
    HOLDS,
    "descent within 1 of it, twenty noisy walks on average within a fifth of it from 0",
    place="remark 4.1",
)
def flattest():
    """Noise drives to the flattest minimum; descent stops at one that is flat enough."""
    flat_enough = np.sqrt((np.sqrt(2 / LR) - 0.7) / 0.001)
    gd = descend(FLOOR, (20.0, 1.0), LR, 3000, every=3000).points[-1, 0]
    walk = sgd(label_noise(FLOOR, 0.3), np.tile([20.0, 1.0], (20, 1)), LR, 3000, every=3000)
    noisy = abs(walk.points[-1, :, 0]).mean()
    number = f"from x = 20: descent {gd:.1f}, where {flat_enough:.1f} is flat enough; label noise "
    number += f"{noisy:.1f} from the flattest, x = 0, on average"
    return number, verdict(abs(gd - flat_enough) < 1 and noisy < 0.2 * flat_enough)


@claim(
    "4.4-interpolation",
    RESERVED,
    "0.1 along the valley: true below the edge, above it SGD oscillates as descent does",
    place="remark 4.1",
)
def interpolation():
    """On interpolating minima noise vanishes, and SGD shows no flatness-driven motion."""
    starts, lrs = np.ones((2, 20, 2)), np.array([1.5, LR])[:, None, None]
    walk = sgd(rescaled(valley, 0.5), starts, lrs, 800, every=800)
    below, above = walk.points[-1, ..., 0].mean(axis=1) - 1
    number = f"x1 moves by {below:.2f} at η = 1.5, but by {above:.0f} at η = {LR:g}, and would "
    number += f"until η h² = {rescaled_edge(0.5):.2f} (2 without noise)"
    if below > 0.1:
        return number, FAILS
    return number, verdict(above < 0.1, RESERVED)


@claim(
    "4.4-moves",
    RESERVED,
    "0.1 along the valley: η must be above 2/(h² f''(0)), too",
    place="remark 4.1",
)
def descent_moves():
    """With subquadratic growth descent moves on interpolating minima, too."""
    starts, lrs = np.ones((2, 2)), np.array([[1.5], [LR]])
    below, above = descend(valley, starts, lrs, 800, every=800).points[-1, :, 0] - 1
    number = f"x1 moves by {above:.0f} at η = {LR:g}, but by {below:.2f} at η = 1.5"
    if above < 1:
        return number, FAILS
    return number, verdict(below > 0.1, RESERVED)


@claim(
    "4.4-subquadratic",
    RESERVED,
    "a move of 1: the slow walk needs it; without, y grows and flings x far beyond the end",
    place="remark 4.1",
)
def parabola():
    """Descent moves along the valley because f grows more slowly than a parabola."""
    swings, ends = [], []
    for f in (f1, Quadratic()):
        path = descend(Valley(f, valley.h), (1.0, 1.0), LR, 800)
        swings.append(abs(path.points[:, 1]).max())
        ends.append(path.points[-1, 0])
    number = f"across f1 x1 walks from 1 to {ends[0]:.0f}, |x2| at most {swings[0]:.1f}; across "
    number += f"u²/2 it leaps to {ends[1]:.0f}, past {END:.1f}, with |x2| up to {swings[1]:.0f}"
    if not swings[0] < 1.5 < ends[0] < END:
        return number, FAILS
    return number, verdict(ends[1] < 2, RESERVED)


@claim(
    "4.4-covariance",
    HOLDS,
    "3 standard errors and the bias ‖H‖ dt of the time step",
    place="remark 4.2",
    number="(ησ²/4) I",
)
def covariance():
    """At equilibrium y has the covariance (ησ²/4) I, whatever H is."""
    H, lr, sigma, dt, walks = np.array([[2.0, 0.6], [0.6, 1.0]]), 0.1, 0.3, 0.02, 20_000
    root = sigma * np.sqrt(lr) * np.linalg.cholesky(H)
    start, steps = np.zeros((walks, 2)), round(4 / dt)
    walk = euler_maruyama(lambda y: -2 * y @ H, lambda y: root, start, dt, steps, every=steps)
    y = walk.points[-1] / np.sqrt(lr * sigma**2 / 4)
    products = np.stack((y[:, 0] ** 2, y[:, 1] ** 2, y[:, 0] * y[:, 1]))
    found, error = products.mean(axis=1), products.std(axis=1) / np.sqrt(walks)
    number = "variances {:.2f} and {:.2f}, covariance {:.2f} of ησ²/4, each ± {:.2f}".format(
        *found, error.max()
    )
    bias = np.linalg.norm(H, 2) * dt
    return number, verdict(np.all(abs(found - [1, 1, 0]) < 3 * error + bias))


@claim(
    "4.4-drift",
    HOLDS,
    "3 standard errors and the bias ‖H‖ dt of the time step",
    place="remark 4.2",
    number="-(ησ²/4) ∇Tr H",
)
def drift():
    """X drifts, on average over y, down the trace of H(x)."""
    lr, sigma, dt, steps = 0.1, 0.3, 0.01, 120
    unit = lr * sigma**2 / 4
    start = np.random.default_rng(0).normal(0, np.sqrt(unit), (3000, 7, 3))
    start[..., 0] = np.linspace(-1.5, 1.5, 7)
    sde = valley_sde(turning_H, turning_H_grad, along=1, lr=lr, sigma=sigma)
    x = euler_maruyama(*sde, start, dt, steps, every=steps).points[..., 0]
    velocity, predicted = (x[1] - x[0]) / (steps * dt * unit), -2 * x.mean(axis=(0, 1))
    slopes = velocity @ predicted / (predicted @ predicted)  # of each walk, against the remark
    slope, error = slopes.mean(), slopes.std() / np.sqrt(len(slopes))
    number = f"velocity = {slope:.2f} ± {error:.2f} times -(ησ²/4) ∇Tr H, over seven places"
    bias = np.linalg.norm(turning_H(start[0, :, :1]), 2, axis=(-2, -1)).max() * dt
    return number, verdict(abs(slope - 1) < 3 * error + bias)
