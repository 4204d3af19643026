"""The figures of chapter 4.2; panels are stacked where they would not fit a telephone."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb

from mslbook.paper import style
from mslbook.paper.style import BLUE, DOTTED, FOUR_LINES, GREY, OCHRE, SKY, VERMILLION

SQUARES = (5.6, 2.9)  # inches: two square panels side by side
TWO_ROWS = {"sharex": "col", "height_ratios": (3, 2)}
PATTERNS = ("+ +", "+ −", "− +", "− −")  # the signs of two components, in the order of their codes
COLOURS = (BLUE, OCHRE, SKY, VERMILLION)
# Shades of blue, from clear to opaque: how often the iterates are somewhere, and heights.
DENSITY = ListedColormap([(*to_rgb(BLUE), alpha) for alpha in np.linspace(0.2, 1, 6)])
HEIGHT = ListedColormap([(*to_rgb(BLUE), alpha) for alpha in np.linspace(0, 1, 12)])


def components_by_learning_rate(lrs, levels, end_lrs, ends, names):
    """Each component ``|z_i|`` by learning rate, predicted (lines), and where descent ended."""
    figure, axes = plt.subplots(figsize=(4.2, 2.5))
    columns = zip(levels.T, ends.T, names, FOUR_LINES, "osD^", strict=True)
    for level, end, name, look, marker in columns:
        axes.plot(lrs, level, label=name, **look)
        axes.plot(end_lrs, end, marker, color=look["color"], markersize=4)
    style.label_axes(axes, "learning rate $\\eta$", "$|z_i|$ in the end", legend="upper left")
    axes.set_xticks(range(0, 16, 2))
    return figure


def sign_patterns(ticks, codes, cells, corners, basis):
    """The plane of starts by the pattern reached, named at `cells`; the `corners` where it ends."""
    figure, (left, right) = plt.subplots(1, 2, figsize=SQUARES)
    _image(left, ticks, ticks, codes, ListedColormap(COLOURS), aspect="equal")
    with plt.rc_context({"hatch.color": "white"}):  # in grey, sky alone would look like ochre
        left.contourf(ticks, ticks, codes == 2, levels=[0.5, 1.5], colors="none", hatches=["//"])
    left.set(title="pattern at even steps", xlabel="$x_1$ of the start", ylabel="$x_2$")
    right.plot(*corners[[0, 3]].T, "-", color=GREY)
    right.plot(*corners[[1, 2]].T, "--", color=GREY)
    for p in basis:
        right.axline((0, 0), p, **DOTTED | {"linewidth": 1})
    centred = {"ha": "center", "va": "center"}
    inks = ("white", "black", "black", "white")
    patterns = zip(PATTERNS, COLOURS, "osD^", inks, cells, corners, strict=True)
    for name, colour, marker, ink, cell, corner in patterns:
        left.text(*cell, name, color=ink, fontsize=13, weight="bold", **centred)
        right.plot(*corner, marker, color=colour, markersize=9)
        beside = {"xytext": (0, 14 * np.sign(basis[1] @ corner)), "textcoords": "offset points"}
        right.annotate(name, corner, **beside, **centred)
    size = 1.4 * abs(corners).max()
    right.set(title="where they end", xlabel="$x_1$", aspect="equal")
    right.axis((-size, size, -size, size))
    return figure


def swing_heights(ticks, heights, ends, titles):
    """Landscapes that descent climbs with alternating signs, and the points where it ended."""
    figure, panels = plt.subplots(1, len(titles), figsize=SQUARES, sharey=True)
    panels[0].set_ylabel("$x_2$")
    for axes, title, height, points in zip(panels, titles, heights, ends, strict=True):
        depth = np.sqrt((height.max() - height) / np.ptp(height))  # fine steps near the tops
        _image(axes, ticks, ticks, 1 - depth, HEIGHT, aspect="equal")
        axes.plot(*points.T, "D", color=VERMILLION, markersize=7)
        axes.set(title=title, xlabel="$x_1$")
    return figure


def descent_over_time(path, decay_steps):
    """Journal fig. 4.1 right, preprint fig. 4 right: two coordinates, and the loss, by step."""
    figure, panels = plt.subplots(3, 1, sharex=True, figsize=(5.2, 4.4))
    # Squares that lie on whole pixels keep the picture small.
    look = {"markersize": 2, "markeredgewidth": 0, "snap": True}
    curves = {"$x_1$": path.points[:, 0], "$x_2$": path.points[:, 1], "loss": path.values}
    colours = BLUE, BLUE, VERMILLION
    for axes, (label, curve), colour in zip(panels, curves.items(), colours, strict=True):
        axes.plot(path.steps, curve, "s", color=colour, **look)
        axes.set_ylabel(label)
        style.mark_steps(axes, decay_steps)
    panels[-1].set_xlabel("step")
    return figure


def order_and_chaos(sweeps, lows):
    """One coordinate of the iterates in each sweep, and beside it the exponents, from `lows` on.

    A sweep: title, lrs, points (steps, starts, lrs), exponents (starts, lrs), stable rate.
    """
    figure, panels = plt.subplots(len(sweeps), 2, figsize=(5.6, 5.2), sharex="row")
    for (left, right), sweep, low in zip(panels, sweeps, lows, strict=True):
        title, lrs, points, exponents, stable = sweep
        far = np.abs(points).max()
        _image(left, lrs, (-far, far), np.ma.log(_counts(points, far)), DENSITY)
        left.set(ylabel=f"iterates on {title}")
        left.axvline(stable, **DOTTED)
        _exponent(right, lrs, exponents.mean(axis=0), [stable], ylabel="exponent", ylim=(low, 1.3))
    for axes in panels.flat:
        axes.set_xlabel("learning rate $\\eta$" if axes in panels[-1] else "")
    return figure


def bistability(lrs, points, exponents, thresholds, marked):
    """The orbits of two starts by learning rate, where they differ and where not; the exponent."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 3.5), **TWO_ROWS)
    far = np.abs(points).max()
    first, second = (_counts(rows, far) > 0 for rows in points)
    colours = ListedColormap(["none", BLUE, VERMILLION, GREY])
    _image(above, lrs, (-far, far), first + 2 * second, colours)
    above.plot([], [], "s", color=GREY, label="both")
    orbits = zip(points, "o^", (BLUE, VERMILLION), ("one alone", "the other"), strict=True)
    for rows, marker, colour, label in orbits:
        x, y = np.tile(lrs[marked], 4), rows[:4, marked].ravel()
        above.plot(x, y, marker, color=colour, markersize=5, label=label)
    above.legend(loc="lower left", ncols=3, handletextpad=0, columnspacing=0.8)
    above.set(ylabel="iterates", ylim=(-1.6 * far, far))
    for lr, name in thresholds:
        above.axvline(lr, 0.2, **DOTTED)  # clear of the legend
        above.text(lr, far, name, ha="center", va="bottom")
    _exponent(below, lrs, exponents, dict(thresholds), ylabel="exponent", ylim=(-3, 1.2))
    return figure


def _exponent(axes, lrs, exponent, thresholds, **settings):
    """The exponent by learning rate: dashed, and solid where it is above 0, in chaos."""
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(lrs, exponent, "--", color=BLUE, linewidth=1.5)
    chaos = np.where(exponent > 0, exponent, np.nan)
    axes.plot(lrs, chaos, "-", color=VERMILLION, linewidth=2)  # covers the dashes
    style.mark_steps(axes, thresholds)
    axes.set(xlabel="learning rate $\\eta$", **settings)
    axes.grid(visible=False)


def _counts(points, far):
    """How many points (..., lrs) lie in each of 81 intervals of (-far, far), by learning rate."""
    columns = np.moveaxis(points, -1, 0)
    return np.stack([np.histogram(column, 81, (-far, far))[0] for column in columns], axis=1)


def _image(axes, x, y, shades, colours, **options):
    """An image over the range of x and of y, without smoothing and grid."""
    look = {"origin": "lower", "interpolation": "nearest", "aspect": "auto", "vmin": 0} | options
    axes.imshow(shades, colours, extent=(x[0], x[-1], y[0], y[-1]), **look)
    axes.grid(visible=False)
