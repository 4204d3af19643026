"""The figure of chapter 7."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.claims import FAILS, HOLDS, RESERVED, SIGNS
from mslbook.figures import BLUE, OCHRE, ONE_PANEL, VERMILLION

LOOKS = {HOLDS: (BLUE, ""), RESERVED: (OCHRE, "//"), FAILS: (VERMILLION, "xx")}


def verdicts_by_section(sections, counts):
    """How many claims of each section got each verdict; `counts` has a row for each verdict."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    left = np.zeros(len(sections))
    for (verdict, (color, hatch)), row in zip(LOOKS.items(), counts, strict=True):
        label = f"{SIGNS[verdict]} {verdict}"
        axes.barh(sections, row, left=left, color=color, hatch=hatch, label=label, height=0.7)
        left += row
    axes.invert_yaxis()
    axes.set(xlabel="claims", ylabel="section", xlim=(0, 1.05 * left.max()))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=3, columnspacing=1)
    return figure
