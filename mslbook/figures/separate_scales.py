"""The figures of chapter 5."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from mslbook.figures import BLUE, GREY, ONE_PANEL, PURPLE, THREE_LINES, TWO_PANELS, VERMILLION

FOUR_COLOURS = (PURPLE, *(colour for colour, _ in reversed(THREE_LINES)))


def cut_offs(x1, profiles, distances, slopes):
    """The two cut-offs: the small valley's profile across x1, and how steep its flank is.

    `profiles` and `slopes` map a label to an array over `x1` and over `distances`; slopes of 0 are
    not drawn.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for axes, x, curves in ((left, x1, profiles), (right, distances, slopes)):
        looks = ((BLUE, "-"), (VERMILLION, "--"))
        for (colour, dash), (label, y) in zip(looks, curves.items(), strict=True):
            axes.plot(x, np.where(y > 0, y, np.nan) if axes is right else y, dash, color=colour)
            axes.lines[-1].set_label(label)
    left.set(xlabel="$x_1$", ylabel="loss at $x_2 = 0$")
    right.legend(loc="lower left")
    right.set(xlabel="distance $|x_1|$", ylabel="slope towards 0", xscale="log", yscale="log")
    return figure


def decays_at_three_steps(grid, heights, before, first, after):
    """Journal fig. 5.1, preprint fig. 6: the landscape, the trajectories, and the losses by step.

    `grid` is the coordinates along x1 and along x2, `heights` the losses on it. `before` is the
    path at the large learning rate, shown from step `first`; `after` maps each decay step to the
    path that begins there.
    """
    figure = plt.figure(figsize=(7.0, 6.2))
    rows = figure.add_gridspec(2, 2, height_ratios=(1, 0.9), width_ratios=(1, 1.15))
    landscape = figure.add_subplot(rows[0, 0], projection="3d")
    losses, plane = figure.add_subplot(rows[0, 1]), figure.add_subplot(rows[1, :])
    x1, x2 = np.meshgrid(*grid)
    landscape.plot_surface(x1, x2, heights, cmap="viridis", rcount=90, ccount=150, linewidth=0)
    landscape.view_init(elev=40, azim=-64)
    landscape.set_box_aspect((1.3, 1, 0.7), zoom=1.05)
    landscape.tick_params(labelsize=9, pad=-3)
    landscape.set(xlabel="$x_1$", ylabel="$x_2$")
    landscape.set_title("loss", y=0.95)
    for axis in (landscape.xaxis, landscape.yaxis, landscape.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.set_major_locator(MaxNLocator(4))
        axis.labelpad = -5
    landscape.grid(visible=False)
    path = before.points[first:]
    plane.plot(*path.T, "-", color=GREY, linewidth=0.6)
    plane.plot(*path.T, ".", color=GREY, markersize=4, label="before the decay")
    losses.plot(before.steps[first:], before.values[first:], "-", color=GREY)
    for (colour, dash), marker, (step, path) in zip(THREE_LINES, "o^s", after.items(), strict=True):
        plane.plot(*path.points[:40].T, dash, color=colour, linewidth=1.5)
        plane.plot(*path.points[40:].T, dash, color=colour, linewidth=3)
        plane.plot(*path.points[0], marker, color=colour, markersize=9, label=f"decay at {step}")
        plane.plot(*path.points[-1], marker, color=colour, markersize=9, fillstyle="none")
        losses.plot(step + path.steps, path.values, dash, color=colour, linewidth=1.5)
        losses.plot(step, path.values[0], marker, color=colour)
    losses.set(xlabel="step", ylabel="loss")
    plane.set(xlabel="$x_1$", ylabel="$x_2$")
    plane.legend(loc="lower right")
    return figure


def best_moment(decay_steps, arrivals, predicted, losses):
    """By decay step: when descent arrives in the small valley, and the loss it has in the end.

    `arrivals` are total steps, NaN for none within the run; `predicted` those of the slow flow, for
    the first of the decay steps.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(decay_steps[: len(predicted)], predicted, "--", color=VERMILLION, label="predicted")
    left.plot(decay_steps, arrivals, ".", color=BLUE, markersize=2.5, label="measured")
    left.plot(decay_steps, decay_steps, ":", color=GREY, linewidth=1.5, label="the decay itself")
    left.set(xlabel="decay step", ylabel="step of arrival", yscale="log", ylim=(3e2, 3e6))
    left.legend(loc="upper right", markerscale=3)
    right.plot(decay_steps, losses, ".", color=BLUE, markersize=2.5)
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
        beside = (1.1, curves[0][1][1])
        axes.annotate(f"{decay}", beside, (0, 3), textcoords="offset points", color=colour)
    axes.set(xlabel="steps after the decay", ylabel="distance $|x_1|$", xscale="log", yscale="log")
    axes.legend(loc="lower left", labelcolor=GREY)
    return figure
