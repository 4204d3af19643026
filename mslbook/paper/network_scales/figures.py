"""The figures of chapters 3.2 and 3.2b."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cycler
from matplotlib.colors import LogNorm
from matplotlib.ticker import NullFormatter

from mslbook.paper import style
from mslbook.paper.style import BLUE, GREEN, GREY, PURPLE, THREE_LINES, VERMILLION

WIDTH = 5.0  # inches: what is stacked stays readable on a telephone
# A colour for each network, a dash for each direction.
WITH, WITHOUT = {"color": BLUE}, {"color": VERMILLION}
SHAPES = cycler(color=[GREY, GREEN, PURPLE], linestyle=["--", "-.", "-"])


def by_distance(profiles, looks=SHAPES, curvatures=None, exponents=None):
    """Curvature and local exponent by distance from the minimum of labelled lines, up to limits."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.8), sharex=True)
    for look, (label, line) in zip(looks, profiles.items(), strict=True):
        above.plot(line.distances[1], line.curvatures[1], label=label, **look)
        below.plot(line.distances[1], line.exponents[1], **look)
    below.axhline(2, color=GREY, linestyle=":", linewidth=1.2)
    style.label_axes(above, "", "curvature C", log="y", ylim=curvatures)
    style.label_axes(below, "distance", "exponent p", log="x", ylim=exponents)
    style.legend_outside(figure, above, ncols=2 if len(profiles) > 3 else len(profiles))
    return figure


def network_scales(profiles, **limits):
    """The same of a network with BatchNorm and one without, each along two kinds of line."""
    looks = [look | {"linestyle": dash} for look in (WITH, WITHOUT) for dash in ("-", ":")]
    return by_distance(profiles, looks, **limits)


def wide_lines(runs, near):
    """Journal fig. 3.2 left and middle, preprint fig. 3: lines over a wide range, on linear axes.

    Along the gradient up to the distance `near`, and at random up to the norm of the parameters.
    """
    figure, rows = plt.subplots(len(runs), 2, figsize=(WIDTH, 4.8), squeeze=False)
    for row, (name, run), look in zip(rows, runs.items(), (WITH, WITHOUT), strict=True):
        distances, ways = run["distances"], (run["descent"], run["random"][0])
        for axes, losses, far in zip(row, ways, (near, run["theta_norms"]), strict=True):
            shown = abs(distances) <= far
            axes.plot(distances[shown], losses[shown], **look)
            axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
            axes.set_ylim(bottom=0)
        row[0].set(title=name, ylabel="loss")
    rows[-1, 0].set_xlabel("along the gradient")
    rows[-1, 1].set_xlabel("at random")
    return figure


def decayed_paths(projections, decays, step_lengths):
    """Journal fig. 3.2 right, preprint fig. 3 right: paths in three directions, and their steps.

    `projections` are (D, E + 1, 3), `step_lengths` (D, E). Brackets hold the extent of each axis.
    """
    figure = plt.figure(figsize=(WIDTH, 7))
    rows = figure.add_gridspec(2, 1, height_ratios=(2, 1))
    space = figure.add_subplot(rows[0], projection="3d")
    lengths = figure.add_subplot(rows[1])
    last = decays[-1]
    space.plot(*projections[-1, : last + 1].T, color=GREY, linewidth=0.8, label="before")
    lengths.plot(np.arange(1, last + 1), step_lengths[-1, :last], color=GREY, linewidth=0.8)
    branches = zip(projections, step_lengths, decays, THREE_LINES, "o^s", strict=True)
    for path, steps, decay, look, marker in branches:
        style.plot_branch(space, path[decay:], look, marker, f"decay at {decay}", linewidth=2.5)
        lengths.plot(np.arange(decay + 1, len(path)), steps[decay:], **look)
    style.label_axes(lengths, "step", "length of a step", log="y")
    style.clear_space(space, prune="both")
    trunk, first, last = np.ptp(projections, axis=(0, 1))
    space.set(xlabel=f"trunk ({trunk:.2g})", ylabel=f"first branch ({first:.2g})")
    space.set_zlabel(f"last branch ({last:.2g})")
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_major_formatter(NullFormatter())
        axis.labelpad = -8
    style.legend_outside(figure, space, ncols=2, columnspacing=1, handletextpad=0.3)
    space.set_box_aspect((1, 1, 0.8), zoom=0.95)
    return figure


def plane_slices(distances, gradient_plane, sharpest_plane):
    """Losses (D, D) on the planes of the gradient and of the two sharpest directions."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharex=True, sharey=True)
    highest = max(gradient_plane.max(), sharpest_plane.max())
    levels = np.geomspace(gradient_plane.min(), highest, 11)
    labels = (("along the gradient", "at random"), ("sharpest", "second sharpest"))
    for axes, losses, names in zip(panels, (gradient_plane, sharpest_plane), labels, strict=True):
        grid = (distances, distances, losses.T, levels)
        shades = axes.contourf(*grid, cmap="Blues_r", norm=LogNorm())
        axes.contour(*grid, colors=[GREY], linewidths=0.6)
        style.label_axes(axes, *names, aspect="equal")
    bar = figure.colorbar(shades, ax=panels, label="loss", shrink=0.8)
    style.plain_ticks(bar.ax, y=[0.1, 0.3, 1])
    return figure
