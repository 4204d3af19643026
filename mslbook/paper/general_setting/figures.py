"""The figures of chapter 4.3; panels are stacked, so that they fit a telephone."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cycler

from mslbook.paper import style
from mslbook.paper.style import BLUE, DASHED, DOTTED, FOUR_LINES, GREEN, GREY, PURPLE, VERMILLION

LOW, TALL = (5.0, 2.8), (5.2, 5.4)  # inches
LOOKS = FOUR_LINES.concat(cycler(color=[GREY], linestyle=[(0, (7, 1))]))


def definition_by_distance(conditions, bound):
    """Growth of the gradient and smallest cosine by distance, for each loss; its lower `bound`."""
    figure, (above, below) = plt.subplots(2, 1, figsize=TALL)
    for (name, loss), look in zip(conditions.items(), LOOKS, strict=True):
        above.plot(loss.radii, loss.growth, label=name, **look)
        if loss.cosines.min() < 0.99:
            below.plot(loss.radii, loss.cosines, **look)
    below.axhline(bound, **DASHED)
    below.text(1e4, bound - 0.02, f"bound: {bound:g}", ha="right", va="top", color=GREY)
    style.label_axes(above, "", "largest $\\|\\nabla f\\| / r$", log="xy")
    above.set(xlim=(1e-3, 1e6), yticks=[1e-6, 1, 1e6], ylim=(1e-9, 1e12))
    above.legend(loc="upper left", fontsize=11, labelspacing=0.2)
    style.label_axes(below, "distance $r$", "smallest cosine of $f_3$", log="x")
    below.set(xlim=(1e-3, 1e4), ylim=(0, 1))
    return figure


def trapped_trajectories(steps, distances, radius):
    """Distances (steps, trajectories) by step: a band, the median and the farthest trajectory."""
    figure, axes = plt.subplots(figsize=LOW)
    low, middle, high = np.quantile(distances, (0.05, 0.5, 1), axis=1)
    axes.fill_between(steps, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(steps, high, "-", color=BLUE, label="the farthest of all")
    axes.plot(steps, middle, "-.", color=GREEN, label="half are nearer than this")
    axes.axhline(radius, color=VERMILLION, linestyle="--", label="radius $R_\\eta$")
    style.label_axes(axes, "step", "distance $\\|x_t\\|$", "y", "upper right", ylim=(0.1, 1e5))
    axes.minorticks_off()
    return figure


def radius_by_learning_rate(trap, visited):
    """The radii by learning rate, and the farthest point that descent visits at each."""
    figure, axes = plt.subplots(figsize=LOW)
    axes.plot(trap.lr, trap.by_c, ":", color=PURPLE, label="$r_1$ from $c$")
    lr, r1, r2, visited = np.stack([trap.lr, trap.r1, trap.r2, visited])[:, trap.r1 > 0]
    axes.plot(lr, r2, "--", color=VERMILLION, label="$r_2$")
    axes.plot(lr, r1, "-", color=BLUE, label="$r_1$")
    axes.plot(lr, visited, "o", color=GREEN, label="farthest visited")
    style.label_axes(axes, "learning rate $\\eta$", "distance", "xy", "upper left", ylim=(0.4, 40))
    style.plain_ticks(axes, x=[0.2, 0.5, 1, 2, 5], y=[1, 10])
    return figure


def staircase(x, values, starts, ends):
    """A loss with level steps, and where descent ends on it by where it starts, in units of π."""
    figure, (above, below) = plt.subplots(2, 1, figsize=TALL)
    ticks = np.arange(-9, 10, 3)
    above.plot(x / np.pi, values, "-", color=BLUE)
    style.label_axes(above, "$x / \\pi$", "loss", xticks=ticks)
    below.plot(starts / np.pi, ends / np.pi, ".", color=VERMILLION, markersize=2)
    below.plot(starts / np.pi, starts / np.pi, **DOTTED)
    style.label_axes(below, "start $x_0 / \\pi$", "end $/ \\pi$", xticks=ticks, yticks=ticks[::2])
    return figure


def trapped_or_diverging(distances):
    """Distances by step on several losses, by label."""
    figure, axes = plt.subplots(figsize=LOW)
    for (name, curve), look in zip(distances.items(), LOOKS, strict=True):
        axes.plot(curve, label=name, **look)
    style.label_axes(axes, "step", "$|x_t|$", "y", yticks=10.0 ** np.arange(-2, 8, 2))
    axes.set_ylim(1e-2, 1e7)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=11)
    return figure
