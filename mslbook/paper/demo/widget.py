"""A demo and its two hosts: a live kernel, where it is a widget, and a page without one.

There the frames that Python computed on a grid of values answer the sliders; where everything drawn
is given in closed form, a script does, at any value.
"""

import base64
import json
from pathlib import Path

import anywidget
import traitlets

from mslbook.paper.demo.frames import Frames, written
from mslbook.paper.demo.still import still_html

MAX_HTML = 300_000  # characters, so that a notebook with one demo stays under 500 kB


def with_losses(script, losses):
    """The script in a file as an expression that brings the formulas it needs."""
    text = script.read_text(encoding="utf-8").strip()
    if not losses:
        return text
    from mslbook.paper.demo.formulas import javascript  # sympy is slow to import

    known = "\n".join(f"const {name} = {javascript(name)};" for name in losses)
    return f"(() => {{\n{known}\nreturn {text};\n}})()"


class Demo(anywidget.AnyWidget):
    """A drawing that answers to sliders, in a notebook and on a built page.

    ValueError if the parts do not fit together, or the demo is too heavy for a page.

    Parameters
    ----------
    frame : callable
        Takes a value of each slider, by name, and returns a dictionary: a ``"caption"``, and what
        each mark without data draws: a tuple of two arrays (x, y), of a Rule a number, of an Image
        an array (len(y), len(x)). Sizes never change; NaN leaves a gap.
    sliders, panels : sequence of Slider, sequence of Panel
        The parameters, each an attribute of the demo to be set, observed and linked; and the axes,
        side by side where there is room.
    alt : str
        What one sees, for readers who do not see it.
    play : str
        What play steps through: "time", the points of every Trail, or the name of a slider.
    count, times : str, sequence of float
        What the points of a Trail count, and where they stand in it, by default 0, 1, 2, ...
    script : Path, optional
        A file with the frame once more, as a JavaScript function of an object of the sliders'
        values: the page then computes at any value while one drags, as `two_fates` of the home page
        does. Marks are arrays as in `frame`. It may use the losses named below,
        ``descend(loss, start, lr, steps)`` (`start` an array, `lr` a number or a function of the
        step), ``root(f, low, high)`` and ``g(number)``, which writes a number as ``:g`` does. A
        path has ``points`` (an array for each coordinate), ``values`` and ``steps``. Give panels
        limits: only the first frame is computed here.
    losses : sequence of str
        The losses of the script, keys of `mslbook.paper.demo.formulas.FORMULAS`.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook.paper.demo import Curve, Demo, Panel, Slider
    >>> x = np.linspace(-3, 3, 61)
    >>> demo = Demo(
    ...     lambda a: {"tangent": (x, a * (2 * x - a)), "caption": f"It touches at x = {a:g}."},
    ...     sliders=[Slider("a", "point a", np.linspace(-2, 2, 9), value=1)],
    ...     panels=[Panel("A tangent", "x", "y", [Curve("x²", x, x**2), Curve("tangent")])],
    ...     play="a",
    ...     alt="A parabola and a line that touches it.",
    ... )
    >>> demo.a = 0.123  # in a live kernel: any value
    >>> demo
    Demo(a=0.123)
    """

    _esm = Path(__file__).with_name("demo.js")
    _css = Path(__file__).with_name("demo.css")
    _spec = traitlets.Dict().tag(sync=True)
    _data = traitlets.Bytes().tag(sync=True)
    _frame = traitlets.Dict().tag(sync=True)  # the last frame computed off the grid

    def __init__(self, frame, sliders, panels, *, alt, play="time", count="step", times=None,
                 script=None, losses=()):  # fmt: skip
        self._frames = Frames(frame, sliders, panels, script and with_losses(script, losses))
        self._start = {slider.name: slider.value for slider in sliders}
        points = self._frames.spec["steps"] + 1
        times = range(points) if times is None else times
        if any(hasattr(Demo, name) for name in self._start) or len(self._start) < len(sliders):
            raise ValueError("give each slider a name of its own, and none that widgets use")
        if play not in (options := ["time"] * (points > 1) + list(self._start)):
            raise ValueError(f"play must be one of {', '.join(options)}, not {play!r}")
        if len(times) != points:
            raise ValueError(f"times needs {points} numbers, one for each point of the trails")
        self.add_traits(**{name: traitlets.Float().tag(sync=True) for name in self._start})
        look = {"alt": alt, "play": play, "count": count, "times": list(map(written, times))}
        super().__init__(_spec=self._frames.spec | look, _data=self._frames.data, **self._start)
        self._still = still_html(self._spec, self._data)
        size = len(self.html()) - len(str(self._esm)) - len(str(self._css))
        if size > MAX_HTML:
            raise ValueError(f"{size} characters are too many for a page: use fewer slider values")
        if script is None:
            self.observe(self._compute_off_grid, list(self._start))

    def _compute_off_grid(self, change):
        """Send the page the frame of values that it does not hold."""
        values = [getattr(self, name) for name in self._start]
        grid = [slider.values for slider in self._frames.sliders]
        if not all(value in known for value, known in zip(values, grid, strict=True)):
            try:
                self._frame = self._frames.live(values)
            except Exception:
                setattr(self, change["name"], change["old"])  # show nothing that is not so
                raise

    def html(self):
        """The demo as it starts, as HTML that needs no kernel and no network: a str."""
        data = base64.b64encode(self._data).decode()
        state = self._start | {"_spec": self._spec, "_data": data, "_frame": {}}
        text = json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # A plain script runs while the page is read, before the picture is painted, and a module
        # would after: so nothing flashes, and nothing below moves. It must not export anything.
        script, _, _ = str(self._esm).partition("export default")
        return f"""<div class="msl-demo-host">
<style>{self._css}</style>
{self._still}
<script type="application/json">{text.replace("<", chr(92) + "u003c")}</script>
<script>(() => {{
"use strict";
{script}
for (const host of document.querySelectorAll(".msl-demo-host:not(.mounted)")) mount(host);
}})();</script>
</div>"""

    def _repr_mimebundle_(self, **kwargs):
        """The widget for a live kernel, and beside it the HTML for a page without one."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/html": self.html()}, metadata

    def __repr__(self):
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in self._start)
        return f"Demo({values})"
