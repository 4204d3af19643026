"""The figures of chapter 4.4; panels are stacked, so that they fit a telephone."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from mslbook.paper import style
from mslbook.paper.style import BLUE, FOUR_LINES, GREEN, GREY, SKY, VERMILLION

LOOK = plt.rc_context({"axes.grid": False, "axes.prop_cycle": FOUR_LINES})
WIDTH = 5.0  # inches
STOP = {"color": GREY, "linestyle": ":"}  # where the motion stops
COMPACT = {"handlelength": 1.5, "borderaxespad": 0}
GREYS = ListedColormap([(0.5, 0.5, 0.5, alpha) for alpha in (0, 0.1, 0.2, 0.3, 0.4)])


@LOOK
def motion_along_valley(path, motion, stop, landscape):
    """Journal fig. 4.2, preprint fig. 5: descent in the valley beside the slow motion."""
    figure, (plane, middle, below) = plt.subplots(3, 1, figsize=(WIDTH, 6.6))
    plane.contour(*landscape, levels=4, colors=GREY, linewidths=0.7)
    plane.plot(*path.points[:1213:101].T, "-", linewidth=0.5, color=BLUE)  # an odd gap: it crosses
    plane.plot(*path.points.T, ".", markersize=4, color=SKY)
    plane.plot(motion.points, np.outer(motion.amplitudes, (1, -1)), "--", color=VERMILLION)
    plane.axvline(stop, **STOP)
    style.label_axes(plane, "$x_1$", "$x_2$", xlim=(0, 25), yticks=[-1, 0, 1])
    middle.plot(path.steps, path.points[:, 0], "-", linewidth=4, color=SKY, label="GD")
    middle.plot(motion.points[:, 0], "--", color=VERMILLION, label="(4.8)")
    middle.axhline(stop, **STOP)
    style.label_axes(middle, "", "$x_1$", xticks=[0, 2000, 4000], yticks=[0, 10, 20])
    middle.legend(loc="lower right", **COMPACT)
    below.plot(path.steps, abs(path.points[:, 1]), "-", linewidth=4, color=SKY)
    below.plot(motion.amplitudes, "--", color=VERMILLION)
    style.label_axes(below, "step", "$|x_2|$", xticks=[0, 2000, 4000], yticks=[0, 0.5, 1])
    return figure


@LOOK
def starts_around_minimum(lrs, paths, motions, landscape, stops):
    """Descent and slow motion (steps, lrs, starts, 2) around a minimum of h, by learning rate."""
    x, y, h = landscape
    figure, panels = plt.subplots(3, 1, figsize=(WIDTH, 6.6), sharex=True)
    image = {"extent": (x[0], x[-1], y[0], y[-1]), "origin": "lower", "interpolation": "nearest"}
    for k, (axes, lr, stop) in enumerate(zip(panels, lrs, stops, strict=True)):
        axes.imshow(h, GREYS, vmin=0.6, vmax=1.1, aspect="auto", **image)
        axes.contour(x, y, h, levels=[stop], colors=[GREEN], linewidths=3)
        axes.plot(*paths[:, k].T.reshape(2, -1), ".", markersize=5, color=BLUE)
        axes.plot(*motions[:, k].transpose(2, 0, 1), "--", linewidth=1.3, color=VERMILLION)
        axes.set(title=f"$\\eta = {lr:g}$", ylabel="$x_2$", yticks=[-10, 0, 10])
    panels[-1].set(xlabel="$x_1$", xticks=[-20, 0, 20])
    return figure


@LOOK
def three_noises(steps, trajectories, lrs, stop, names):
    """Mean of trajectories (steps, lrs, runs, 2) without noise and with two kinds of noise."""
    figure, panels = plt.subplots(3, 2, figsize=(WIDTH, 5.4), sharex=True, sharey="col")
    labels = [f"$\\eta = {lr:g}$" for lr in lrs]
    for (left, right), points, name in zip(panels, trajectories, names, strict=True):
        left.plot(steps, points[..., 0].mean(axis=2))
        left.axhline(stop, **STOP)
        left.set(title=name, ylabel="$x_1$", yticks=[0, 10, 20])
        right.plot(steps, abs(points[..., 1]).mean(axis=2), label=labels)
        right.set(ylabel="$|x_2|$", ylim=(0, None))
    for axes in panels[-1]:
        axes.set(xlabel="step", xticks=[0, 1000, 2000])
    panels[0, 1].legend(loc="upper right", **COMPACT)
    return figure


@LOOK
def covariance_and_drift(dts, covariances, errors, predicted, places, drift, drift_errors, line):
    """Remark 4.2: covariances (dts, 3) of y in units of ησ²/4, and the velocity of x by place."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.6))
    names = ("$y_1 y_1$", "$y_2 y_2$", "$y_1 y_2$")
    for k, (name, marker, look) in enumerate(zip(names, "osD", FOUR_LINES, strict=False)):
        bars = {"color": look["color"], "marker": marker, "markersize": 3, "capsize": 4}
        above.errorbar(dts, covariances[:, k], 2 * errors[:, k], label=name, ls="none", **bars)
        above.plot([0, *dts], predicted[:, k], **look)
    style.label_axes(above, "time step", "covariance", xticks=[0, 0.05, 0.1])
    above.legend(loc="center", ncols=3, columnspacing=0.5, handletextpad=0.1, borderaxespad=0)
    below.plot(*line, "--", color=VERMILLION, label="$-\\nabla\\,$Tr$\\,H$")
    bars = {"color": BLUE, "fmt": ".", "capsize": 4, "label": "measured"}
    below.errorbar(places, drift, 2 * drift_errors, **bars)
    style.label_axes(below, "$x$", "velocity")
    below.legend(loc="upper right", **COMPACT)
    return figure
