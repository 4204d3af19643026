"""The parts of a demo: sliders, panels, and the marks drawn in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike


@dataclass(eq=False)
class Slider:
    """One parameter of the frame function, and the grid of its values.

    >>> from mslbook.paper.demo import Slider
    >>> Slider("lr", "learning rate η", [0.1, 0.2, 0.1 + 0.2], value=0.3).values
    (0.1, 0.2, 0.3)
    """

    name: str  #: the argument of the frame function
    label: str  #: what the page calls it
    values: Sequence[float]  #: the grid, increasing; 12 significant digits are kept
    value: float  #: where the demo starts, one of the values
    unit: str = ""  #: what follows the value
    names: Sequence[str] = ()  #: what is shown in place of the values, one for each

    def __post_init__(self):
        self.values = tuple(float(f"{value:.12g}") for value in self.values)
        self.value = float(f"{self.value:.12g}")
        if list(self.values) != sorted(set(self.values)) or self.value not in self.values:
            raise ValueError(f"the values of slider {self.name!r} must increase and hold its start")
        if len(self.names) not in (0, len(self.values)):
            raise ValueError(f"slider {self.name!r} needs one name for each of its values")


@dataclass(eq=False)
class Mark:
    """Something drawn in a panel from one array for each of its `channels`."""

    channels: ClassVar = ("x", "y")
    name: str  #: its key in a frame

    @property
    def fixed(self):
        """Whether it has data of its own, so that frames return none."""
        return all(getattr(self, channel) is not None for channel in self.channels)

    def arrays(self, returned):
        """What it draws, as one flat array for each channel, with NaN for gaps."""
        drawn = returned if len(self.channels) > 1 else [returned]
        if self.fixed:
            drawn = [getattr(self, channel) for channel in self.channels]
        arrays = [np.atleast_1d(np.asarray(values, dtype=float)) for values in drawn]
        shape = getattr(self, "shape", (arrays[0].size,))
        if [array.shape for array in arrays] != [shape] * len(self.channels):
            needed, found = " and ".join(self.channels), [array.shape for array in arrays]
            raise ValueError(f"mark {self.name!r} needs {needed} of shape {shape}, not {found}")
        if np.isinf(arrays).any():
            raise ValueError(f"mark {self.name!r} is infinite somewhere: write NaN for a gap")
        return [array.ravel() for array in arrays]


@dataclass(eq=False)
class _XY(Mark):
    """What is drawn at points (x, y)."""

    x: ArrayLike | None = None  #: what it draws, (n,); without x and y each frame returns (x, y)
    y: ArrayLike | None = None  #: as `x`
    label: str | None = None  #: its entry in the legend, by default its name; "" for none
    #: "blue", "vermillion", "green", "purple", "sky" or "ochre", or "ink", that of the text
    colour: str = "blue"


@dataclass(eq=False)
class Curve(_XY):
    """A line through (x, y), such as a loss; NaN breaks it."""

    dash: str = "solid"  #: or "dashed" or "dotted"
    shade: bool = False  #: whether what lies between it and the bottom of the panel is shaded


@dataclass(eq=False)
class Points(_XY):
    """Separate points (x, y), such as minima: a `Curve` with a marker in place of the dash."""

    colour: str = "green"
    marker: str = "diamond"  #: "circle", "square", "diamond" or "triangle"


@dataclass(eq=False)
class Trail(Points):
    """Points joined in the order of time, which play reveals: the first hollow, the last large.

    `drag` names the slider, or the two sliders, that set the first point: it can then be dragged.
    """

    colour: str = "vermillion"
    marker: str = "circle"
    drag: Sequence[str] = ()


@dataclass(eq=False)
class Rule(Mark):
    """A straight line across the panel, with its label at the end; otherwise as a `Curve`."""

    channels: ClassVar = ("value",)
    axis: str  #: that of the value: "x" for a vertical line, "y" for a horizontal one
    value: ArrayLike | None = None  #: one or several, (n,); without it each frame returns it
    label: str | None = None
    colour: str = "ink"
    dash: str = "dashed"


@dataclass(eq=False)
class Image(Mark):
    """A landscape behind the other marks: low values are clear, high ones carry the colour."""

    channels: ClassVar = ("values",)
    x: ArrayLike  #: evenly spaced, increasing places on a linear axis, (n,)
    y: ArrayLike  #: the same of the other axis, (m,)
    values: ArrayLike | None = None  #: the heights, (m, n); without them each frame returns them
    label: str | None = None  #: as of a `Curve`
    colour: str = "blue"  #: as of a `Curve`
    levels: int = 12  #: in how many steps it is coloured; contour lines separate these
    range: tuple[float, float] | None = None  #: values where the colour begins and ends

    def __post_init__(self):
        self.x, self.y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        self.shape = len(self.y), len(self.x)
        for gaps in (np.diff(self.x), np.diff(self.y)):
            if not (gaps.size and gaps[0] > 0 and np.allclose(gaps, gaps[0])):
                raise ValueError(f"x and y of image {self.name!r} must increase in even steps")


@dataclass(eq=False)
class Panel:
    """One pair of axes and the marks drawn in it."""

    title: str  #: what stands above it
    x: str | None  #: the label of the axis; None also leaves out its numbers
    y: str | None  #: as `x`
    marks: Sequence[Mark]  #: what is drawn, in this order
    xlim: tuple[float, float] | None = None  #: by default such that every frame fits
    ylim: tuple[float, float] | None = None  #: as `xlim`
    xscale: str = "linear"  #: or "log"; an Image and equal units need linear axes
    yscale: str = "linear"  #: as `xscale`
    equal: bool = False  #: whether x and y have units of the same length, as circles need

    def __post_init__(self):
        linear = self.equal or any(isinstance(mark, Image) for mark in self.marks)
        if linear and (self.xscale, self.yscale) != ("linear", "linear"):
            raise ValueError(f"panel {self.title!r}: an image and equal units need linear axes")
