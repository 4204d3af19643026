"""The figures of chapter 6."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.figures import BLUE, GREEN, GREY, OCHRE, ONE_PANEL, THREE_LINES, TWO_PANELS, VERMILLION


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
    left.legend(loc="lower right", fontsize=10)
    for y, colour, dash, label in (
        (of_lengths, GREEN, "-", "lengths"),
        (of_components, BLUE, "--", "components"),
    ):
        right.plot(w, np.where(y > 0, y, np.nan), dash, color=colour, label=label)
    right.set(xlabel="$w$ × median size", ylabel="relative $L'(w)/w$")
    right.set(xscale="log", yscale="log", ylim=(1e-6, 2))
    right.legend(loc="lower left", fontsize=10)
    return figure
