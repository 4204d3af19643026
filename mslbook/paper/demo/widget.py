"""The interactive figures of the book: a drawing with sliders, play and reset.

One class carries every demo, in two hosts: a widget in a live kernel, and a page without a kernel,
where the frames that Python computed on a grid of values answer the sliders.
"""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

try:
    import anywidget
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("demos need anywidget: run pip install 'mslbook[book]'") from error
import traitlets

from mslbook.paper.demo.frames import MAX_BYTES, Frames, written
from mslbook.paper.demo.parts import Curve, Image, Panel, Points, Rule, Slider, Trail
from mslbook.paper.demo.still import still

__all__ = ["Curve", "Demo", "Image", "Panel", "Points", "Rule", "Slider", "Trail"]

HERE = Path(__file__).parent


class Demo(anywidget.AnyWidget):
    """A drawing that answers to sliders, in a notebook and on a built page.

    Parameters
    ----------
    frame : function
        Takes one value of each slider, by the slider's name, and returns a dictionary: for each
        mark that has no data of its own what it draws, and a ``"caption"``, the line of text that
        says what is seen. A Curve, Points or a Trail takes a tuple of two arrays (x, y), a Rule a
        number, an Image an array (len(y), len(x)). Arrays have the same size in every frame; NaN
        leaves a gap. It is called once for each point of the sliders' grid, so it should be quick.
    sliders : sequence of Slider
        The parameters. Each is an attribute of the demo, which may be set to any value, watched
        with ``observe``, and linked to other widgets.
    panels : sequence of Panel
        The axes, side by side where there is room.
    alt : str
        What one sees, for readers who do not see it.
    play : str
        What play walks through: ``"time"``, the points of every Trail, or the name of a slider.
    count : str
        What the points of a Trail are, for the slider that walks through them.
    times : sequence of float
        Where these points stand in that count, if not at 0, 1, 2 and so on.

    Raises ValueError or TypeError if the parts do not fit together, if a frame does not fit the
    panels, or if the demo would take more than 300 kB.

    >>> import numpy as np
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

    _esm = HERE / "demo.js"
    _css = HERE / "demo.css"
    _spec = traitlets.Dict().tag(sync=True)
    _data = traitlets.Bytes().tag(sync=True)
    _frame = traitlets.Dict().tag(sync=True)  # the last frame computed off the grid

    def __init__(
        self,
        frame: Callable[..., dict],
        sliders: Sequence[Slider],
        panels: Sequence[Panel],
        *,
        alt: str,
        play: str = "time",
        count: str = "step",
        times: Sequence[float] | None = None,
    ):
        names = [slider.name for slider in sliders]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sliders are called {name!r}: give each its own name")
            if hasattr(Demo, name):
                raise ValueError(f"a slider cannot be called {name!r}: widgets use that name")
        if not alt.strip():
            raise ValueError("alt must say in words what one sees")
        trails = [m.name for panel in panels for m in panel.marks if isinstance(m, Trail)]
        if play not in names and not (play == "time" and trails):
            options = [*(["time"] if trails else []), *names]
            raise ValueError(f"play must be one of {', '.join(options)}, not {play!r}")
        frames = Frames(frame, sliders, panels)
        points = frames.spec["steps"] + 1
        times = range(points) if times is None else times
        if len(times) != points:
            raise ValueError(f"times has {len(times)} numbers, but the trails have {points} points")
        self._frames = frames
        self.add_traits(**{name: traitlets.Float().tag(sync=True) for name in names})
        self._start = {slider.name: slider.value for slider in sliders}
        super().__init__(
            _spec=frames.spec
            | {"alt": alt, "play": play, "count": count, "times": [written(t) for t in times]},
            _data=frames.data,
            **self._start,
        )
        self._still = still(self._spec, self._data)
        if (size := len(self.html()) - len(str(self._esm)) - len(str(self._css))) > MAX_BYTES:
            raise ValueError(
                f"this demo takes {size / 1000:.0f} kB, but {MAX_BYTES / 1000:.0f} is the most a "
                "page should carry: give the sliders fewer values, or the trails fewer points"
            )
        self.observe(self._compute_off_grid, names)

    def _compute_off_grid(self, change):
        """Send the page the frame of values that it does not hold."""
        values = [getattr(self, slider.name) for slider in self._frames.sliders]
        grid = [slider.values for slider in self._frames.sliders]
        if not all(value in known for value, known in zip(values, grid, strict=True)):
            try:
                self._frame = self._frames.live(values)
            except Exception:
                setattr(self, change["name"], change["old"])  # show nothing that is not so
                raise

    def html(self) -> str:
        """The demo as it starts, as HTML that stands alone: no kernel, and nothing from a network.

        It carries a picture of the first state for where no script runs. Made twice, it is the same
        text twice.
        """
        state = self._start | {
            "_spec": self._spec,
            "_data": base64.b64encode(self._data).decode(),
            "_frame": {},
        }
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
