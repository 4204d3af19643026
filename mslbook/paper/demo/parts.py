"""The parts of a demo: sliders, panels, and the marks drawn in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike


@dataclass(eq=False)
class Slider:
    """One parameter of the frame function, and the grid of its values.

    Parameters
    ----------
    name, label : str
        The argument of the frame function, and what the page calls it.
    values : sequence of float
        The grid, increasing; 12 significant digits are kept, so that 0.1 + 0.2 is 0.3.
    value : float
        Where the demo starts, one of ``values``.
    unit : str, optional
        What follows the value.
    names : sequence of str, optional
        What is shown in place of the values, one for each.

    Examples
    --------
    >>> from mslbook.paper.demo import Slider
    >>> Slider("lr", "learning rate η", [0.1, 0.2, 0.1 + 0.2], value=0.3).values
    (0.1, 0.2, 0.3)
    """

    name: str
    label: str
    values: Sequence[float]
    value: float
    unit: str = ""
    names: Sequence[str] = ()

    def __post_init__(self):
        self.values = tuple(float(f"{value:.12g}") for value in self.values)
        self.value = float(f"{self.value:.12g}")
        if list(self.values) != sorted(set(self.values)) or self.value not in self.values:
            raise ValueError(f"the values of slider {self.name!r} must increase and hold its start")
        if len(self.names) not in (0, len(self.values)):
            raise ValueError(f"slider {self.name!r} needs one name for each of its values")


@dataclass(eq=False)
class Mark:
    """Something drawn in a panel from one array for each of its ``channels``."""

    channels: ClassVar = ("x", "y")
    name: str

    @property
    def fixed(self):
        """Whether it has data of its own, so that frames return none."""
        return all(getattr(self, channel) is not None for channel in self.channels)

    def arrays(self, returned):
        """Return what it draws, as one flat array for each channel, with NaN for gaps."""
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
class Curve(Mark):
    """A line through (x, y), such as a loss; NaN breaks it.

    Parameters
    ----------
    name : str
        Its key in a frame, and its label unless ``label`` is given.
    x, y : array_like, shape (n,), optional
        What it draws; without them each frame returns a tuple (x, y).
    label : str, optional
        Its entry in the legend; "" for none.
    colour : {"blue", "vermillion", "green", "purple", "sky", "ochre", "ink"}
        A colour of the book's style, or "ink", the colour of the text.
    dash : {"solid", "dashed", "dotted"}
        How the line is broken.
    """

    x: ArrayLike | None = None
    y: ArrayLike | None = None
    label: str | None = None
    colour: str = "blue"
    dash: str = "solid"


@dataclass(eq=False)
class Points(Mark):
    """Separate points (x, y), such as minima.

    Parameters
    ----------
    name, x, y, label, colour
        As of a `Curve`.
    marker : {"circle", "square", "diamond", "triangle"}
        The shape of a point.
    """

    x: ArrayLike | None = None
    y: ArrayLike | None = None
    label: str | None = None
    colour: str = "green"
    marker: str = "diamond"


@dataclass(eq=False)
class Trail(Points):
    """Points joined in the order of time, which play reveals: the first hollow, the last large.

    The parameters are those of `Points`.
    """

    colour: str = "vermillion"
    marker: str = "circle"


@dataclass(eq=False)
class Rule(Mark):
    """A straight line across the panel, with its label at the end.

    Parameters
    ----------
    name, label, colour, dash
        As of a `Curve`.
    axis : {"x", "y"}
        The axis of ``value``: the line is vertical at an x, horizontal at a y.
    value : float or array_like, shape (n,), optional
        The place of the line, or of several; without it each frame returns it.
    """

    channels: ClassVar = ("value",)
    axis: str
    value: ArrayLike | None = None
    label: str | None = None
    colour: str = "ink"
    dash: str = "dashed"


@dataclass(eq=False)
class Image(Mark):
    """A landscape behind the other marks: low values are clear, high ones carry the colour.

    Parameters
    ----------
    name, label, colour
        As of a `Curve`.
    x, y : array_like, shape (n,) and (m,)
        Evenly spaced, increasing places on linear axes.
    values : array_like, shape (m, n), optional
        The heights, or their logarithm; without it each frame returns it.
    levels : int
        In how many steps they are coloured; contour lines separate these.
    range : (float, float), optional
        The values where the colour begins and ends, by default the lowest and the highest.
    """

    channels: ClassVar = ("values",)
    x: ArrayLike
    y: ArrayLike
    values: ArrayLike | None = None
    label: str | None = None
    colour: str = "blue"
    levels: int = 12
    range: tuple[float, float] | None = None

    def __post_init__(self):
        self.x, self.y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        self.shape = len(self.y), len(self.x)
        for gaps in (np.diff(self.x), np.diff(self.y)):
            if not (gaps.size and gaps[0] > 0 and np.allclose(gaps, gaps[0])):
                raise ValueError(f"x and y of image {self.name!r} must increase in even steps")


@dataclass(eq=False)
class Panel:
    """One pair of axes and the marks drawn in it.

    Parameters
    ----------
    title : str
        What stands above it.
    x, y : str or None
        The labels of the axes; None also leaves out their numbers.
    marks : sequence of Curve, Points, Trail, Rule or Image
        What is drawn, in this order.
    xlim, ylim : (float, float), optional
        The limits, by default those that hold every frame.
    xscale, yscale : {"linear", "log"}
        The scales; an Image and equal units need linear ones.
    equal : bool
        Whether x and y have units of the same length, as right angles and circles need.
    """

    title: str
    x: str | None
    y: str | None
    marks: Sequence[Mark]
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xscale: str = "linear"
    yscale: str = "linear"
    equal: bool = False

    def __post_init__(self):
        linear = self.equal or any(isinstance(mark, Image) for mark in self.marks)
        if linear and (self.xscale, self.yscale) != ("linear", "linear"):
            raise ValueError(f"panel {self.title!r}: an image and equal units need linear axes")
