"""The figures of chapter 5."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from mslbook.paper.style import BLUE, GREY, ONE_PANEL, PURPLE, THREE_LINES, TWO_PANELS, VERMILLION

FOUR_COLOURS = (PURPLE, *(colour for colour, _ in reversed(THREE_LINES)))


def cut_offs(x1, profiles):
    """The small valley's profile along the bottom of the large one, for each labelled cut-off."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    looks = ((BLUE, "-"), (VERMILLION, "--"))
    for (colour, dash), (label, profile) in zip(looks, profiles.items(), strict=True):
        axes.plot(x1, profile, dash, color=colour, label=label)
    axes.set(xlabel="$x_1$", ylabel="loss at $x_2 = 0$")
    axes.legend(loc="lower left")
    return figure


def decays_at_three_steps(grid, heights, before, first, decays, after):
    """Journal fig. 5.1, preprint fig. 6: the landscape, the trajectories, and the losses by step.

    `grid` is the coordinates along x1 and along x2, `heights` the losses on it. `before` is the
    path at the large learning rate, shown from step `first`; `after` the paths, side by side, that
    leave it at the three steps `decays`.
    """
    figure = plt.figure(figsize=(7.0, 5.2))
    rows = figure.add_gridspec(2, 2, height_ratios=(1, 1), width_ratios=(1, 1.15))
    _draw_surface(figure.add_subplot(rows[0, 0], projection="3d"), grid, heights)
    losses, plane = figure.add_subplot(rows[0, 1]), figure.add_subplot(rows[1, :])
    path = before.points[first:]
    plane.plot(*path.T, ".", color=GREY, markersize=3, label="before the decay")
    plane.plot(*path[-12:].T, "-", color=GREY, linewidth=0.7)  # all jumps would be a grey wall
    losses.plot(before.steps[first:], before.values[first:], "-", color=GREY)
    looks = zip(THREE_LINES, "o^s", strict=True)
    for column, (step, ((colour, dash), marker)) in enumerate(zip(decays, looks, strict=True)):
        path, values = after.points[:, column], after.values[:, column]
        plane.plot(*path.T, dash, color=colour)
        plane.plot(*path[0], marker, color=colour, markersize=9, label=f"decay at {step}")
        plane.plot(*path[-1], marker, color=colour, markersize=9, fillstyle="none")
        losses.plot(step + after.steps, values, ".", color=colour, markersize=1.7)
        losses.plot(step, values[0], marker, color=colour)
        some = slice(60 + 40 * column, None, 120)  # floors that coincide are told apart by shape
        shape = {"color": colour, "fillstyle": "none", "zorder": 3}
        losses.plot(step + after.steps[some], values[some], marker, **shape)
    losses.set(xlabel="step", ylabel="loss")
    plane.set(xlabel="$x_1$", ylabel="$x_2$")
    plane.legend(loc="lower right", labelspacing=0.2, fontsize=11)
    return figure


def _draw_surface(axes, grid, heights):
    """A landscape in perspective, in a few flat shades."""
    shades = plt.get_cmap("viridis", 10)
    axes.plot_surface(
        *np.meshgrid(*grid), heights, cmap=shades, rstride=1, cstride=1, antialiased=False
    )
    axes.view_init(elev=40, azim=-64)
    axes.set_box_aspect((1.3, 1, 0.7), zoom=1.05)
    axes.tick_params(labelsize=11, pad=-1)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_title("loss", y=0.95)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.set_major_locator(MaxNLocator(3))
        axis.labelpad = -1
    axes.grid(visible=False)


def best_moment(decay_steps, arrivals, predicted, losses):
    """By decay step: when descent arrives in the small valley, and the loss it has in the end.

    `arrivals` are total steps, NaN for none within the run; `predicted` those of the slow flow, for
    the first of the decay steps.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(decay_steps[: len(predicted)], predicted, "--", color=VERMILLION, label="predicted")
    left.plot(decay_steps, arrivals, ".", color=BLUE, markersize=2, label="measured")
    left.plot(decay_steps, decay_steps, ":", color=GREY, linewidth=1.5, label="the decay itself")
    left.set(xlabel="decay step", ylabel="step of arrival", yscale="log", ylim=(3e2, 3e6))
    left.legend(loc="upper right", markerscale=3)
    right.plot(decay_steps, losses, ".", color=BLUE, markersize=2)
    right.set(xlabel="decay step", ylabel="loss in the end")
    return figure


def never_and_late(runs):
    """Distance from the small valley after an early decay, by step, on two landscapes.

    `runs` maps a decay step to the pairs (steps, distances) of descent with the smooth cut-off, of
    the slow flow that continues it, and of descent with the hard cut-off.
    """
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    looks = (("-", 2.5, "descent"), ("--", 1.2, "slow flow"), (":", 2.0, "hard cut-off"))
    for colour, (decay, curves) in zip(FOUR_COLOURS, runs.items(), strict=True):
        for (dash, width, label), (steps, distance) in zip(looks, curves, strict=True):
            axes.plot(steps, distance, dash, color=colour, linewidth=width)
            axes.lines[-1].set_label(label if decay == next(iter(runs)) else None)
        at = (0.7, curves[0][1][1])
        below = {"xytext": (0, -1.5), "textcoords": "offset points", "va": "top", "fontsize": 11}
        axes.annotate(f"decay at {decay}", at, color=colour, **below)
    axes.set(xlabel="steps after the decay", ylabel="distance $|x_1|$", xscale="log", yscale="log")
    axes.legend(loc="lower left", labelcolor=GREY)
    return figure
