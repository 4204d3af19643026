"""The frames of a demo: computed once on the grid of the sliders' values, and stored compactly.

The page gets two things: a description in JSON (panels, marks, ticks, captions) and one block of
float32 numbers, in which the description says where each array of each frame lies.
"""

from itertools import product
from math import ceil, floor, log10

import numpy as np

from mslbook.paper.demo.parts import Image, Trail

MAX_BYTES = 300_000  # of text for one demo, so that a notebook with one stays under 500 kB

# Binary digits kept of what is drawn: 1/16384 of an axis is a fifteenth of a pixel on a panel of
# 1000. The last digits of a computation, which differ from one processor to the next, go, and steps
# of a power of two leave numbers that float32 holds exactly and place no round decimal on a tie.
BITS = 14
# On a log axis what is smaller is not drawn, as 0 is not: where descent underflows, rounding
# decides at which step it is 0. The page's numbers end here.
SMALLEST = np.finfo("<f4").tiny


class Frames:
    """All frames of a demo, as a JSON-ready ``spec`` and the float32 numbers ``data`` (bytes).

    ``compute`` takes a value of each slider by name and returns a dictionary: for each mark that
    is not fixed what it draws, and a ``"caption"``. A fixed array, and one that is the same in all
    frames, is stored once. Raises ValueError or TypeError that names the mark and the values of the
    sliders where ``compute`` returns something else, or returns arrays of another size than before.
    """

    def __init__(self, compute, sliders, panels):
        self.compute = compute
        self.sliders = sliders
        self.moving = moving_marks(panels)
        self.sizes = {}
        grid = list(product(*(slider.values for slider in sliders)))
        frames, captions = zip(*(self.evaluate(values) for values in grid), strict=True)
        stacks = {
            name: tuple(np.stack(rows) for rows in zip(*(f[name] for f in frames), strict=True))
            for name in self.moving
        }
        self.shown = [
            (panel, mark, mark.arrays(mark.fixed) if mark.name not in stacks else stacks[mark.name])
            for panel in panels
            for mark in panel.marks
        ]
        self.limits = {
            (panel, axis): limits(panel, axis, self.along(panel, axis))
            for panel in panels
            for axis in "xy"
        }
        self.heights = {
            mark: ends(mark.range, arrays[0], f"image {mark.name!r} shows nothing: give it a range")
            for _, mark, arrays in self.shown
            if isinstance(mark, Image)
        }
        self.step = rounding_step(
            [lim for (panel, axis), lim in self.limits.items() if scale(panel, axis) == "linear"]
        )
        self.chunks, self.places, self.stored, self.live_size = [], {}, 0, 0
        self.spec = {
            "sliders": [describe_slider(slider) for slider in sliders],
            "panels": [self.describe_panel(panel) for panel in panels],
            "captions": captions,
            "steps": max(
                (a[0].shape[-1] - 1 for _, m, a in self.shown if isinstance(m, Trail)), default=0
            ),
        }
        self.data = b"".join(self.chunks)

    def evaluate(self, values):
        """One frame: its arrays by the name of their mark, and its caption."""
        at = ", ".join(f"{s.name}={v:g}" for s, v in zip(self.sliders, values, strict=True))
        returned = self.compute(**{s.name: v for s, v in zip(self.sliders, values, strict=True)})
        if not isinstance(returned, dict) or not isinstance(returned.get("caption"), str):
            raise TypeError(
                "the frame function must return a dictionary with what each mark draws and a "
                f'"caption", one line that says what is seen; at {at} it did not'
            )
        given = {name: value for name, value in returned.items() if name != "caption"}
        if given.keys() != self.moving.keys():
            unknown, missing = given.keys() - self.moving.keys(), self.moving.keys() - given.keys()
            raise ValueError(
                f"the frame at {at} must return one entry for each mark that is not fixed "
                f"({', '.join(self.moving) or 'none'})"
                + (f"; no panel draws {', '.join(sorted(unknown))}" if unknown else "")
                + (f"; it lacks {', '.join(sorted(missing))}" if missing else "")
            )
        arrays = {}
        for name, mark in self.moving.items():
            try:
                arrays[name] = mark.arrays(given[name])
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error} (at {at})") from None
            size = self.sizes.setdefault(name, arrays[name][0].size)
            if arrays[name][0].size != size:
                raise ValueError(
                    f"mark {name!r} has {arrays[name][0].size} numbers at {at}, but {size} in the "
                    "first frame: all frames need the same, so fill up with NaN"
                )
        return arrays, returned["caption"]

    def live(self, values):
        """The frame at any values of the sliders, on the grid or not, for a front end to draw."""
        arrays, caption = self.evaluate(values)
        numbers = [
            self.rounded(panel, mark, channel, arrays[mark.name][k]).astype("<f4")
            for panel, mark, _ in self.shown
            if mark.name in arrays
            for k, channel in enumerate(mark.channels)
        ]
        data = np.concatenate(numbers).tobytes() if numbers else b""
        return {"values": list(values), "caption": caption, "data": data}

    def along(self, panel, axis):
        """Every number of every frame that lies along one axis of a panel."""
        shown = [mark.along(axis, arrays) for owner, mark, arrays in self.shown if owner is panel]
        return np.concatenate([np.ravel(array) for array in shown] or [np.empty(0)])

    def describe_panel(self, panel):
        """What the page needs to know of a panel."""
        axes = {}
        for axis in "xy":
            ends = self.limits[panel, axis]
            numbered = ticks(*ends, scale(panel, axis)) if getattr(panel, axis) is not None else []
            axes[axis] = {
                "label": getattr(panel, axis) or "",
                "log": scale(panel, axis) == "log",
                "limits": ends,
                "ticks": [[tick, written(tick)] for tick in numbered],
            }
        marks = [self.describe_mark(*shown) for shown in self.shown if shown[0] is panel]
        return {"title": panel.title, "marks": marks, "equal": panel.equal} | axes

    def describe_mark(self, panel, mark, arrays):
        """What the page needs to know of a mark: its look, and where its arrays lie."""
        look = {
            key: getattr(mark, key)
            for key in ("colour", "dash", "marker", "axis", "levels")
            if hasattr(mark, key)
        }
        if isinstance(mark, Image):
            x, y = np.asarray(mark.x, dtype=float), np.asarray(mark.y, dtype=float)
            look["shape"] = mark.shape
            look["box"] = tuple(tidy(end) for end in (x[0], x[-1], y[0], y[-1]))
            look["range"] = self.heights[mark]
        return {
            "kind": type(mark).__name__,
            "label": mark.name if mark.label is None else mark.label,
            **look,
            **{
                channel: self.store(
                    self.rounded(panel, mark, channel, arrays[k]), mark.name in self.moving
                )
                for k, channel in enumerate(mark.channels)
            },
        }

    def rounded(self, panel, mark, channel, values):
        """Numbers without the digits that nobody can see; see BITS."""
        axis = mark.axis if channel == "value" else channel
        if axis == "values":  # the heights of an image, seen as its colour
            return to_multiples(values, rounding_step([self.heights[mark]]))
        if scale(panel, axis) == "log":
            positive = np.where(values >= SMALLEST, values, np.nan)
            return to_multiples(positive, np.ldexp(1.0, np.frexp(positive)[1] - BITS))
        return to_multiples(values, self.step)

    def store(self, rows, moves):
        """Keep the rows (one for each frame, or one for all) and say where they lie.

        Array number ``frame`` lies at ``offset + stride * frame``; ``live`` is its place among the
        numbers of a live frame, -1 if it is fixed.
        """
        rows = np.atleast_2d(rows).astype("<f4")
        length = rows.shape[1]
        if np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
            rows = rows[:1]
        block = rows.tobytes()
        if block not in self.places:
            self.places[block] = self.stored
            self.chunks.append(block)
            self.stored += rows.size
        place = {"offset": self.places[block], "stride": length if len(rows) > 1 else 0}
        live = self.live_size if moves else -1
        self.live_size += length if moves else 0
        return {"length": length, **place, "live": live}


def moving_marks(panels):
    """The marks that the frame function returns, by name; the same name may stand in two panels."""
    marks = [mark for panel in panels for mark in panel.marks]
    moving = {mark.name: mark for mark in marks if mark.fixed is None}
    for mark in marks:
        twin = moving.get(mark.name, mark)
        if mark.name == "caption":
            raise ValueError("no mark can be called 'caption': the frame's caption has that name")
        if mark.channels != twin.channels or (mark.fixed is None) != (twin.fixed is None):
            raise ValueError(
                f"two marks are called {mark.name!r} and differ: give each its own name"
            )
    return moving


def describe_slider(slider):
    """What the page needs to know of a slider."""
    return {
        "name": slider.name,
        "label": slider.label,
        "unit": slider.unit,
        "values": slider.values,
        "named": bool(slider.names),
        "texts": slider.names or [written(float(f"{value:.4g}")) for value in slider.values],
        "start": slider.values.index(slider.value),
    }


def scale(panel, axis):
    """Of an axis of a panel: linear or log."""
    return getattr(panel, f"{axis}scale")


def limits(panel, axis, values):
    """Both ends of an axis: those given, or those that hold all values with a little room."""
    given, log = getattr(panel, f"{axis}lim"), scale(panel, axis) == "log"
    low, high = ends(
        given,
        values[values > 0] if log else values,
        f"panel {panel.title!r} shows nothing along {axis}: give it {axis}lim",
    )
    if given or any(isinstance(mark, Image) for mark in panel.marks):
        return low, high
    if log:
        room = (high / low) ** 0.05 if high > low else 2.0
        return tidy(low / room), tidy(high * room)
    room = 0.05 * (high - low) if high > low else 0.5
    return tidy(low - room), tidy(high + room)


def ends(given, values, nothing):
    """The lowest and the highest value, unless both are given; ``nothing`` says if none is."""
    if given:
        return tuple(float(end) for end in given)
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise ValueError(nothing)
    return tidy(values.min()), tidy(values.max())


def tidy(number):
    """A number for the JSON text, without the digits that differ between processors."""
    return float(f"{number:.6g}")


def rounding_step(intervals):
    """The power of two that parts the smallest interval in 2**BITS or more steps."""
    spans = [high - low for low, high in intervals if high > low]
    return 2.0 ** (floor(np.log2(min(spans, default=1.0))) - BITS)


def to_multiples(values, step):
    """Round to multiples of ``step``, within float32, with one kind of zero and one of NaN."""
    biggest = np.finfo(np.float32).max
    rounded = np.clip(np.rint(values / step) * step, -biggest, biggest) + 0.0
    return np.where(np.isnan(rounded), np.nan, rounded)


def ticks(low, high, scale):
    """At most six round numbers within an axis.

    >>> ticks(-1.2, 8.8, "linear")
    [0.0, 2.0, 4.0, 6.0, 8.0]
    >>> ticks(0.5, 2e4, "log")
    [1.0, 10.0, 100.0, 1000.0, 10000.0]
    """
    if scale == "log":
        decades = range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1)
        if len(decades) > 1:
            return [float(f"1e{decade}") for decade in decades[:: ceil(len(decades) / 6)]]
    least = (high - low) / 5
    unit = floor(log10(least))
    step = next(s for s in (1, 2, 5, 10) if float(f"{s}e{unit}") >= least * (1 - 1e-9))
    step = float(f"{step}e{unit}")
    return [
        float(f"{k * step:.12g}")
        for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]


def written(number):
    """A number as people write it.

    >>> [written(number) for number in (-0.5, 1200.0, 3e-07, 1e6)]
    ['−0.5', '1200', '3×10⁻⁷', '10⁶']
    """
    if number == 0 or 1e-4 <= abs(number) < 1e5:
        text = f"{number:.6g}"
    else:
        digits, exponent = f"{number:.5e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = f"{float(digits):g}×10{power}"
        text = text.removeprefix("1×") if number > 0 else text.replace("-1×", "-")
    return text.replace("-", "\N{MINUS SIGN}")
