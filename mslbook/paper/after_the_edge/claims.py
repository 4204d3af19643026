"""Section 4.4, what happens after the edge of stability: measured here and now."""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from mslbook.descent import descend
from mslbook.losses import Quadratic, Reciprocal, Ridge, Valley, f1, valley
from mslbook.paper.after_the_edge.noise import label_noise, rescaled, valley_sde
from mslbook.paper.after_the_edge.walks import euler_maruyama, sgd
from mslbook.paper.ledger import HOLDS, RESERVED, claim, listed, verdict
from mslbook.theory import quasistatic, two_cycle

LR = 3.0  # of journal fig. 4.2, as is the start (1, 1)
END = 100 * (np.sqrt(1.5) - 1)  # where 3 h(x)² = 2
BELOW_AND_ABOVE = np.array([1.5, LR])  # learning rates on either side of the edge
RATES = np.array([2.1, 2.5, 3.0, 4.0, 6.0])
OPENINGS = (0.1, 0.03, 0.01)
FLOOR = Valley(f1, Ridge(Quadratic(curvature=0.002, minimum=0.7), (1,)))  # has a flattest place


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
    x = x[..., None]
    return np.eye(2) + x * x * [[1, 0], [0, 0]] + x * [[0, 0.5], [0.5, 0]]


def turning_H_grad(x):
    """Its derivative (..., 1, 2, 2)."""
    return 2 * x[..., None, None] * [[1, 0], [0, 0]] + [[0, 0.5], [0.5, 0]]


@cache
def figure_4_2():
    """Descent and the slow motion of the figure, over the steps that most of the way takes."""
    return descend(valley, (1.0, 1.0), LR, 3000), quasistatic(valley, 1.0, LR, 3000)


@claim("4.4-close", HOLDS, "apart by less than {part_of_the_way:.0%} of the way", place="fig. 4.2")
def close(part_of_the_way=0.01):
    """The slow motion (4.8) approximates descent very well."""
    x, predicted = (path.points[:, 0] for path in figure_4_2())
    apart, way = abs(x - predicted).max(), predicted[-1] - predicted[0]
    number = f"x1 at most {apart:.3f} apart on a way of {way:.0f}"
    return number, verdict(apart < part_of_the_way * way)


@claim("4.4-cycle", HOLDS, "to {lag:.0%}: it lags behind a shrinking cycle", place="eq. 4.7")
def on_the_cycle(lag=0.01):
    """Y bounces on the two-cycle that belongs to the present x."""
    x, y = np.hsplit(figure_4_2()[0].points, 2)
    h = valley.h.value(x)
    most = abs(abs(y[:, 0]) * h / two_cycle(f1, LR * h * h) - 1)[10:].max()
    return f"|x2| is off by at most {most:.2%} from step 10 on", verdict(most < lag)


def mean_speeds(distances, steps=100):
    """The mean speed of descent along the valley, from the two-cycle at distances to the end."""
    h = 1 / (1 + 0.01 * (END - distances))
    start = np.stack((END - distances, two_cycle(f1, LR * h * h) / h), axis=-1)
    ends = descend(valley, start, LR, steps, every=steps).points[:, :, 0]
    return (ends[1] - ends[0]) / steps


@claim("4.4-slower", HOLDS, "slower at every tenth of the distance left; like a power of it of 1 "
       "or more, with which it stops in the limit", place="fig. 4.2")  # fmt: skip
def slower():
    """The motion gets ever slower, and finally stops."""
    speeds = mean_speeds(np.array([10.0, 1.0, 0.1, 0.01]))
    power = np.log10(speeds[-2] / speeds[-1])
    number = f"close to the end the speed is like the power {power:.2f} of the distance"
    return number, verdict(np.all(np.diff(speeds) < 0) and power >= 1)


@claim("4.4-figure", HOLDS, "x2 changes sign and h falls at every step, |x2| from step 20 on",
       place="eq. 4.8 and fig. 4.2", number="start (1, 1), η = 3")  # fmt: skip
def figure():
    """On f1(x2/(1 + 0.01 x1)), descent bounces and reduces h: it moves to flatter minima."""
    x, y = figure_4_2()[0].points.T
    h = valley.h.value(x[:, None])
    number = f"x1 from 1 to {x[-1]:.1f}, h from {h[0]:.2f} to {h[-1]:.2f}, |x2| from 1 over "
    number += f"{abs(y).max():.2f} to {abs(y[-1]):.2f}"
    falls = np.all(np.diff(h) < 0) and np.all(np.diff(abs(y[20:])) < 0)
    return number, verdict(falls and np.all(y[1:] * y[:-1] < 0))


@claim("4.4-small-rate", RESERVED, "the distance from descent falls with η down to 2.5, and not on "
       "to 2.1: next to the edge the two-cycle is reached slowly")  # fmt: skip
def small_rate():
    """The quasistatic view is right when the learning rate is relatively small."""
    by_opening = [relative_distances(opening) for opening in OPENINGS]
    found = "; ".join(listed(row[[-1, 1, 0]], "{:.2%}") for row in by_opening)
    number = f"distance / way at η = 6, 2.5, 2.1: {found} (openings {listed(OPENINGS)})"
    rises = np.diff(by_opening) > 0  # from each rate to the next larger one
    return number, verdict(np.all(rises), np.all(rises[:, 1:]))


@claim("4.4-flattest", HOLDS, "descent to {from_flat_enough:g}; noise {noise_left:.0%} of its way "
       "at most", place="remark 4.1")  # fmt: skip
def flattest(from_flat_enough=1.0, noise_left=0.2):
    """Noise drives to the flattest minimum; descent stops at one that is flat enough."""
    flat_enough = np.sqrt((np.sqrt(2 / LR) - 0.7) / 0.001)
    gd = descend(FLOOR, (20.0, 1.0), LR, 3000, every=3000).points[-1, 0]
    walk = sgd(label_noise(FLOOR, 0.3), np.tile([20.0, 1.0], (20, 1)), LR, 3000, every=3000)
    noisy = abs(walk.points[-1, :, 0]).mean()
    number = f"descent ends at {gd:.1f} ({flat_enough:.1f} is flat enough), noise at {noisy:.1f}"
    close = abs(gd - flat_enough) < from_flat_enough
    return number, verdict(close and noisy < noise_left * flat_enough)


@claim("4.4-interpolation", RESERVED, "x1 moves by less than {moves_less_than} below the edge; "
       "above it SGD moves, too", place="remark 4.1")  # fmt: skip
def interpolation(moves_less_than=0.1):
    """On interpolating minima noise vanishes, and SGD shows no flatness-driven motion."""
    starts, lrs = np.ones((2, 20, 2)), BELOW_AND_ABOVE[:, None, None]
    walk = sgd(rescaled(valley, 0.5), starts, lrs, 800, every=800)
    below, above = walk.points[-1, ..., 0].mean(axis=1) - 1
    number = f"x1 moves by {below:.2f} at η = 1.5, but by {above:.0f} at η = {LR:g}"
    return number, verdict(max(below, above) < moves_less_than, below < moves_less_than)


@claim("4.4-moves", HOLDS, "above the edge x walks by 1 at least, and stays within the valley; "
       "across a parabola it leaps past the end", place="remark 4.1")  # fmt: skip
def descent_moves():
    """Subquadratic growth makes descent move along minima that interpolate, where SGD does not."""
    paths = [descend(Valley(f, valley.h), (1.0, 1.0), LR, 800).points for f in (f1, Quadratic())]
    end, leap = (path[-1, 0] for path in paths)
    number = f"x1 walks to {end:.0f} across f1; across u²/2 it leaps to {leap:.0f}, past {END:.1f}"
    return number, verdict(abs(paths[0][:, 1]).max() < 1.5 and 2 < end < END < leap)


@claim("4.4-covariance", HOLDS, "3 standard errors + ‖H‖ dt", place="remark 4.2",
       number="(ησ²/4) I")  # fmt: skip
def covariance():
    """At equilibrium y has the covariance (ησ²/4) I, whatever H is."""
    H, lr, sigma, dt, walks = np.array([[2.0, 0.6], [0.6, 1.0]]), 0.1, 0.3, 0.02, 20_000
    root, steps = sigma * np.sqrt(lr) * np.linalg.cholesky(H), round(4 / dt)
    sde = (lambda y: -2 * y @ H), (lambda y: root)
    walk = euler_maruyama(*sde, np.zeros((walks, 2)), dt, steps, every=steps)
    y = walk.points[-1] / np.sqrt(lr * sigma**2 / 4)
    products = y[:, :, None] * y[:, None, :]
    found, error = products.mean(axis=0), products.std(axis=0) / np.sqrt(walks)
    number = f"{listed(found.ravel(), '{:.2f}')} times ησ²/4, each ± {error.max():.2f}"
    bias = np.linalg.norm(H, 2) * dt
    return number, verdict(np.all(abs(found - np.eye(2)) < 3 * error + bias))


@claim("4.4-drift", HOLDS, "3 standard errors + ‖H‖ dt", place="remark 4.2",
       number="-(ησ²/4) ∇Tr H")  # fmt: skip
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
    number = f"velocity = {slope:.3f} ± {error:.3f} times -(ησ²/4) ∇Tr H, over seven places"
    bias = np.linalg.norm(turning_H(start[0, :, :1]), 2, axis=(-2, -1)).max() * dt
    return number, verdict(abs(slope - 1) < 3 * error + bias)
