"""The chapters' figures: one style, one digest, and then one function for each figure.

A chapter calls `use_style()` once, and `digest(...)` in every cell that shows a picture. A figure's
function takes what was computed (paths, losses, recorded results), draws it, and returns the
Matplotlib figure; it computes nothing that the chapter's text would have to explain.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

# Inches. At 100 dots per inch two panels fill the text column of the book.
ONE_PANEL = (5.0, 3.2)
TWO_PANELS = (7.0, 3.2)

# The colours of the style by name, for figures that pick them one by one; demos use the same.
BLUE, VERMILLION, GREEN, PURPLE, SKY, OCHRE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
)
THREE_LINES = ((BLUE, "-"), (VERMILLION, "-."), (GREEN, ":"))  # a colour and a dash for each
GREY = "#808080"  # axes and text: reads on white and on black

PRINTED_IN_FULL = 6  # a digest lists shorter arrays value by value


def use_style():
    """Give Matplotlib the book's style, and a notebook pictures with twice the pixels."""
    plt.style.use("mslbook.mslbook")
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def digest(label, /, **shown):
    """Print in one line of numbers what a figure shows.

    nbval compares text and skips pictures: this line is what notices that a figure has changed.
    Every keyword names a number or an array of any shape. Integers are printed as they are, other
    numbers to four significant digits; an array of more than six values is summed up as
    name[size] first to last in smallest..largest mean.

    The line stays the same when only the last digits of the numbers differ, as they do from one
    processor to the next: each number is first rounded to ten digits, so that a tie such as 0.12345
    falls to the same side everywhere, and what is smaller than a billionth of the array's largest
    value is printed as 0. Show it what is stable: a bound, a period or a mean of a chaotic path,
    never its 400th point.

    Raises ValueError for an empty array and where no number is given.

    >>> digest("two runs", lr=[0.1, 0.02], steps=5000)
    digest | two runs | lr 0.1 0.02 | steps 5000
    >>> digest("parabola", loss=np.linspace(-1, 2, 7) ** 2)
    digest | parabola | loss[7] 1 to 4 in 0..4 mean 1.25
    """
    if not shown:
        raise ValueError("a digest needs numbers: pass what the figure shows, as in loss=values")
    parts = [summary(name, np.asarray(values)) for name, values in shown.items()]
    print(" | ".join(["digest", label, *parts]))


def summary(name, values):
    """Sum up one named array for `digest`, as text."""
    if values.size == 0:
        raise ValueError(f"the digest of {name} is empty: pass at least one number")
    flat = values.ravel()
    if flat.size <= PRINTED_IN_FULL:
        return " ".join([name, *(written(value, flat) for value in flat)])
    marks = flat[0], flat[-1], flat.min(), flat.max(), flat.mean()
    return "{}[{}] {} to {} in {}..{} mean {}".format(
        name, flat.size, *(written(mark, flat) for mark in marks)
    )


def written(value, among):
    """Write one number to four significant digits; noise beside the others is written as 0."""
    if np.issubdtype(value.dtype, np.integer):
        return str(value)
    if abs(value) <= 1e-9 * np.max(np.abs(among), where=np.isfinite(among), initial=0):
        return "0"
    return f"{float(f'{value:.10g}'):.4g}"


def descent_over_time(path, decay_steps):
    """Journal fig. 4.1, preprint fig. 4: the iterates of one variable, and the loss, by step."""
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(path.steps, path.points, ".", markersize=3, color=BLUE)
    left.set(xlabel="step", ylabel="iterate $x_t$")
    right.plot(path.steps, path.values, ".", markersize=3, color=VERMILLION)
    right.set(xlabel="step", ylabel="loss $f(x_t)$")
    for axes in (left, right):
        for step in decay_steps:
            axes.axvline(step, color=GREY, linestyle=":", linewidth=1.5)
    return figure


def cycle_by_learning_rate(lrs, cycle, end_lrs, ends, stable):
    """The two-cycle by learning rate: the prediction as lines, where descent ended as dots.

    `cycle` is x_η at `lrs`; `ends` are last iterates, one for each entry of `end_lrs`.
    """
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(lrs, cycle, "-", color=BLUE, label="predicted $\\pm x_\\eta$")
    axes.plot(lrs, -cycle, "-", color=BLUE)
    axes.plot(end_lrs, ends, ".", color=VERMILLION, label="where descent ended")
    axes.axvline(stable, color=GREY, linestyle=":", label="$2/f''(0)$")
    axes.set(xlabel="learning rate $\\eta$", ylabel="$x$", ylim=(-16, 10))
    axes.legend(loc="lower right")
    return figure


def contraction(distances, late):
    """Distances to the two-cycle by step: a column for each start, and an awkward start."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(distances, "-", color=BLUE, linewidth=1)
    axes.plot(late, "--", color=VERMILLION)
    axes.set(xlabel="step", ylabel="distance to $\\pm x_\\eta$", yscale="log", ylim=(1e-16, None))
    return figure


def edge_of_stability(run):
    """Journal fig. 2.1 left, preprint fig. 1 left: loss and sharpness at several learning rates.

    `run` is the recording of `fig2_1_left`. Time is η times the step, so that the curves start
    together; each dashed line is 2/η in the colour of its curve.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for lr, losses, steps, eigenvalues, (color, dash) in zip(
        run["lrs"], run["losses"], run["probe_steps"], run["eigenvalues"], THREE_LINES, strict=False
    ):
        left.plot(lr * np.arange(len(losses)), losses, dash, color=color, linewidth=1.2)
        right.plot(lr * steps, eigenvalues[:, 0], dash, color=color, label=f"η = {lr:g}")
        right.axhline(2 / lr, color=color, linestyle="--", linewidth=1)
    left.set(xlabel="time $\\eta t$", ylabel="training loss", yscale="log")
    left.set_yticks([0.1, 0.2, 0.4], labels=["0.1", "0.2", "0.4"])
    left.minorticks_off()
    right.set(xlabel="time $\\eta t$", ylabel="sharpness", ylim=(0, None))
    right.legend(loc="lower right")
    return figure


def quadratic_continuation(run):
    """The recorded loss beside that of descent on the quadratic approximation made on its way."""
    lrs = run["lrs"]
    figure, panels = plt.subplots(1, len(lrs), figsize=TWO_PANELS, sharey=True)
    for axes, lr, branch, losses, quadratic in zip(
        panels, lrs, run["branch_steps"], run["losses"], run["quadratic_losses"], strict=True
    ):
        steps = branch + np.arange(len(quadratic))
        axes.plot(steps, losses[branch:][: len(steps)], "-", color=BLUE, label="the network")
        axes.plot(steps, quadratic, "--", color=VERMILLION, label="its quadratic")
        axes.set(xlabel="step", title=f"η = {lr:g}", yscale="log", xticks=steps[[100, -101]])
    panels[0].set_ylabel("loss")
    panels[1].legend(loc="upper left")
    return figure
