"""The style that the chapters' figures share, and the digest that stands for a picture in tests.

A chapter calls `use_style()` once, and `digest(...)` in every cell that shows a picture. A figure's
function takes what was computed (paths, losses, recorded results), draws it, and returns the
Matplotlib figure; it computes nothing that the chapter's text would have to explain.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cycler
from matplotlib.ticker import MaxNLocator

ONE_PANEL = (5.0, 3.2)  # inches, which fit a telephone; the style's own size fills the text column

# The colours of the style by name, for figures that pick them one by one; demos use the same.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, OCHRE = "#CC79A7", "#56B4E9", "#E69F00"
INK, GREY = "#22272e", "#4d5561"  # of text and axes, and of levels: 15 and 7.6 to 1 on white

# Curves differ in dash as well as in colour.
THREE_LINES = cycler(color=(BLUE, VERMILLION, GREEN), linestyle=("-", "-.", ":"))
FOUR_LINES = cycler(color=(BLUE, VERMILLION, GREEN, PURPLE), linestyle=("-", "--", "-.", ":"))
DASHED = {"color": GREY, "linestyle": "--", "linewidth": 1.5}  # a level, such as 2/η
DOTTED = {"color": GREY, "linestyle": ":", "linewidth": 1.5}

MAX_LISTED = 6  # a digest lists arrays of at most this size value by value


def use_style():
    """Give Matplotlib the book's style, and a notebook pictures with twice the pixels."""
    plt.style.use("mslbook.paper.style")
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def stacked(count, height=2.3):
    """Make panels over one x axis, one above the other: they fit a telephone."""
    figure, panels = plt.subplots(count, 1, figsize=(ONE_PANEL[0], height * count), sharex=True)
    return figure, panels


def label_axes(axes, xlabel, ylabel, log="", legend=None, **settings):
    """Label the axes, make those named in `log` logarithmic, and place the legend."""
    axes.set(xlabel=xlabel, ylabel=ylabel, **{f"{axis}scale": "log" for axis in log}, **settings)
    if legend is not None:
        axes.legend(loc=legend)


def plain_ticks(axes, **values):
    """Put the ticks of a logarithmic axis, x or y, at these values only, without exponents."""
    axes.minorticks_off()
    for axis, ticks in values.items():
        axes.set(**{f"{axis}ticks": ticks, f"{axis}ticklabels": ticks})


def plot_each(axes, x, curves, looks=THREE_LINES, **options):
    """Plot each labelled array of `curves` over x in a look of its own."""
    for (label, y), look in zip(curves.items(), looks, strict=False):
        axes.plot(x, y, label=label, **look, **options)


def plot_branch(axes, points, look, marker, label, **options):
    """Plot a path (steps, n) in two or three dimensions, from a filled marker to an open one."""
    axes.plot(*points.T, **look, **options)
    mark = {"color": look["color"], "markersize": 9}
    axes.plot(*points[:1].T, marker, label=label, **mark)
    axes.plot(*points[-1:].T, marker, fillstyle="none", **mark)


def mark_steps(axes, steps, linestyle=":", linewidth=1.5):
    """Draw a vertical line at each of the steps."""
    for step in steps:
        axes.axvline(step, color=GREY, linestyle=linestyle, linewidth=linewidth)


def legend_outside(figure, *panels, loc="outside upper center", **options):
    """Draw one legend beside all panels, of what is labelled in those given."""
    drawn = [panel.get_legend_handles_labels() for panel in panels]
    handles, labels = (sum(parts, []) for parts in zip(*drawn, strict=True))
    figure.legend(handles, labels, loc=loc, **{"ncols": len(labels)} | options)


def clear_space(axes, **ticks):
    """Leave out panes and grid of axes in three dimensions, and most of their ticks."""
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.set_major_locator(MaxNLocator(3, **ticks))
    axes.grid(visible=False)


def digest(label, /, **shown):
    """Print in one line of numbers what a figure shows, for nbval, which skips pictures.

    The line stays the same when only the last digits differ, as between processors. Pass what is
    stable: a bound, a period or a mean of a chaotic path, never its 400th point. Arrays of more
    than six numbers are summed up; of the others, integers are printed as they are, and the rest
    to four digits, as 0 below 1e-9 of the largest.

    >>> from mslbook.paper.style import digest
    >>> digest("parabola", lr=[0.1, 0.02], loss=[1, 0.25, 0, 0.25, 1, 2.25, 4])
    digest | parabola | lr 0.1 0.02 | loss[7] 1 to 4 in 0..4 mean 1.25
    """
    arrays = {name: np.ravel(values) for name, values in shown.items()}
    if not arrays or not all(values.size for values in arrays.values()):
        raise ValueError("a digest needs numbers: pass what the figure shows, as in loss=values")
    print(" | ".join(["digest", label, *(_summary(*item) for item in arrays.items())]))


def _summary(name, values):
    """Sum up one array (n,) as text: the numbers themselves, or first, last, range and mean."""
    scale = np.max(np.abs(values), where=np.isfinite(values), initial=0)
    if values.size <= MAX_LISTED:
        return " ".join([name, *(_number(value, scale) for value in values)])
    marks = values[0], values[-1], values.min(), values.max(), values.mean()
    numbers = (_number(mark, scale) for mark in marks)
    return "{}[{}] {} to {} in {}..{} mean {}".format(name, values.size, *numbers)


def _number(value, scale):
    """Write one number to four significant digits; what is noise at this scale is written as 0."""
    if np.issubdtype(value.dtype, np.integer):
        return str(value)
    if abs(value) <= 1e-9 * scale:
        return "0"
    return f"{float(f'{value:.10g}'):.4g}"  # ten digits first: a tie falls to one side everywhere
