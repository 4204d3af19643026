"""The figures of chapter 6."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper.style import (  # fmt: skip
    BLUE,
    GREEN,
    GREY,
    OCHRE,
    ONE_PANEL,
    PURPLE,
    THREE_LINES,
    TWO_PANELS,
    VERMILLION,
)


def two_losses(w, three, uniform, side, heights):
    """Journal fig. 6.1, preprint fig. 7: losses of one weight, and a loss of two weights as a map.

    Left, over `w`, the loss on three data and that on uniform data; right, the `heights` of a loss
    of two weights on the grid `side` × `side`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(w, three, "-", color=BLUE, label="three data")
    left.plot(w, uniform, "--", color=OCHRE, label="uniform data")
    left.set(xlabel="$w$", ylabel="loss $L(w)$", ylim=(0, 1.4))
    left.legend(loc="upper right")
    levels = np.linspace(0, 2, 9)
    filled = right.contourf(side, side, heights.T, levels, cmap="viridis")
    figure.colorbar(filled, ticks=levels[::4]).set_label("loss")
    right.set(xlabel="$w_1$", ylabel="$w_2$")
    right.grid(visible=False)
    return figure


def curvatures(w, average, second):
    """The average curvature and the second derivative over w; each maps a label to an array.

    Average curvatures of 0 are not drawn.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    drawn = {label: np.where(y > 0, y, np.nan) for label, y in average.items()}
    looks = ((BLUE, "-"), (OCHRE, "--"))
    for axes, curves in ((left, drawn), (right, second)):
        for (colour, dash), (label, y) in zip(looks, curves.items(), strict=True):
            axes.plot(w, y, dash, color=colour, label=label)
        axes.set(xlabel="$w$", xscale="log")
    left.set(yscale="log", ylabel="average curvature $L'(w)/w$")
    left.legend(loc="lower left")
    right.axhline(0, color=GREY, linewidth=1)
    right.set_ylabel("second derivative $L''(w)$")
    return figure


def read_back(c, truth, read):
    """The share of data above c: true (line), and every fourth value read off the loss (dots)."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(c, truth, "-", linewidth=3, color=GREY, label="true")
    axes.plot(c[::4], read[::4], "o", markersize=4, color=VERMILLION, label="read off the loss")
    axes.set(xlabel="$c$", ylabel="share of data above $c$", xscale="log", ylim=(-0.05, 1.05))
    axes.legend(loc="upper right")
    return figure


def lengths_and_curvature(lengths, w, of_lengths, of_components):
    """Lengths of pictures by rank, and average curvatures over w, relative to that at 0.

    `lengths` maps a label to increasing lengths. Curvatures of 0 are not drawn.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for (label, sizes), (colour, dash) in zip(lengths.items(), THREE_LINES, strict=True):
        left.plot(np.linspace(0, 1, len(sizes)), sizes, dash, color=colour, label=label)
    left.set(xlabel="share of shorter pictures", ylabel="relative length", yscale="log")
    left.set(ylim=(1e-2, 1e2))
    left.legend(loc="lower right", fontsize=11)
    for y, colour, dash, label in (
        (of_lengths, GREEN, "-", "lengths"),
        (of_components, BLUE, "--", "components"),
    ):
        right.plot(w, np.where(y > 0, y, np.nan), dash, color=colour, label=label)
    right.set(xlabel="$w$ × median size", ylabel="relative $L'(w)/w$")
    right.set(xscale="log", yscale="log", ylim=(1e-6, 2))
    right.legend(loc="lower left", fontsize=11)
    return figure


def tenths(sharpness, band, speed, width):
    """Tenths of pictures by length and by speed, on logarithmic axes.

    Left, `sharpness` maps a label to that of ten tenths, relative to the whole, over a grey `band`
    from least to most; right, `width` over `speed`, each mapping a label to arrays, beside a line
    of slope -1.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    number = np.arange(1, 11)
    left.axhspan(*band, color=GREY, alpha=0.3, linewidth=0, label="random")
    looks = ((BLUE, "-o"), (GREEN, ":s"), (VERMILLION, "-.^"))
    for (label, y), (colour, look) in zip(sharpness.items(), looks, strict=True):
        left.plot(number, y, look, color=colour, markersize=4, label=label)
    left.set(xlabel="tenth of the pictures, by length", ylabel="relative sharpness", yscale="log")
    left.set(xticks=(1, 4, 7, 10), yticks=(0.25, 0.5, 1, 2, 4), yticklabels=(0.25, 0.5, 1, 2, 4))
    left.set(ylim=(0.2, 8))
    left.minorticks_off()
    left.legend(loc="upper left", fontsize=11, ncols=2)
    for (label, y), (colour, look) in zip(width.items(), looks, strict=False):
        right.plot(speed[label], y, look[-1], color=colour, markersize=5, label=label)
    ends = np.array([8.0, 60.0])
    right.plot(ends, 1.7 / ends, "--", color=GREY, label="slope −1")
    right.set(xlabel="speed", ylabel="width of the core", xscale="log", yscale="log")
    right.set(xticks=(10, 20, 50), xticklabels=(10, 20, 50))
    right.set(yticks=(0.02, 0.05, 0.1, 0.2), yticklabels=(0.02, 0.05, 0.1, 0.2))
    right.minorticks_off()
    right.legend(loc="lower left", fontsize=11)
    return figure


def growth_by_arm(losses, exponents):
    """The growth exponent over the training loss; each maps a label to an array, a line per row."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    looks = ((BLUE, "o"), (GREEN, "s"), (VERMILLION, "^"), (PURPLE, "x"))
    for (label, y), (colour, marker) in zip(exponents.items(), looks, strict=True):
        axes.plot(losses[label].ravel(), y.ravel(), marker, color=colour, markersize=4, label=label)
    axes.axhline(2, color=GREY, linewidth=1)
    axes.text(0.055, 1.98, "a parabola", color=GREY, fontsize=11, ha="right", va="top")
    axes.set(xlabel="training loss", ylabel="growth exponent", xscale="log", ylim=(1.4, 2.1))
    axes.set(xlim=(0.7, 0.05), xticks=(0.5, 0.2, 0.1), xticklabels=(0.5, 0.2, 0.1))
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.84), fontsize=11, ncols=2)
    return figure
