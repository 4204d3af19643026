"""The figures of chapter 5."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from mslbook.paper import style
from mslbook.paper.style import BLUE, GREEN, GREY, ONE_PANEL, PURPLE, THREE_LINES, VERMILLION


def cut_offs(x1, profiles):
    """The small valley's profile along the bottom of the large one, for each labelled cut-off."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    style.plot_each(axes, x1, profiles, style.FOUR_LINES)
    style.label_axes(axes, "$x_1$", "loss at $x_2 = 0$", legend="lower left")
    return figure


def decays_at_three_steps(grid, heights, before, first, decays, after):
    """Journal fig. 5.1, preprint fig. 6: landscape, paths before and after decays, and losses."""
    figure = plt.figure(figsize=(ONE_PANEL[0], 7.6))
    rows = figure.add_gridspec(3, 1, height_ratios=(1.2, 1, 1))
    surface = figure.add_subplot(rows[0], projection="3d")
    draw_surface(surface, "x", grid, heights)
    plane, losses = figure.add_subplot(rows[1]), figure.add_subplot(rows[2])
    path = before.points[first:]
    plane.plot(*path.T, ".", color=GREY, markersize=3, label="before the decay")
    plane.plot(*path[-12:].T, "-", color=GREY, linewidth=0.7)  # all jumps would be a grey wall
    losses.plot(before.steps[first:], before.values[first:], "-", color=GREY)
    branches = zip(decays, after.values.T, THREE_LINES, "o^s", strict=True)
    for column, (step, values, look, marker) in enumerate(branches):
        colour, steps = look["color"], step + after.steps
        style.plot_branch(plane, after.points[:, column], look, marker, f"decay at {step}")
        losses.plot(steps, values, ".", color=colour, markersize=1.7)
        losses.plot(step, values[0], marker, color=colour)
        some = slice(60 + 40 * column, None, 120)  # shapes distinguish floors that coincide
        losses.plot(steps[some], values[some], marker, color=colour, fillstyle="none", zorder=3)
    style.label_axes(losses, "step", "loss")
    style.label_axes(plane, "$x_1$", "$x_2$", xlim=(-4.2, 1.3))  # room for the legend
    plane.legend(loc="lower right", labelspacing=0.2, fontsize=11)
    return figure


def draw_surface(axes, name, grid, heights):
    """A landscape of x1 and x2: shades of one colour, dark below, and the lines of its grid."""
    shades = LinearSegmentedColormap.from_list("shades", ["#002f4a", BLUE, "#e3eff7"])
    look = {"cmap": shades, "rstride": 1, "cstride": 1, "linewidth": 0.25}
    axes.plot_surface(*np.meshgrid(*grid), heights, edgecolor="#22272e80", **look)
    axes.view_init(elev=40, azim=-64)
    axes.set_box_aspect((1.3, 1, 0.7), zoom=1.05)
    axes.tick_params(labelsize=11, pad=-1)
    style.clear_space(axes)
    axes.set_xlabel(f"${name}_1$", labelpad=-1)
    axes.set_ylabel(f"${name}_2$", labelpad=-1)
    axes.set_title("loss", y=0.95)


def best_moment(decay_steps, arrivals, predicted, losses):
    """Arrivals in the small valley, measured and predicted, and the loss in the end, by decay."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(ONE_PANEL[0], 5), sharex=True)
    above.plot(decay_steps[: len(predicted)], predicted, "--", color=VERMILLION, label="predicted")
    above.plot(decay_steps, arrivals, ".", color=BLUE, markersize=2, label="measured")
    above.plot(decay_steps, decay_steps, label="the decay itself", **style.DOTTED)
    style.label_axes(above, "", "step of arrival", log="y", ylim=(3e2, 3e6))
    above.legend(loc="upper right", markerscale=3)
    below.plot(decay_steps, losses, ".", color=BLUE, markersize=2)
    style.label_axes(below, "decay step", "loss in the end")
    return figure


def early_and_late_decay(runs):
    """Distance from the small valley by decay: descent, its slow flow, and the hard cut-off."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    below = {"xytext": (0, -1.5), "textcoords": "offset points", "va": "top", "fontsize": 11}
    colours = (PURPLE, GREEN, VERMILLION, BLUE)
    for colour, (decay, curves) in zip(colours, runs.items(), strict=True):
        for dash, width, curve in zip(("-", "--", ":"), (2.5, 1.2, 2.0), curves, strict=True):
            axes.plot(*curve, dash, color=colour, linewidth=width)
        axes.annotate(f"decay at {decay}", (0.7, curves[0][1][1]), color=colour, **below)
    style.label_axes(axes, "steps after the decay", "distance $|x_1|$", log="xy")
    labels = ("descent", "slow flow", "hard cut-off")
    axes.legend(axes.lines[:3], labels, loc="lower left", labelcolor=GREY)
    return figure
