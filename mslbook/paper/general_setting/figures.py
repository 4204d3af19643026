"""The figures of chapter 4.3."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper.style import BLUE, GREEN, GREY, PURPLE, TWO_PANELS, VERMILLION

LOW = (5.0, 2.8)  # inches
LOOKS = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (GREY, (0, (7, 1))))


def definition_by_distance(found, proved):
    """Both conditions of definition 4.1 by distance: growth and smallest cosine.

    `found` has what `subquadratic` found, by the name of the loss; `proved` is a lower bound of
    the cosine, drawn as a line.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for (name, loss), (color, dash) in zip(found.items(), LOOKS, strict=True):
        left.loglog(loss.radii, loss.growth, linestyle=dash, color=color, label=name)
        if loss.cosines.min() < 0.99:
            right.semilogx(loss.radii, loss.cosines, linestyle=dash, color=color)
    right.axhline(proved, color=GREY, linestyle="--", linewidth=1.5)
    right.text(1e4, proved - 0.02, f"proved: {proved:g}", ha="right", va="top", color=GREY)
    left.set(xlabel="distance $r$", ylabel="largest $\\|\\nabla f\\| / r$", ylim=(1e-9, 1e12))
    left.set_yticks([1e-6, 1, 1e6])
    left.legend(loc="upper left", fontsize=11, labelspacing=0.2)
    right.set(xlabel="distance $r$", ylabel="smallest cosine", ylim=(0, 1), xlim=(1e-3, 1e4))
    left.set_xlim(1e-3, 1e6)
    return figure


def caught(steps, distances, radius):
    """Distances of many trajectories by step: all of them in a band, three of them as lines.

    `distances` has a row for each step and a column for each trajectory, the farthest start last.
    """
    figure, axes = plt.subplots(figsize=LOW)
    low, middle, high = np.quantile(distances, (0.05, 0.5, 1), axis=1)
    axes.fill_between(steps, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(steps, high, "-", color=BLUE, label="the farthest of all")
    axes.plot(steps, middle, "-.", color=GREEN, label="half are nearer than this")
    axes.axhline(radius, color=VERMILLION, linestyle="--", label="radius $R_\\eta$")
    axes.set(xlabel="step", ylabel="distance $\\|x_t\\|$", yscale="log", ylim=(0.1, 1e5))
    axes.minorticks_off()
    axes.legend(loc="upper right")
    return figure


def radius_by_learning_rate(trap, visited):
    """The radii by learning rate, and the farthest point that descent visits at each."""
    figure, axes = plt.subplots(figsize=LOW)
    r1, r2 = (np.where(radii > 0, radii, np.nan) for radii in (trap.r1, trap.r2))
    axes.loglog(trap.lr, trap.by_c, ":", color=PURPLE, label="$r_1$ from $c$")
    axes.loglog(trap.lr, r2, "--", color=VERMILLION, label="$r_2$")
    axes.loglog(trap.lr, r1, "-", color=BLUE, label="$r_1$")
    axes.loglog(
        trap.lr, np.where(r1 > 0, visited, np.nan), "o", color=GREEN, label="farthest visited"
    )
    axes.set(xlabel="learning rate $\\eta$", ylabel="distance", ylim=(0.4, 40))
    axes.set_xticks([0.2, 0.5, 1, 2, 5], labels=["0.2", "0.5", "1", "2", "5"])
    axes.set_yticks([1, 10], labels=["1", "10"])
    axes.minorticks_off()
    axes.legend(loc="upper left")
    return figure


def stairs(x, values, starts, ends):
    """A loss with level steps, and where descent ends on it by where it starts; in units of π."""
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(x / np.pi, values, "-", color=BLUE)
    left.set(xlabel="$x / \\pi$", ylabel="loss")
    right.plot(starts / np.pi, ends / np.pi, ".", color=VERMILLION, markersize=2)
    right.plot(starts / np.pi, starts / np.pi, ":", color=GREY, linewidth=1.5)
    right.set(xlabel="start $x_0 / \\pi$", ylabel="end $/ \\pi$")
    for axes in (left, right):
        axes.set_xticks(np.arange(-9, 10, 6))
    right.set_yticks(np.arange(-9, 10, 6))
    return figure


def caught_or_lost(paths):
    """Distances by step on several losses; `paths` has distances by label."""
    figure, axes = plt.subplots(figsize=LOW)
    for (name, distances), (color, dash) in zip(paths.items(), LOOKS, strict=True):
        axes.plot(distances, linestyle=dash, color=color, label=name)
    axes.set(xlabel="step", ylabel="$|x_t|$", yscale="log", ylim=(1e-2, 1e7))
    axes.set_yticks([1e-2, 1, 1e2, 1e4, 1e6])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=11)
    return figure
