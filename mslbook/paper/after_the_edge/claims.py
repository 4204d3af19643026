"""Section 4.4, what happens after the edge of stability: measured here and now."""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from mslbook.descent import descend
from mslbook.losses import PseudoHuber, Quadratic, Reciprocal, Ridge, Valley, f1, valley
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, Claim, verdict
from mslbook.stochastic import euler_maruyama, label_noise, rescaled, sgd, valley_sde
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
def _figure_4_2():
    """Descent and the slow motion of the figure, over the steps that most of the way takes."""
    return descend(valley, (1.0, 1.0), LR, 3000), quasistatic(valley, 1.0, LR, 3000)


def _steepness(points):
    """The steepness h at points (x, y) of the paper's valley."""
    return valley.h.value(points[..., :1])


def _minima():
    places = np.random.default_rng(0).uniform((-90, 0.01), (1000, 5), (10_000, 2))
    floor = places * [1, 0]
    number = f"loss and gradient 0 at {len(floor):,} points of the floor, loss at least "
    number += f"{valley.value(places).min():.0e} off it; this h needs x1 > -100"
    flat = np.all(valley.value(floor) == 0) and np.all(valley.grad(floor) == 0)
    return number, verdict(flat and valley.value(places).min() > 0)


def _valley_formula():
    x = np.random.default_rng(1).uniform((-50, -3), (50, 3), (1000, 2))
    off = abs(valley.value(x) - f1.value(x[:, 1] / (1 + 0.01 * x[:, 0]))).max()
    number = "`valley` is f1(x2/(1 + 0.01 x1))" + ("" if off < 1e-12 else f", off by {off:.0e}")
    return number, verdict(off < 1e-12)


def _across_the_floor():
    y = np.geomspace(1e-2, 1e4, 200)
    slopes = []
    for x1 in (0.0, 20.0, 100.0):
        points = np.stack([np.full_like(y, x1), y], axis=-1)
        slopes.append(valley.grad(points)[:, 1] / y)
    number = "slope / |y| across falls by a factor of " + ", ".join(
        f"{s[0] / s[-1]:.0f}" for s in slopes
    )
    return number + " at x1 = 0, 20, 100", verdict(np.all(np.diff(slopes) < 0))


def _flatness():
    floor = np.array([[0.0, 0.0], [20.0, 0.0], [100.0, 0.0]])
    sharpness = valley.hvp(floor, [0.0, 1.0])[:, 1]
    number = "sharpness " + ", ".join(f"{s:.3f}" for s in sharpness) + " where h² is "
    number += ", ".join(f"{s:.3f}" for s in _steepness(floor) ** 2)
    return number, verdict(np.allclose(sharpness, _steepness(floor) ** 2, rtol=1e-12))


def _downhill():
    h = _steepness(_figure_4_2()[0].points)
    falls = np.sum(np.diff(h) < 0)
    number = f"h falls at {falls:,} of {len(h) - 1:,} steps, from {h[0]:.3f} to {h[-1]:.3f}"
    return number, verdict(falls == len(h) - 1)


def _close():
    path, motion = _figure_4_2()
    x, predicted = path.points[:, 0], motion.points[:, 0]
    apart, way = abs(x - predicted).max(), predicted[-1] - predicted[0]
    number = f"x1 at most {apart:.3f} apart on a way of {way:.0f}"
    return number, verdict(apart < 0.01 * way)


def _on_the_cycle():
    points = _figure_4_2()[0].points
    h = _steepness(points)
    off = abs(abs(points[:, 1]) * h / two_cycle(f1, LR * h * h) - 1)
    number = f"|x2| is off by {off[0]:.0%} at the start, by {off[10]:.2%} after 10 steps, "
    number += f"by {off[-1]:.2%} after {len(off) - 1}"
    return number, verdict(off[10:].max() < 0.01)


def _speeds(distances, steps=100):
    """The mean speed of descent along the valley, from the two-cycle at distances to the end."""
    h = 1 / (1 + 0.01 * (END - distances))
    start = np.stack((END - distances, two_cycle(f1, LR * h * h) / h), axis=-1)
    ends = descend(valley, start, LR, steps, every=steps).points[:, :, 0]
    return (ends[1] - ends[0]) / steps


def _slower():
    distances = np.array([10.0, 1.0, 0.1, 0.01])
    speeds = _speeds(distances)
    power = np.log10(speeds[-2] / speeds[-1])
    number = "speeds " + ", ".join(f"{s:.1e}" for s in speeds) + " at 10, 1, 0.1, 0.01 from the "
    number += f"end: power {power:.2f} of the distance, which is then "
    number += f"{round(1e-4 / speeds[-1], -2):,.0f}/t"
    if not np.all(np.diff(speeds) < 0):
        return number, FAILS
    return number, verdict(power < 1, RESERVED)  # from power 1 on it takes for ever


def _end():
    """In a valley that opens ten times faster, where the line is near: what comes to rest where?"""
    h, line = Ridge(Reciprocal(), (0.1,)), END / 10
    slow = quasistatic(Valley(PseudoHuber(), h), line - 1, LR, 800).points[-1, 0] - line
    smooth, kinked = (
        descend(Valley(f, h), (line - 1, 0.5), LR, 800, every=800).points[-1, 0] - line
        for f in (PseudoHuber(), f1)
    )
    number = f"(4.8) ends {abs(slow):.3f} from the line; descent across f1 is {-kinked:.3f} before "
    number += f"it after 800 steps, and across √(1 + u²) - 1 rests {smooth:.3f} beyond"
    if not (abs(slow) < 1e-6 and -0.1 < kinked < 0):
        return number, FAILS
    return number, verdict(abs(smooth) < 1e-3, RESERVED)


def _figure():
    path, _ = _figure_4_2()
    x, y = path.points[:, 0], abs(path.points[:, 1])
    number = f"x1 from 1 to {x[-1]:.1f}, |x2| from 1 over {y.max():.2f} down to {y[-1]:.2f}"
    signs = np.all(np.diff(np.sign(path.points[:, 1])) != 0)
    return number, verdict(signs and np.all(np.diff(x) > 0) and np.all(np.diff(y[20:]) < 0))


def _small_rate():
    by_opening = [relative_distances(opening) for opening in OPENINGS]
    number = "distance / way at η = 6, 2.5, 2.1: " + "; ".join(
        ", ".join(f"{d:.2%}" for d in distances[[-1, 1, 0]]) + f" for h = 1/(1 + {opening} x)"
        for opening, distances in zip(OPENINGS, by_opening, strict=True)
    )
    rises = np.diff(by_opening) > 0  # from each rate to the next larger one
    if not np.all(rises[:, 1:]):
        return number, FAILS
    return number, verdict(np.all(rises), RESERVED)


def _flattest():
    flat_enough = np.sqrt((np.sqrt(2 / LR) - 0.7) / 0.001)
    gd = descend(FLOOR, (20.0, 1.0), LR, 3000, every=3000).points[-1, 0]
    walk = sgd(label_noise(FLOOR, 0.3), np.tile([20.0, 1.0], (20, 1)), LR, 3000, every=3000)
    noisy = abs(walk.points[-1, :, 0]).mean()
    number = f"from x = 20: descent {gd:.1f}, where {flat_enough:.1f} is flat enough; label noise "
    number += f"{noisy:.1f} from the flattest, x = 0, on average"
    return number, verdict(abs(gd - flat_enough) < 1 and noisy < 0.2 * flat_enough)


def _interpolation():
    starts, lrs = np.ones((2, 20, 2)), np.array([1.5, LR])[:, None, None]
    walk = sgd(rescaled(valley, 0.5), starts, lrs, 800, every=800)
    below, above = walk.points[-1, ..., 0].mean(axis=1) - 1
    number = f"x1 moves by {below:.2f} at η = 1.5, but by {above:.0f} at η = {LR:g}, and would "
    number += f"until η h² = {rescaled_edge(0.5):.2f} (2 without noise)"
    if below > 0.1:
        return number, FAILS
    return number, verdict(above < 0.1, RESERVED)


def _descent_moves():
    starts, lrs = np.ones((2, 2)), np.array([[1.5], [LR]])
    below, above = descend(valley, starts, lrs, 800, every=800).points[-1, :, 0] - 1
    number = f"x1 moves by {above:.0f} at η = {LR:g}, but by {below:.2f} at η = 1.5"
    if above < 1:
        return number, FAILS
    return number, verdict(below > 0.1, RESERVED)


def _parabola():
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


def _covariance():
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


def _drift():
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


CLAIMS = (
    Claim(
        "4.4-minima",
        "journal 4.4, preprint 4.4",
        "the minima of f(h(x) y), for a positive h, are the points with y = 0",
        "—",
        _minima,
        "none: exactly 0 on the floor, above 0 elsewhere",
        HOLDS,
    ),
    Claim(
        "4.4-across",
        "journal 4.4, preprint 4.4",
        "across the floor the loss grows subquadratically, wherever one is along it",
        "—",
        _across_the_floor,
        "none: slope / |y| must fall from 0.01 to 10⁴ at every one of 200 places",
        HOLDS,
    ),
    Claim(
        "4.4-constants",
        "journal fig. 4.2, preprint fig. 5",
        "the loss of the figure is f1(x2/(1 + 0.01 x1))",
        "0.01",
        _valley_formula,
        "1e-12, rounding, at 1000 random points: this tests our own function only",
        HOLDS,
    ),
    Claim(
        "4.4-flatness",
        "journal 4.4, preprint 4.4",
        "minima where h is small are flat",
        "—",
        _flatness,
        "1e-12, rounding: it is h² f''(0) by the chain rule, so this tests only our own code",
        HOLDS,
    ),
    Claim(
        "4.4-cycle",
        "journal eq. 4.7, preprint eq. 7",
        "y bounces on the two-cycle that belongs to the present x",
        "—",
        _on_the_cycle,
        "1 % from the tenth step on; it lags behind a cycle that shrinks",
        HOLDS,
    ),
    Claim(
        "4.4-log-h",
        "journal eq. 4.8, preprint eq. 8",
        "oscillating descent reduces h(x): it searches for flatter minima",
        "—",
        _downhill,
        "none: h must fall at every step",
        HOLDS,
    ),
    Claim(
        "4.4-figure",
        "journal fig. 4.2, preprint fig. 5",
        "on f1(x2/(1 + 0.01 x1)), descent bounces and moves to flatter minima",
        "start (1, 1), η = 3",
        _figure,
        "none: signs alternate, x1 grows at every step, |x2| falls from step 20 on",
        HOLDS,
    ),
    Claim(
        "4.4-close",
        "journal fig. 4.2, preprint fig. 5",
        "the slow motion (4.8) approximates descent very well",
        "—",
        _close,
        "1 % of the way",
        HOLDS,
    ),
    Claim(
        "4.4-slower",
        "journal fig. 4.2, preprint fig. 5",
        "the motion gets ever slower, and finally stops",
        "—",
        _slower,
        "a power of 1 or more never arrives; the distance falls like 1/t here",
        RESERVED,
    ),
    Claim(
        "4.4-end",
        "journal eq. 4.7 and lemma 4.1, preprint eq. 7 and lemma 1",
        "(these two imply it:) the slow motion ends where η h² f''(0) = 2, at 22.47 in the figure",
        "—",
        _end,
        "1e-6 for (4.8); descent itself ends there for f1 in a gentle valley, beyond for smooth f",
        RESERVED,
    ),
    Claim(
        "4.4-small-rate",
        "journal 4.4, preprint 4.4",
        "the quasistatic view is right when the learning rate is relatively small",
        "—",
        _small_rate,
        "none: it must fall with η down to 2.1, near the smallest; it falls from 6 to 2.5",
        RESERVED,
    ),
    Claim(
        "4.4-flattest",
        "journal remark 4.1, preprint remark 1",
        "noise drives to the flattest minimum; descent stops at one that is flat enough",
        "—",
        _flattest,
        "descent within 1 of it, twenty noisy walks on average within a fifth of it from 0",
        HOLDS,
    ),
    Claim(
        "4.4-interpolation",
        "journal remark 4.1, preprint remark 1",
        "on interpolating minima noise vanishes, and SGD shows no flatness-driven motion",
        "—",
        _interpolation,
        "0.1 along the valley: true below the edge, above it SGD oscillates as descent does",
        RESERVED,
    ),
    Claim(
        "4.4-subquadratic",
        "journal remark 4.1, preprint remark 1",
        "descent moves along the valley because f grows more slowly than a parabola",
        "—",
        _parabola,
        "a move of 1: the slow walk needs it; without, y grows and flings x far beyond the end",
        RESERVED,
    ),
    Claim(
        "4.4-moves",
        "journal remark 4.1, preprint remark 1",
        "with subquadratic growth descent moves on interpolating minima, too",
        "—",
        _descent_moves,
        "0.1 along the valley: η must be above 2/(h² f''(0)), too",
        RESERVED,
    ),
    Claim(
        "4.4-covariance",
        "journal remark 4.2, preprint remark 2",
        "at equilibrium y has the covariance (ησ²/4) I, whatever H is",
        "(ησ²/4) I",
        _covariance,
        "3 standard errors and the bias ‖H‖ dt of the time step",
        HOLDS,
    ),
    Claim(
        "4.4-drift",
        "journal remark 4.2, preprint remark 2",
        "x drifts, on average over y, down the trace of H(x)",
        "-(ησ²/4) ∇Tr H",
        _drift,
        "3 standard errors and the bias ‖H‖ dt of the time step",
        HOLDS,
    ),
)
