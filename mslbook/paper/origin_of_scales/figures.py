"""The figures of chapter 6. Curvatures of 0 are not drawn on logarithmic axes."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cycler

from mslbook.paper import style
from mslbook.paper.separate_scales.figures import draw_surface
from mslbook.paper.style import BLUE, GREEN, GREY, OCHRE, ONE_PANEL, PURPLE, THREE_LINES, VERMILLION

TALL = (ONE_PANEL[0], 5.8)  # two panels, which a telephone shows whole
TWO_LINES = cycler(color=[BLUE, OCHRE], linestyle=["-", "--"])


def two_losses(w, three, uniform, side, heights):
    """Journal fig. 6.1, preprint fig. 7: losses of one weight, and a loss of two weights."""
    figure = plt.figure(figsize=TALL)
    rows = figure.add_gridspec(2, 1, height_ratios=(1, 1.2))
    above = figure.add_subplot(rows[0])
    style.plot_each(above, w, {"three data": three, "uniform data": uniform}, TWO_LINES)
    style.label_axes(above, "$w$", "loss $L(w)$", legend="upper right", ylim=(0, 1.4))
    below = figure.add_subplot(rows[1], projection="3d")
    draw_surface(below, "w", (side, side), heights)
    return figure


def curvatures(w, average, second):
    """The average curvature and the second derivative over w; each maps a label to an array."""
    figure, (above, below) = plt.subplots(2, 1, figsize=TALL)
    style.plot_each(above, w, {label: _positive(y) for label, y in average.items()}, TWO_LINES)
    style.plot_each(below, w, second, TWO_LINES)
    style.label_axes(above, "$w$", "average curvature $L'(w)/w$", "xy", legend="lower left")
    below.axhline(0, color=GREY, linewidth=1)
    style.label_axes(below, "$w$", "second derivative $L''(w)$", "x")
    return figure


def recovered_tail(c, truth, recovered):
    """The share of data above c: true (line), and every fourth value read off the loss (dots)."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(c, truth, "-", linewidth=3, color=GREY, label="true")
    dots = {"markersize": 4, "color": VERMILLION, "label": "read off the loss"}
    axes.plot(c[::4], recovered[::4], "o", **dots)
    style.label_axes(axes, "$c$", "share of data above $c$", "x", "upper right", ylim=(-0.05, 1.05))
    return figure


def lengths_and_curvature(lengths, w, of_lengths, of_components):
    """Increasing lengths of images, by label, and average curvatures over w, relative to 0."""
    figure, (above, below) = plt.subplots(2, 1, figsize=TALL)
    for (label, sizes), look in zip(lengths.items(), THREE_LINES, strict=True):
        above.plot(np.linspace(0, 1, len(sizes)), sizes, label=label, **look)
    style.label_axes(above, "share of shorter images", "relative length", "y", ylim=(1e-2, 1e2))
    above.legend(loc="lower right", fontsize=11)
    below.plot(w, _positive(of_lengths), "-", color=GREEN, label="lengths")
    below.plot(w, _positive(of_components), "--", color=BLUE, label="components")
    style.label_axes(below, "$w$ × median size", "relative $L'(w)/w$", "xy", ylim=(1e-6, 2))
    below.legend(loc="lower left", fontsize=11)
    return figure


LOOKS = cycler(color=[BLUE, GREEN, VERMILLION], linestyle=["-", ":", "-."], marker=list("os^"))


def sharpness_by_length(sharpness, band):
    """Relative sharpness of the deciles of images, by condition, over a random `band`."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.axhspan(*band, color=GREY, alpha=0.3, linewidth=0, label="random deciles")
    style.plot_each(axes, np.arange(1, 11), sharpness, LOOKS, markersize=4)
    style.label_axes(axes, "decile of the images, by length", "relative sharpness", "y")
    axes.set(xticks=(1, 4, 7, 10), ylim=(0.2, 8))
    style.plain_ticks(axes, y=(0.25, 0.5, 1, 2, 4))
    axes.legend(loc="upper left", fontsize=11, ncols=2)
    return figure


def width_by_speed(speed, width):
    """The width of the quadratic core of the deciles over their speed, by condition."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    for (label, y), look in zip(width.items(), LOOKS, strict=False):
        axes.plot(speed[label], y, look["marker"], color=look["color"], markersize=5, label=label)
    axes.plot([8, 60], [1.7 / 8, 1.7 / 60], "--", color=GREY, label="slope −1")
    style.label_axes(axes, "speed", "width of the core", "xy")
    style.plain_ticks(axes, x=(10, 20, 50), y=(0.02, 0.05, 0.1, 0.2))
    axes.legend(loc="lower left", fontsize=11)
    return figure


def growth_by_arm(losses, exponents):
    """The growth exponent over the training loss; each maps a label to an array."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    looks = ((BLUE, "o"), (GREEN, "s"), (VERMILLION, "^"), (PURPLE, "x"))
    for (label, y), (colour, marker) in zip(exponents.items(), looks, strict=True):
        axes.plot(losses[label].ravel(), y.ravel(), marker, color=colour, markersize=4, label=label)
    axes.axhline(2, color=GREY, linewidth=1)
    axes.text(0.055, 1.98, "a parabola", color=GREY, fontsize=11, ha="right", va="top")
    style.label_axes(axes, "training loss", "growth exponent", "x", xlim=(0.7, 0.05))
    style.plain_ticks(axes, x=(0.5, 0.2, 0.1))
    axes.set_ylim(1.4, 2.1)
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.84), fontsize=11, ncols=2)
    return figure


def _positive(values):
    return np.where(values > 0, values, np.nan)
