"""The chapters' figures: one style and one digest here, and a module of drawings for each chapter.

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
    plt.style.use("mslbook.paper.style")
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
    parts = [_summed_up(name, np.asarray(values)) for name, values in shown.items()]
    print(" | ".join(["digest", label, *parts]))


def _summed_up(name, values):
    """Sum up one named array for `digest`, as text."""
    if values.size == 0:
        raise ValueError(f"the digest of {name} is empty: pass at least one number")
    flat = values.ravel()
    if flat.size <= PRINTED_IN_FULL:
        return " ".join([name, *(_written(value, flat) for value in flat)])
    marks = flat[0], flat[-1], flat.min(), flat.max(), flat.mean()
    return "{}[{}] {} to {} in {}..{} mean {}".format(
        name, flat.size, *(_written(mark, flat) for mark in marks)
    )


def _written(value, among):
    """Write one number to four significant digits; noise beside the others is written as 0."""
    if np.issubdtype(value.dtype, np.integer):
        return str(value)
    if abs(value) <= 1e-9 * np.max(np.abs(among), where=np.isfinite(among), initial=0):
        return "0"
    return f"{float(f'{value:.10g}'):.4g}"
