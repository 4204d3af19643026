"""The figures of chapter 4.4."""

import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap

from mslbook.paper.style import BLUE, GREEN, GREY, SKY, VERMILLION

THREE_PANELS = (7.0, 2.4)
TWO_ROWS = (7.0, 3.6)
LOOKS = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "D"))


def valley_walk(path, motion, stop, landscape):
    """Journal fig. 4.2, preprint fig. 5: descent in the valley beside the slow motion.

    `landscape` is (x1, x2, loss) on a grid, with the loss of shape (len(x2), len(x1)).
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=THREE_PANELS)
    left.contour(*landscape, levels=4, colors=GREY, linewidths=0.7)
    left.plot(*path.points[:1213:101].T, "-", linewidth=0.5, color=BLUE)  # an odd gap: it crosses
    left.plot(*path.points.T, ".", markersize=4, color=SKY)
    for side in (1, -1):
        left.plot(motion.points[:, 0], side * motion.amplitudes, "--", color=VERMILLION)
    left.axvline(stop, color=GREY, linestyle=":")
    left.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(0, 25), yticks=[-1, 0, 1])
    middle.plot(path.steps, path.points[:, 0], "-", linewidth=4, color=SKY, label="GD")
    middle.plot(motion.steps, motion.points[:, 0], "--", color=VERMILLION, label="(4.8)")
    middle.axhline(stop, color=GREY, linestyle=":")
    middle.set(xlabel="step", ylabel="$x_1$", yticks=[0, 10, 20], xticks=[0, 2000, 4000])
    middle.legend(loc="lower right", handlelength=1.5, borderaxespad=0)
    right.plot(path.steps, abs(path.points[:, 1]), "-", linewidth=4, color=SKY)
    right.plot(motion.steps, motion.amplitudes, "--", color=VERMILLION)
    right.set(xlabel="step", ylabel="$|x_2|$", yticks=[0, 0.5, 1], xticks=[0, 2000, 4000])
    for axes in (left, middle, right):
        axes.grid(False)
    return figure


def bowls(lrs, paths, motions, landscape, stops):
    """Starts around a bowl of h, by learning rate: descent, the slow motion, the level of the end.

    `paths` and `motions` are (steps + 1, len(lrs), starts, 2); `landscape` is (x1, x2, h).
    """
    figure, axes = plt.subplots(1, len(lrs), figsize=THREE_PANELS, sharey=True)
    extent = (*landscape[0][[0, -1]], *landscape[1][[0, -1]])
    shades = {"cmap": ListedColormap([(0.5, 0.5, 0.5, a) for a in (0, 0.1, 0.2, 0.3, 0.4)])}
    shades |= {"vmin": 0.6, "vmax": 1.1, "interpolation": "nearest"}
    for k, (panel, lr, stop) in enumerate(zip(axes, lrs, stops, strict=True)):
        panel.imshow(landscape[2], extent=extent, origin="lower", aspect="auto", **shades)
        panel.contour(*landscape, levels=[stop], colors=[GREEN], linewidths=3)
        panel.plot(*paths[:, k].T.reshape(2, -1), ".", markersize=5, color=BLUE)
        for start in range(motions.shape[2]):
            panel.plot(*motions[:, k, start].T, "--", linewidth=1.3, color=VERMILLION)
        panel.set(title=f"$\\eta = {lr:g}$", xlabel="$x_1$", xticks=[-20, 0, 20])
        panel.grid(False)
    axes[0].set(ylabel="$x_2$", yticks=[-10, 0, 10])
    return figure


def three_noises(steps, walks, lrs, stop, names):
    """Descent without noise, with label noise and with noise that vanishes at the minima.

    `walks` is a list of arrays (len(steps), len(lrs), walks, 2), one for each name.
    """
    figure, axes = plt.subplots(2, 3, figsize=TWO_ROWS, sharex=True, sharey="row")
    for (above, below), walk, name in zip(axes.T, walks, names, strict=True):
        for k, (lr, (colour, dash, _)) in enumerate(zip(lrs, LOOKS, strict=False)):
            look = {"color": colour, "linestyle": dash, "label": f"$\\eta = {lr:g}$"}
            above.plot(steps, walk[:, k, :, 0].mean(axis=1), **look)
            below.plot(steps, abs(walk[:, k, :, 1]).mean(axis=1), **look)
        above.axhline(stop, color=GREY, linestyle=":")
        above.set(title=name, yticks=[0, 10, 20])
        below.set(xlabel="step", xticks=[0, 1000, 2000], ylim=(0, None))
        above.grid(False)
        below.grid(False)
    axes[0, 0].set(ylabel="$x_1$")
    axes[1, 0].set(ylabel="$|x_2|$")
    axes[1, 0].legend(loc="upper right", handlelength=1.5, borderaxespad=0)
    return figure


def covariance_and_drift(dts, covariances, errors, predicted, places, drift, drift_errors, line):
    """Remark 4.2: the covariance of y by time step, and the velocity of x by place.

    `covariances`, `errors` and `predicted` are (len(dts), 3), in units of ησ²/4; `drift` and
    `drift_errors` likewise; `line` is (places, predicted velocities).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=THREE_PANELS)
    for k, (name, (colour, dash, marker)) in enumerate(
        zip(("$y_1 y_1$", "$y_2 y_2$", "$y_1 y_2$"), LOOKS, strict=False)
    ):
        bars = {"color": colour, "marker": marker, "markersize": 3, "capsize": 4}
        left.errorbar(dts, covariances[:, k], 2 * errors[:, k], label=name, ls="none", **bars)
        left.plot([0, *dts], predicted[:, k], dash, color=colour)
    left.set(xlabel="time step", ylabel="covariance", xticks=[0, 0.05, 0.1])
    left.legend(loc="center", ncols=3, columnspacing=0.5, handletextpad=0.1, borderaxespad=0)
    left.grid(False)
    right.plot(*line, "--", color=VERMILLION, label="$-\\nabla\\,$Tr$\\,H$")
    bars = {"color": BLUE, "fmt": ".", "capsize": 4, "label": "measured"}
    right.errorbar(places, drift, 2 * drift_errors, **bars)
    right.set(xlabel="$x$", ylabel="velocity")
    right.legend(loc="upper right", handlelength=1.5, borderaxespad=0)
    right.grid(False)
    return figure
