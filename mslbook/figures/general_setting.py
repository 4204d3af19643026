"""The figures of chapter 4.3."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.figures import BLUE, GREEN, GREY, ONE_PANEL, PURPLE, TWO_PANELS, VERMILLION

LOOKS = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (GREY, "-"))


def definition_by_distance(found, proved):
    """Both conditions of definition 4.1 by distance: growth and smallest cosine.

    `found` has what `subquadratic` found, by the name of the loss; `proved` is a lower bound of
    the cosine, drawn as a line.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for (name, loss), (color, dash) in zip(found.items(), LOOKS, strict=False):
        left.loglog(loss.radii, loss.growth, dash, color=color, label=name)
        if loss.cosines.min() < 0.99:
            right.semilogx(loss.radii, loss.cosines, dash, color=color, label=name)
    right.axhline(1, color=GREY, linestyle=":", linewidth=1.5)
    right.text(1e6, 0.98, "one variable", ha="right", va="top", color=GREY, fontsize=12)
    right.axhline(proved, color=GREY, linestyle="--", linewidth=1.5)
    right.text(1e6, proved - 0.02, f"proved: {proved:g}", ha="right", va="top", color=GREY)
    left.set(xlabel="distance $r$", ylabel="largest $\\|\\nabla f\\| / r$", ylim=(1e-9, 1e9))
    left.legend(loc="lower left", fontsize=11, handlelength=2.4)
    right.set(xlabel="distance $r$", ylabel="smallest cosine", ylim=(0, 1.1))
    for axes in (left, right):
        axes.set_xlim(1e-3, 1e6)
    return figure


def caught(steps, distances, radius):
    """Distances of many trajectories by step: all of them in a band, three of them as lines.

    `distances` has a row for each step and a column for each trajectory, the farthest start last.
    """
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    low, middle, high = np.quantile(distances, (0.05, 0.5, 1), axis=1)
    axes.fill_between(steps, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(steps, high, "-", color=BLUE, label="the farthest of all")
    axes.plot(steps, middle, "-.", color=GREEN, label="half are nearer than this")
    axes.axhline(radius, color=VERMILLION, linestyle="--", label="radius $R_\\eta$")
    axes.set(xlabel="step", ylabel="distance $\\|x_t\\|$", yscale="log")
    axes.legend(loc="upper right")
    return figure


def radius_by_learning_rate(lrs, cycle, r2, trap, visited):
    """The radius by learning rate: f1 and its two-cycle left, f3 and what descent visits right.

    `cycle` and `r2` of f1 belong to `lrs`; `visited` is the farthest iterate on f3 at `trap.lr`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(lrs, r2, "--", color=VERMILLION, label="$r_2$")
    left.plot(lrs, cycle, "-", color=BLUE, label="$r_1 = x_\\eta$")
    left.set(xlabel="learning rate $\\eta$", ylabel="distance", title="$f_1$")
    left.legend(loc="upper left")
    right.loglog(trap.lr, trap.by_c, ":", color=PURPLE, label="$r_1$ from $c$")
    right.loglog(trap.lr, trap.r2, "--", color=VERMILLION, label="$r_2$")
    right.loglog(trap.lr, trap.r1, "-", color=BLUE, label="$r_1$")
    right.loglog(trap.lr, visited, "o", color=GREEN, label="farthest visited")
    right.set(xlabel="learning rate $\\eta$", title="$f_3$")
    right.set_xticks([0.2, 0.5, 1, 2, 5], labels=["0.2", "0.5", "1", "2", "5"])
    right.set_yticks([1, 10], labels=["1", "10"])
    right.minorticks_off()
    right.legend(loc="upper left", fontsize=11)
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
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    for (name, distances), (color, dash) in zip(paths.items(), LOOKS, strict=True):
        axes.plot(distances, dash, color=color, label=name)
    axes.set(xlabel="step", ylabel="$|x_t|$", yscale="log", ylim=(1e-4, 1e5))
    axes.legend(loc="center right", fontsize=11)
    return figure
