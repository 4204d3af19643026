"""The figures of the page on what to expect."""

import matplotlib.pyplot as plt

from mslbook.paper.style import DASHED, THREE_LINES
from mslbook.paper.what_to_expect.courses import TITLES


def small_multiples(courses):
    """The sharpness of every course by steps, in units of 2/η; one line for each seed."""
    rows = (len(courses) + 1) // 2
    size = (5.2, 2.1 * rows)  # so two columns fit a telephone
    figure, panels = plt.subplots(rows, 2, figsize=size, sharey=True, squeeze=False)
    for axes, (name, course) in zip(panels.flat, courses.items(), strict=True):
        for sharpness, look in zip(course.sharpness, THREE_LINES, strict=False):
            axes.plot(course.steps, sharpness / course.edge, linewidth=1.2, **look)
        axes.axhline(1, **DASHED)
        axes.set_title(TITLES[name])
        axes.locator_params(axis="x", nbins=3)
    panels[0, 0].set_ylim(bottom=0)  # of all
    for axes in panels[:, 0]:
        axes.set_ylabel("sharpness, in 2/η")
    for axes in panels[-1]:
        axes.set_xlabel("step")
    return figure
