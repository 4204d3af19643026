"""The figures of chapter 4.4."""

import matplotlib.pyplot as plt

from mslbook.figures import BLUE, GREEN, GREY, SKY, TWO_PANELS, VERMILLION

TWO_ROWS = (7.0, 4.6)
LOOKS = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "D"))


def _legend(axes, **where):
    """A legend without a frame, whose handles are short."""
    axes.legend(handlelength=1.6, borderaxespad=0.2, **where)


def valley_walk(path, motion, stop, landscape):
    """Journal fig. 4.2, preprint fig. 5: descent in the valley beside the slow motion.

    `landscape` is (x1, x2, loss) on a grid, with the loss of shape (len(x2), len(x1)).
    """
    figure, axes = plt.subplot_mosaic("AA;BC", figsize=TWO_ROWS)
    top, left, right = axes.values()
    top.contour(*landscape, levels=5, colors=GREY, linewidths=0.8)
    top.plot(*path.points.T, ".", markersize=5, color=BLUE)
    for side in (1, -1):
        top.plot(motion.points[:, 0], side * motion.amplitudes, "--", color=VERMILLION)
    top.axvline(stop, color=GREY, linestyle=":")
    top.set(xlabel="$x_1$, along the valley", ylabel="$x_2$", xlim=(0, 25))
    left.plot(path.steps, path.points[:, 0], "-", linewidth=4, color=SKY, label="GD")
    left.plot(motion.steps, motion.points[:, 0], "--", color=VERMILLION, label="eq. (4.8)")
    left.axhline(stop, color=GREY, linestyle=":", label="the end")
    left.set(xlabel="step", ylabel="$x_1$")
    _legend(left, loc="lower right", bbox_to_anchor=(1, 0.05))
    right.plot(path.steps, abs(path.points[:, 1]), "-", linewidth=4, color=SKY)
    right.plot(motion.steps, motion.amplitudes, "--", color=VERMILLION)
    right.set(xlabel="step", ylabel="$|x_2|$", ylim=(0, None))
    return figure


def lag(steps, measured, predicted):
    """How far |y| is from its two-cycle, by step: measured, and as the lag that is predicted."""
    figure, axes = plt.subplots(figsize=(5.2, 2.8))
    axes.plot(steps, 1000 * measured, "-", linewidth=4, color=SKY, label="measured")
    axes.plot(steps, 1000 * predicted, "--", color=VERMILLION, label="predicted lag")
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set(xlabel="step", ylabel="$1000\\,(|y| / Y - 1)$", xscale="log", ylim=(-4, 4))
    _legend(axes, loc="lower right")
    return figure


def bowls(lrs, paths, motions, landscape, stops):
    """Starts around a bowl of h, by learning rate: descent, the slow motion, the level of the end.

    `paths` and `motions` are (steps + 1, len(lrs), starts, 2); `landscape` is (x1, x2, h).
    """
    figure, axes = plt.subplots(1, len(lrs), figsize=(7.0, 2.7), sharey=True)
    for k, (panel, lr, stop) in enumerate(zip(axes, lrs, stops, strict=True)):
        panel.contour(*landscape, levels=4, colors=GREY, linewidths=0.7)
        panel.contour(*landscape, levels=[stop], colors=[GREEN], linewidths=3)
        panel.plot(*paths[:, k].T.reshape(2, -1), ".", markersize=4, color=BLUE)
        for start in range(motions.shape[2]):
            panel.plot(*motions[:, k, start].T, "--", linewidth=1.3, color=VERMILLION)
        panel.set(title=f"$\\eta = {lr:g}$", xlabel="$x_1$", xticks=[-25, 0, 25])
        panel.grid(False)
    axes[0].set(ylabel="$x_2$")
    return figure


def three_noises(steps, walks, lrs, stop, names):
    """Descent without noise, with label noise and with noise that vanishes at the minima.

    `walks` is a list of arrays (len(steps), len(lrs), walks, 2), one for each name.
    """
    figure, axes = plt.subplots(2, 3, figsize=TWO_ROWS, sharex=True, sharey="row")
    for column, walk, name in zip(axes.T, walks, names, strict=True):
        for k, (lr, (colour, dash, _)) in enumerate(zip(lrs, LOOKS, strict=False)):
            label = f"$\\eta = {lr:g}$"
            column[0].plot(steps, walk[:, k, :, 0].mean(1), dash, color=colour, label=label)
            column[1].plot(steps, abs(walk[:, k, :, 1]).mean(1), dash, color=colour)
        column[0].axhline(stop, color=GREY, linestyle=":")
        column[0].set(title=name)
        column[1].set(xlabel="step", xticks=[0, 1000, 2000])
    axes[0, 0].set(ylabel="$x_1$")
    axes[1, 0].set(ylabel="$|x_2|$", ylim=(0, None))
    _legend(axes[1, 0], loc="upper right")
    return figure


def covariance_and_drift(dts, covariances, errors, predicted, places, drift, drift_errors, line):
    """Remark 4.2: the covariance of y by time step, and the velocity of x by place.

    `covariances`, `errors` and `predicted` are (len(dts), 3), in units of ησ²/4; `drift` and
    `drift_errors` likewise; `line` is (places, predicted velocities).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for k, (name, (colour, dash, marker)) in enumerate(
        zip(("$y_1 y_1$", "$y_2 y_2$", "$y_1 y_2$"), LOOKS, strict=False)
    ):
        bars = {"color": colour, "marker": marker, "linestyle": "none", "capsize": 3}
        left.errorbar(dts, covariances[:, k], 2 * errors[:, k], label=name, **bars)
        left.plot([0, *dts], predicted[:, k], dash, color=colour)
    left.set(xlabel="time step", ylabel="covariance / $(\\eta\\sigma^2/4)$", ylim=(-0.2, 1.9))
    _legend(left, loc="upper left", ncols=3, columnspacing=0.6, handletextpad=0.2)
    right.plot(*line, "--", color=VERMILLION, label="$-\\nabla\\,$Tr$\\,H$")
    bars = {"color": BLUE, "fmt": "o", "capsize": 3, "label": "measured"}
    right.errorbar(places, drift, 2 * drift_errors, **bars)
    right.set(xlabel="$x$", ylabel="velocity / $(\\eta\\sigma^2/4)$")
    _legend(right, loc="upper right")
    return figure
