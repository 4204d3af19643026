"""What a demo is made of: sliders, panels and the marks drawn in them."""

import keyword
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

# Each name has its colour or shape in demo.js; "ink" is the colour of the text around the demo.
COLOURS = ("ink", "blue", "vermillion", "green", "purple", "sky", "ochre")
DASHES = ("solid", "dashed", "dotted")
MARKERS = ("circle", "square", "diamond", "triangle")
SCALES = ("linear", "log")


def choose(what, value, options):
    """Raise ValueError unless ``value`` is one of the options."""
    if value not in options:
        raise ValueError(f"{what} must be one of {', '.join(options)}, not {value!r}")


def check_look(mark):
    """Raise ValueError if a mark's colour, dash or marker is none that demo.js can draw."""
    for look, options in (("colour", COLOURS), ("dash", DASHES), ("marker", MARKERS)):
        if hasattr(mark, look):
            choose(f"the {look} of mark {mark.name!r}", getattr(mark, look), options)


def numbers(what, values, dimensions):
    """Turn ``values`` into an array of floats; NaN leaves a gap, infinities are an error."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be numbers, not {values!r:.60}") from None
    if array.ndim != dimensions:
        raise ValueError(f"{what} must have {dimensions} dimension(s), not shape {array.shape}")
    if np.isinf(array).any():
        raise ValueError(f"{what} holds an infinite number: write NaN where nothing can be drawn")
    return array


def check_limits(what, limits, log=False):
    """Raise ValueError unless ``limits`` is None or (low, high) with low < high."""
    if limits is None:
        return
    limits = numbers(what, limits, 1)
    if len(limits) != 2 or not limits[0] < limits[1] or (log and limits[0] <= 0):
        above = ", both above 0 on a log axis" if log else ""
        raise ValueError(f"{what} must be (low, high) with low < high{above}, not {limits}")


@dataclass(frozen=True, eq=False)
class Slider:
    """One parameter: the name the frame function calls it by, and the grid of its values.

    ``values`` are strictly increasing; ``value`` is the one the demo starts from, and is among
    them. They are kept to 12 significant digits, so that 0.1 + 0.2 is 0.3 to the frame function.
    ``names``, one for each value, are shown in place of numbers that only count.

    >>> Slider("lr", "learning rate η", np.linspace(0, 1, 11), value=0.3).values[3]
    0.3
    """

    name: str
    label: str
    values: Sequence[float]
    value: float
    unit: str = ""
    names: Sequence[str] = ()

    def __post_init__(self):
        if not str(self.name).isidentifier() or keyword.iskeyword(self.name):
            raise ValueError(
                f"a slider's name must be a Python name, such as 'lr', not {self.name!r}"
            )
        grid = numbers(f"the values of slider {self.name!r}", self.values, 1)
        grid = [float(f"{value:.12g}") for value in grid]
        if not grid:
            raise ValueError(f"slider {self.name!r} has no values: give at least one")
        if not all(low < high for low, high in zip(grid, grid[1:], strict=False)):
            raise ValueError(
                f"the values of slider {self.name!r} must increase, each above the last"
            )
        start = float(f"{self.value:.12g}")
        if start not in grid:
            nearest = min(grid, key=lambda value: abs(value - start))
            raise ValueError(
                f"slider {self.name!r} cannot start at {start:g}, which is not one of its values; "
                f"the nearest is {nearest:g}"
            )
        if len(self.names) not in (0, len(grid)):
            raise ValueError(
                f"slider {self.name!r} has {len(grid)} values but {len(self.names)} names: give "
                "each value its name"
            )
        object.__setattr__(self, "values", tuple(grid))
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        object.__setattr__(self, "value", start)


@dataclass(frozen=True, eq=False)
class _Plot:
    """A mark with points (x, y): fixed if both are given here, else the frame returns (x, y)."""

    channels: ClassVar = ("x", "y")
    name: str
    x: ArrayLike | None = None
    y: ArrayLike | None = None
    label: str | None = None

    def __post_init__(self):
        check_look(self)
        if (self.x is None) != (self.y is None):
            raise ValueError(f"mark {self.name!r} needs both x and y, or neither")

    @property
    def fixed(self):
        """The (x, y) given when the mark was made, or None."""
        return None if self.x is None else (self.x, self.y)

    def arrays(self, given):
        """Check what the mark was given, and return its arrays in the order of ``channels``."""
        what = f"mark {self.name!r}"
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(f"{what} needs a tuple (x, y) of two arrays, not {given!r:.60}")
        x, y = numbers(f"x of {what}", given[0], 1), numbers(f"y of {what}", given[1], 1)
        if x.shape != y.shape:
            raise ValueError(f"{what} has {x.size} values of x but {y.size} of y")
        return x, y

    def along(self, axis, arrays):
        """Those of its numbers that lie along an axis of the panel."""
        return arrays["xy".index(axis)]


@dataclass(frozen=True, eq=False)
class Curve(_Plot):
    """A line through (x, y), such as a loss; NaN breaks it.

    >>> Curve("loss", [-1, 0, 1], [1, 0, 1], colour="ink").fixed
    ([-1, 0, 1], [1, 0, 1])
    """

    colour: str = "blue"
    dash: str = "solid"


@dataclass(frozen=True, eq=False)
class Points(_Plot):
    """Separate points (x, y), all of them always shown, such as minima.

    >>> Points("minimum", [0], [0], colour="green", marker="diamond").marker
    'diamond'
    """

    colour: str = "green"
    marker: str = "diamond"


@dataclass(frozen=True, eq=False)
class Trail(_Plot):
    """Points joined by thin lines in the order of time; play reveals them one by one.

    The first is hollow and the last is large.

    >>> Trail("iterates").fixed is None
    True
    """

    colour: str = "vermillion"
    marker: str = "circle"


@dataclass(frozen=True, eq=False)
class Rule:
    """A straight line across the panel at one value (or several) of an axis, with its label on it.

    ``axis="x"`` stands it up at a value of x, ``axis="y"`` lays it at a value of y. Without
    ``value`` the frame returns it: a number, or a few; NaN draws nothing.

    >>> Rule("stable", axis="x", value=2.0, label="2 / f″(0)").fixed
    2.0
    """

    channels: ClassVar = ("value",)
    name: str
    axis: str
    value: ArrayLike | None = None
    label: str | None = None
    colour: str = "ink"
    dash: str = "dashed"

    def __post_init__(self):
        choose(f"the axis of mark {self.name!r}", self.axis, ("x", "y"))
        check_look(self)

    @property
    def fixed(self):
        """The value given when the mark was made, or None."""
        return self.value

    def arrays(self, given):
        """Check what the mark was given, and return its arrays in the order of ``channels``."""
        return (numbers(f"mark {self.name!r}", np.atleast_1d(given), 1),)

    def along(self, axis, arrays):
        """Those of its numbers that lie along an axis of the panel."""
        return arrays[0] if axis == self.axis else np.empty(0)


@dataclass(frozen=True, eq=False)
class Image:
    """A landscape behind the other marks: values (len(y), len(x)) on evenly spaced x and y.

    Low values are clear and high ones carry the colour, in ``levels`` steps whose edges are
    contour lines; ``range`` gives the values of the two ends. Without ``values`` the frame returns
    them. Take the logarithm yourself where values span decades; the panel's axes are linear.

    >>> x = y = np.linspace(-1, 1, 5)
    >>> Image("bowl", x, y, x**2 + y[:, None]**2).shape
    (5, 5)
    """

    channels: ClassVar = ("values",)
    name: str
    x: ArrayLike
    y: ArrayLike
    values: ArrayLike | None = None
    label: str | None = None
    colour: str = "blue"
    levels: int = 12
    range: tuple[float, float] | None = None

    def __post_init__(self):
        check_look(self)
        if self.levels < 1:
            raise ValueError(f"mark {self.name!r} needs at least one level, not {self.levels}")
        check_limits(f"range of mark {self.name!r}", self.range)
        for axis in "xy":
            places = numbers(f"{axis} of mark {self.name!r}", getattr(self, axis), 1)
            gaps = np.diff(places)
            if len(gaps) == 0 or not (gaps[0] > 0 and np.allclose(gaps, gaps[0])):
                raise ValueError(
                    f"{axis} of mark {self.name!r} must be two or more evenly spaced, increasing "
                    "numbers, such as np.linspace gives"
                )

    @property
    def shape(self):
        """The shape of its values, (len(y), len(x))."""
        return len(self.y), len(self.x)

    @property
    def fixed(self):
        """The values given when the mark was made, or None."""
        return self.values

    def arrays(self, given):
        """Check what the mark was given, and return its arrays in the order of ``channels``."""
        values = numbers(f"mark {self.name!r}", given, 2)
        if values.shape != self.shape:
            raise ValueError(
                f"mark {self.name!r} needs values of shape (len(y), len(x)) = {self.shape}, "
                f"not {values.shape}"
            )
        return (values.ravel(),)

    def along(self, axis, arrays):
        """Those of its numbers that lie along an axis of the panel."""
        return np.asarray(getattr(self, axis), dtype=float)


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes: its title, the labels of x and y, and the marks drawn in it, in order.

    Limits that are not given hold everything that any position of the sliders shows. A label None
    leaves the numbers of its axis out, for places that only tell things apart. ``equal`` gives x
    and y the same unit on every screen, for what has right angles or circles.

    >>> Panel("Over time", x="step", y="x", marks=[Trail("iterates")], yscale="log").yscale
    'log'
    """

    title: str
    x: str | None
    y: str | None
    marks: Sequence
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xscale: str = "linear"
    yscale: str = "linear"
    equal: bool = False

    def __post_init__(self):
        for axis in "xy":
            scale = getattr(self, f"{axis}scale")
            choose(f"{axis}scale of panel {self.title!r}", scale, SCALES)
            check_limits(
                f"{axis}lim of panel {self.title!r}", getattr(self, f"{axis}lim"), scale == "log"
            )
        for mark in self.marks:
            if not isinstance(mark, (_Plot, Rule, Image)):
                raise TypeError(
                    f"panel {self.title!r} draws marks (Curve, Points, Trail, Rule or Image), "
                    f"not {mark!r:.60}"
                )
        log = "log" in (self.xscale, self.yscale)
        if log and any(isinstance(mark, Image) for mark in self.marks):
            raise ValueError(f"panel {self.title!r} holds an image, which needs linear axes")
        if log and self.equal:
            raise ValueError(f"panel {self.title!r} has equal units, which need linear axes")
