"""The frames of a demo: computed once on the grid of slider values, and stored compactly.

Of a demo that computes in the page only the first frame is stored.

The page gets two things: a description in JSON (panels, marks, ticks, captions) and one block of
float32 numbers, in which the description says where each array of each frame lies.
"""

import re
from itertools import product
from math import frexp

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from mslbook.paper.demo.parts import Image, Rule, Trail

# Binary digits kept of what is drawn: 1/16384 of an axis is a fifteenth of a pixel on a panel of
# 1000. The last digits of a computation, which differ from one processor to the next, go, and steps
# of a power of two leave numbers that float32 holds exactly and place no round decimal on a tie.
AXIS_BITS = 14
FLOAT32 = np.finfo("<f4")


class Frames:
    """All frames of a demo: ``spec``, ready for JSON, and ``data``, the bytes of its numbers."""

    def __init__(self, compute, sliders, panels, script=None):
        self.compute, self.sliders = compute, sliders
        self.marks = [mark for panel in panels for mark in panel.marks]
        self.sizes, self.blocks, self.live_channels = {}, {}, []
        grid = product(*([slider.value] if script else slider.values for slider in sliders))
        frames, captions = zip(*map(self.evaluate, grid), strict=True)
        arrays = {mark: np.stack([frame[mark] for frame in frames], axis=1) for mark in self.marks}
        axes = {panel: describe_axes(panel, arrays) for panel in panels}
        linear = [one for pair in axes.values() for one in pair.values() if not one["log"]]
        self.step = rounding_step([axis["limits"] for axis in linear])
        trails = [self.sizes[mark] for mark in self.marks if isinstance(mark, Trail)]
        self.spec = {
            "sliders": list(map(describe_slider, sliders)),
            "panels": [self.describe_panel(panel, arrays, axes[panel]) for panel in panels],
            "captions": captions,
            "steps": max(trails, default=1) - 1,
            "script": script,
            "live": [(mark.name, k, len(mark.channels)) for mark, k, _ in self.live_channels],
        }
        self.data = b"".join(self.blocks)

    def evaluate(self, values):
        """Compute one frame: the arrays of each mark, and the caption."""
        at = {slider.name: value for slider, value in zip(self.sliders, values, strict=True)}
        try:
            frame = self.compute(**at)
            keys = {"caption"} | {mark.name for mark in self.marks if not mark.fixed}
            if frame.keys() != keys:
                raise ValueError(f"a frame must have the keys {sorted(keys)}, not {list(frame)}")
            arrays = {mark: mark.arrays(frame.get(mark.name)) for mark in self.marks}
            for mark, (first, *_) in arrays.items():
                if first.size != self.sizes.setdefault(mark, first.size):
                    raise ValueError(f"mark {mark.name!r} must keep its size: fill up with NaN")
        except Exception as error:
            error.add_note(f"in the frame at {', '.join(f'{k}={v:g}' for k, v in at.items())}")
            raise
        return arrays, frame["caption"]

    def live(self, values):
        """Compute the frame at any values of the sliders, for a front end to draw."""
        arrays, caption = self.evaluate(values)
        rows = [rounded(arrays[mark][k], step) for mark, k, step in self.live_channels]
        return {"values": list(values), "caption": caption, "data": b"".join(map(bytes, rows))}

    def describe_panel(self, panel, arrays, axes):
        """Return what the page needs to know of a panel."""
        marks = [self.describe_mark(mark, arrays[mark], axes) for mark in panel.marks]
        return {"title": panel.title, "marks": marks, "equal": panel.equal} | axes

    def describe_mark(self, mark, arrays, axes):
        """Return what the page needs to know of a mark: its look, and where its arrays lie."""
        label = mark.name if mark.label is None else mark.label
        about = {"kind": type(mark).__name__, "label": label}
        looks = ("colour", "dash", "marker", "axis", "levels", "shape", "drag", "shade")
        about |= {look: getattr(mark, look) for look in looks if hasattr(mark, look)}
        if isinstance(mark, Image):
            about["box"] = tuple(significant(a[k]) for a in (mark.x, mark.y) for k in (0, -1))
            about["range"] = tuple(map(float, mark.range or extent(arrays)))
        for k, channel in enumerate(mark.channels):
            if channel == "values":
                step = rounding_step([about["range"]])
            else:
                step = None if axes[about.get("axis", channel)]["log"] else self.step
            about[channel] = self.store(rounded(arrays[k], step))
            if not mark.fixed:
                about[channel]["live"] = sum(self.sizes[m] for m, _, _ in self.live_channels)
                self.live_channels.append((mark, k, step))
        return about

    def store(self, rows):
        """Keep the rows, one for each frame, and return where the page finds them.

        That of frame k is at ``offset + stride * k``; ``live`` is its place in a live frame.
        """
        length = rows.shape[1]
        rows = rows[:1] if len(set(map(bytes, rows))) == 1 else rows
        offset = self.blocks.setdefault(rows.tobytes(), sum(map(len, self.blocks)) // 4)
        stride = length if len(rows) > 1 else 0
        return {"length": length, "offset": offset, "stride": stride, "live": -1}


def describe_slider(slider):
    """Return what the page needs to know of a slider."""
    about = {key: getattr(slider, key) for key in ("name", "label", "unit", "values")}
    numbers = [written(float(f"{value:.4g}")) for value in slider.values]
    about |= {"named": len(slider.names) > 0, "texts": list(map(str, slider.names)) or numbers}
    return about | {"start": slider.values.index(slider.value)}


def describe_axes(panel, arrays):
    """Return what the page needs to know of the two axes of a panel."""
    axes = {}
    for axis in "xy":
        label, given, scale = (getattr(panel, axis + end) for end in ("", "lim", "scale"))
        log = ["linear", "log"].index(scale) == 1
        limits = tuple(map(float, given or data_limits(panel, axis, arrays, log)))
        numbers = [] if label is None else [[tick, written(tick)] for tick in ticks(*limits, log)]
        axes[axis] = {"label": label or "", "log": log, "limits": limits, "ticks": numbers}
    return axes


def data_limits(panel, axis, arrays, log):
    """Return limits that hold every frame: those of an image, or of what is drawn and a margin."""
    values = np.concatenate([along(axis, mark, arrays[mark]) for mark in panel.marks])
    low, high = extent(values[values > 0] if log else values)
    if any(isinstance(mark, Image) for mark in panel.marks):
        return low, high
    if log:
        factor = (high / low) ** 0.05 if high > low else 2.0
        return significant(low / factor), significant(high * factor)
    margin = 0.05 * (high - low) or 0.5
    return significant(low - margin), significant(high + margin)


def along(axis, mark, arrays):
    """Return those numbers of a mark that lie along an axis of its panel."""
    if isinstance(mark, Rule):
        return arrays[0].ravel() if mark.axis == axis else np.empty(0)
    return getattr(mark, axis) if isinstance(mark, Image) else arrays["xy".index(axis)].ravel()


def extent(values):
    """Return the lowest and the highest value."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise ValueError("nothing is drawn in any frame: give a panel limits, an image a range")
    return significant(values.min()), significant(values.max())


def significant(number):
    """Round to six digits, which do not differ between processors."""
    return float(f"{number:.6g}")


def rounding_step(intervals):
    """Return the power of two that cuts the shortest interval into 2**AXIS_BITS steps or more."""
    lengths = [high - low for low, high in intervals if high > low]
    return 2.0 ** (frexp(min(lengths, default=1.0))[1] - 1 - AXIS_BITS)


def rounded(values, step):
    """Round to multiples of ``step``, or relative to each value where it is None, as float32."""
    if step is None:  # a log axis, which cannot show 0, nor what may have underflowed to 0
        values = np.where(values >= FLOAT32.tiny, values, np.nan)
        step = np.ldexp(1.0, np.frexp(values)[1] - AXIS_BITS)
    values = np.clip(np.rint(values / step) * step, FLOAT32.min, FLOAT32.max) + 0.0  # no -0
    return np.where(np.isnan(values), np.nan, values).astype("<f4")  # one kind of NaN


def ticks(low, high, log):
    """Return about six round numbers within an axis."""
    decades = log and high >= 100 * low
    locator = LogLocator(numticks=6) if decades else MaxNLocator(5, steps=[1, 2, 5, 10])
    # Widened, so that no limit is a power of ten, at which the last digit of a logarithm decides.
    wider = (low * (1 - 1e-9), high * (1 + 1e-9)) if decades else (low, high)
    places = [float(f"{tick:.12g}") for tick in locator.tick_values(*wider)]
    return [tick for tick in places if low <= tick <= high]


def written(number):
    """Write a number as people do.

    >>> [written(number) for number in (-0.5, 1200.0, 3e-07, 1e6)]
    ['−0.5', '1200', '3×10⁻⁷', '10⁶']
    """
    text = f"{number:.6g}"
    if number != 0 and not 1e-4 <= abs(number) < 1e5:
        digits, exponent = f"{number:.5e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = re.sub(r"^(-?)1×", r"\1", f"{float(digits):g}×10{power}")
    return text.replace("-", "\N{MINUS SIGN}")
