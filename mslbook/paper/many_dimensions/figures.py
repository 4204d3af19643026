"""The figures of chapter 4.2."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb

from mslbook.paper.style import BLUE, GREEN, GREY, OCHRE, PURPLE, SKY, VERMILLION

SQUARES = (5.6, 2.9)  # two square panels side by side
PATTERNS = ("+ +", "+ −", "− +", "− −")  # the signs of two components, in the order of their codes
PATTERN_LOOKS = ((BLUE, "o"), (OCHRE, "s"), (SKY, "D"), (VERMILLION, "^"))
PATTERN_INKS = ("white", "black", "black", "white")  # of labels on these colours
LINE_LOOKS = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "D"), (PURPLE, ":", "^"))

# Where the iterates are: nothing is clear, a few are pale, many are blue.
DENSITY = ListedColormap([(*to_rgb(BLUE), alpha) for alpha in np.linspace(0.2, 1, 6)])
HEIGHT = ListedColormap([(*to_rgb(BLUE), alpha) for alpha in np.linspace(0, 1, 12)])


def components_by_learning_rate(lrs, levels, end_lrs, ends, names):
    """Each component by learning rate: ``|z_i|`` predicted as lines, where descent ended as marks.

    `levels` (len(lrs), n) is NaN where a component rests; `ends` (len(end_lrs), n) are ``|z_i|``.
    """
    figure, axes = plt.subplots(figsize=(4.2, 2.5))
    for i, (colour, dash, marker) in enumerate(LINE_LOOKS):
        axes.plot(lrs, levels[:, i], dash, color=colour, label=names[i])
        axes.plot(end_lrs, ends[:, i], marker, color=colour, markersize=4)
    axes.set(xlabel="learning rate $\\eta$", ylabel="$|z_i|$ in the end", xticks=range(0, 16, 2))
    axes.legend(loc="upper left")
    return figure


def broken_curve(segments):
    """Segments (m, 2, 2) as one curve for a demo, with a gap after each: arrays x and y."""
    gaps = np.full((len(segments), 1, 2), np.nan)
    return tuple(np.concatenate([segments, gaps], axis=1).reshape(-1, 2).T)


def sign_patterns(ticks, codes, cells, corners, basis):
    """The plane of starts by the pattern reached, and the points and cycles where descent ends.

    `codes` (len(ticks), len(ticks)) are 0 to 3, in the order of PATTERNS; `cells` (4, 2) are
    starts in the middle of a region of each pattern, `corners` (4, 2) where each pattern ends.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=SQUARES)
    colours = ListedColormap([colour for colour, _ in PATTERN_LOOKS])
    box = (ticks[0], ticks[-1], ticks[0], ticks[-1])
    left.imshow(codes, colours, origin="lower", extent=box, interpolation="nearest")
    with plt.rc_context({"hatch.color": "white"}):  # in grey, sky alone would look like ochre
        left.contourf(ticks, ticks, codes == 2, levels=[0.5, 1.5], colors="none", hatches=["//"])
    for name, (x, y), ink in zip(PATTERNS, cells, PATTERN_INKS, strict=True):
        left.text(x, y, name, ha="center", va="center", color=ink, fontsize=13, weight="bold")
    left.set(title="pattern at even steps", xlabel="$x_1$ of the start", ylabel="$x_2$")
    left.grid(visible=False)
    for pair, dash in (((0, 3), "-"), ((1, 2), "--")):
        right.plot(*corners[list(pair)].T, dash, color=GREY)
    for p in basis:
        right.axline((0, 0), p, color=GREY, linestyle=":", linewidth=1)
    for name, (colour, marker), corner in zip(PATTERNS, PATTERN_LOOKS, corners, strict=True):
        right.plot(*corner, marker, color=colour, markersize=9)
        beside = {"xytext": (0, 14 * np.sign(basis[1] @ corner)), "textcoords": "offset points"}
        right.annotate(name, corner, ha="center", va="center", **beside)
    size = 1.4 * abs(corners).max()
    right.set(title="where they end", xlabel="$x_1$", xlim=(-size, size), ylim=(-size, size))
    right.set_aspect("equal")
    return figure


def swing_heights(ticks, heights, ends, titles):
    """Landscapes that descent climbs with alternating signs, and the points where it ended.

    `heights` are two arrays (len(ticks), len(ticks)), `ends` two arrays of points (m, 2).
    """
    figure, panels = plt.subplots(1, 2, figsize=SQUARES, sharey=True)
    box = (ticks[0], ticks[-1], ticks[0], ticks[-1])
    for axes, height, points, title in zip(panels, heights, ends, titles, strict=True):
        depth = np.sqrt((height.max() - height) / np.ptp(height))  # fine steps near the tops
        axes.imshow(1 - depth, HEIGHT, origin="lower", extent=box, interpolation="nearest")
        axes.plot(*points.T, "D", color=VERMILLION, markersize=7)
        axes.set(title=title, xlabel="$x_1$")
        axes.grid(visible=False)
    panels[0].set_ylabel("$x_2$")
    return figure


def descent_over_time(path, decay_steps):
    """Journal fig. 4.1 right, preprint fig. 4 right: two coordinates, and the loss, by step."""
    figure, axes = plt.subplot_mosaic([["x1", "loss"], ["x2", "loss"]], figsize=(6.2, 2.8))
    rows = {"x1": path.points[:, 0], "x2": path.points[:, 1], "loss": path.values}
    labels = {"x1": "$x_1$", "x2": "$x_2$", "loss": "loss $f_3(x_t)$"}
    for name, panel in axes.items():
        colour = VERMILLION if name == "loss" else BLUE
        # Squares that lie on whole pixels keep the picture small.
        look = {"color": colour, "markersize": 2, "markeredgewidth": 0, "snap": True}
        panel.plot(path.steps, rows[name], "s", **look)
        panel.set_ylabel(labels[name])
        for step in decay_steps:
            panel.axvline(step, color=GREY, linestyle=":", linewidth=1.5)
    axes["x1"].sharex(axes["x2"])
    axes["x1"].tick_params(labelbottom=False)
    for name in ("x2", "loss"):
        axes[name].set_xlabel("step")
    return figure


def order_and_chaos(sweeps, lows):
    """For each sweep of the learning rate where the iterates are, and their exponent below.

    A sweep is (title, lrs, points, exponents, stable lr): `points` (steps, starts, len(lrs)) of
    one coordinate, `exponents` (starts, len(lrs)). `lows` are the lower ends of the exponents'
    axes.
    """
    figure, panels = plt.subplots(
        2, len(sweeps), figsize=(6.4, 3.6), sharex="col", squeeze=False, height_ratios=(3, 2)
    )
    for (above, below), sweep, low in zip(panels.T, sweeps, lows, strict=True):
        title, lrs, points, exponents, stable = sweep
        _density(above, lrs, points)
        above.set_title(title)
        _exponent(below, lrs, exponents.mean(axis=0))
        below.set(xlabel="learning rate $\\eta$", ylim=(low, 1.3))
        for axes in (above, below):
            axes.axvline(stable, color=GREY, linestyle=":", linewidth=1.5)
            axes.grid(visible=False)
    panels[0, 0].set_ylabel("iterates")
    panels[1, 0].set_ylabel("exponent")
    return figure


def two_ways_round(lrs, points, exponents, thresholds, marked):
    """The orbits of two starts by learning rate, where they differ and where not; the exponent.

    `points` are two arrays (steps, len(lrs)); `thresholds` are learning rates with their names;
    at the learning rates of the columns `marked` each orbit has markers of its own.
    """
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(5.2, 3.5), sharex=True, height_ratios=(3, 2)
    )
    first, second = (_counts(rows[:, None], _heights(points)) > 0 for rows in points)
    looks = (GREY, "both"), (BLUE, "one alone"), (VERMILLION, "the other")
    for seen, (colour, _) in zip(
        (first & second, first & ~second, second & ~first), looks, strict=True
    ):
        _image(above, lrs, np.where(seen, 1.0, np.nan), _heights(points), ListedColormap([colour]))
    above.plot([], [], "s", color=GREY, label=looks[0][1])
    for rows, marker, (colour, label) in zip(points, "o^", looks[1:], strict=True):
        x = np.broadcast_to(lrs[marked], rows[:, marked].shape)
        look = {"color": colour, "markersize": 5}
        above.plot(x[:4].ravel(), rows[:4, marked].ravel(), marker, label=label, **look)
    above.legend(loc="lower left", ncols=3, handletextpad=0, columnspacing=0.8)
    _exponent(below, lrs, exponents)
    far = _heights(points)[-1]
    above.set(ylabel="iterates", ylim=(-1.6 * far, far))
    below.set(xlabel="learning rate $\\eta$", ylabel="exponent", ylim=(-3, 1.2))
    for lr, name in thresholds:
        above.axvline(lr, 0.2, color=GREY, linestyle=":", linewidth=1.5)  # clear of the legend
        below.axvline(lr, color=GREY, linestyle=":", linewidth=1.5)
        above.text(lr, above.get_ylim()[1], name, ha="center", va="bottom")
    for axes in (above, below):
        axes.grid(visible=False)
    return figure


def _exponent(axes, lrs, exponent):
    """The exponent by learning rate: solid above 0, in chaos, and dashed down to order and back."""
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(lrs, exponent, "--", color=BLUE, linewidth=1.5)
    chaos = np.where(exponent > 0, exponent, np.nan)
    axes.plot(lrs, chaos, "-", color=VERMILLION, linewidth=2)  # covers the dashes


def _density(axes, lrs, points):
    """How often the points (steps, starts, len(lrs)) are where, by learning rate, as an image."""
    counts = _counts(points, _heights(points))
    _image(axes, lrs, np.log(np.where(counts > 0, counts, np.nan)), _heights(points), DENSITY)


def _heights(points, rows=81):
    """The edges of rows of equal height that hold all the points."""
    far = np.abs(points).max()
    return np.linspace(-far, far, rows + 1)


def _counts(points, edges):
    """How many points (..., len(lrs)) lie between the edges, for each learning rate."""
    columns = np.moveaxis(points, -1, 0)
    return np.stack([np.histogram(column, edges)[0] for column in columns], axis=1)


def _image(axes, lrs, shade, edges, colours):
    box = (lrs[0], lrs[-1], edges[0], edges[-1])
    look = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "vmin": 0}
    axes.imshow(shade, colours, extent=box, **look)
