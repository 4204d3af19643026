"""The first state of a demo as pictures, for wherever no script runs: feeds, GitHub, some PDFs.

They are drawn from the description and the numbers that the page gets: one small PNG per panel.
"""

import base64
import io
import re
from html import escape

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mslbook.paper import style as theme

INCHES = (5.0, 4.0)  # of 72 pixels of the page, so that a font of 12 points has 12 pixels
PIXEL_RATIO = 1.25  # pixels of the picture to one of the page
PNG_COLOURS = 24  # the transparent ground among them
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^"}


def still_html(spec, data):
    """Return the first state as HTML: a picture of each panel, and the caption."""
    grid = [len(slider["values"]) for slider in spec["sliders"]]
    start = [slider["start"] for slider in spec["sliders"]]
    frame = 0 if spec["script"] else int(np.ravel_multi_index(start, grid))
    numbers = np.frombuffer(data, "<f4").astype(float)

    def read(place):
        return numbers[place["offset"] + place["stride"] * frame :][: place["length"]]

    alts = [f"{p['title']}: {p['y']['label']} against {p['x']['label']}" for p in spec["panels"]]
    alts[0] = spec["alt"]
    width, height = (round(72 * side) for side in INCHES)
    with style.context(["mslbook.paper.style", {"axes.grid": False}]):
        pictures = "\n".join(
            f'<img alt="{escape(alt)}" width="{width}" height="{height}" '
            f'src="data:image/png;base64,{base64.b64encode(png(panel, read)).decode()}">'
            for alt, panel in zip(alts, spec["panels"], strict=True)
        )
    return f'<div class="still">\n{pictures}\n<p>{escape(spec["captions"][frame])}</p>\n</div>'


def png(panel, read):
    """Draw one panel into a PNG of few colours, the same bytes whenever it is drawn."""
    figure = Figure(figsize=INCHES, dpi=72 * PIXEL_RATIO)
    axes = figure.add_subplot()
    above = any(mark.get("axis") == "x" and mark["label"] for mark in panel["marks"])
    axes.set_title(rich(panel["title"]), weight="bold", pad=20 if above else 6)
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        about = panel[name]
        axes.set(**{f"{name}scale": "log" if about["log"] else "linear"})
        axes.set(**{f"{name}lim": about["limits"], f"{name}label": rich(about["label"])})
        axis.set_ticks([tick for tick, _ in about["ticks"]], [text for _, text in about["ticks"]])
        axis.set_ticks([], minor=True)
    axes.set_aspect("equal" if panel["equal"] else "auto")
    for mark in panel["marks"]:
        {"Image": image, "Rule": rules}.get(mark["kind"], plot)(axes, mark, read)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower left", ncols=2, fontsize=11, columnspacing=1)
    pixels, size = FigureCanvasAgg(figure).print_to_buffer()
    picture, file = Image.frombytes("RGBA", size, pixels), io.BytesIO()
    picture.quantize(PNG_COLOURS, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def rich(text):
    """Write the subscripts of "x_η" and "λ_{max}" as Matplotlib does."""
    text = re.sub(r"\{([^}]*)\}", r"\1", text.replace("$", r"\$"))
    return re.sub(r"(?<![^\W\d_])([^\W\d_])_(\S+)", r"\1$_{\\mathregular{\2}}$", text)


def look_of(mark):
    """Return the colour and the dash of a mark as Matplotlib's keywords."""
    colour = theme.INK if mark["colour"] == "ink" else getattr(theme, mark["colour"].upper())
    return {"color": colour, "linestyle": mark.get("dash", "none")}


def plot(axes, mark, read):
    """Draw a Curve, Points, or a Trail at its end."""
    x, y, look = read(mark["x"]), read(mark["y"]), look_of(mark)
    look["marker"] = MARKERS[mark["marker"]] if "marker" in mark else None
    look["label"] = rich(mark["label"]) or None
    if mark.get("shade"):
        axes.fill_between(x, y, axes.get_ylim()[0], color=look["color"], alpha=0.15, linewidth=0)
    if mark["kind"] != "Trail":
        axes.plot(x, y, markersize=8, **look)
        return
    look["linestyle"] = "-"
    axes.plot(x, y, linewidth=1, alpha=0.6, markersize=4, markevery=slice(1, None), **look)
    look["label"] = None
    axes.plot(x[:1], y[:1], markersize=8, markerfacecolor="none", **look)
    axes.plot(x[-1:], y[-1:], markersize=10, **look)


def rules(axes, mark, read):
    """Draw the lines across the panel, and their label at the end of the first."""
    values, label = read(mark["value"]), rich(mark["label"])
    values = values[~np.isnan(values)]
    for value in values:
        {"x": axes.axvline, "y": axes.axhline}[mark["axis"]](value, linewidth=1.5, **look_of(mark))
    if values.size and mark["axis"] == "x":
        at = axes.get_xaxis_transform()
        axes.text(values[0], 1.01, label, transform=at, ha="center", va="bottom")
    elif values.size:
        axes.text(1.01, values[0], label, transform=axes.get_yaxis_transform(), va="center")


def image(axes, mark, read):
    """Draw a landscape in steps of opacity, with a contour line at each."""
    colour, count, box = look_of(mark)["color"], mark["levels"], mark["box"]
    levels = np.linspace(*mark["range"], count + 1)
    values = np.clip(read(mark["values"]), *mark["range"]).reshape(mark["shape"])
    shades = [(colour, 0.65 * k / count) for k in range(count)]
    lines = {"colors": [colour], "alpha": 0.2, "linewidths": 0.7}
    axes.fill_between([], [], color=colour, alpha=0.4, label=rich(mark["label"]) or None)
    axes.contourf(values, levels=levels, colors=shades, extent=box)
    axes.contour(values, levels=levels[1:-1], extent=box, **lines)
