"""The first state of a demo as pictures, for wherever no script runs: feeds, GitHub, some PDFs.

They are drawn from the description and the numbers that the page gets, so they show what the page
shows, in the book's style: one small PNG for each panel.
"""

import base64
import io
import re
from html import escape

import numpy as np

SIZE = (5.0, 4.0)  # inches of 72 pixels, so that a font of 12 points has 12 pixels
DENSITY = 1.25  # pixels of the picture to one of the page
SHADES = 24  # colours of a picture, its transparent ground among them


def still(spec, data):
    """Return the first state as HTML: a picture of each panel, and the caption."""
    from matplotlib.style import context  # here, for who makes no demo needs no Matplotlib

    starts = [slider["start"] for slider in spec["sliders"]]
    grid = [len(slider["values"]) for slider in spec["sliders"]]
    frame = int(np.ravel_multi_index(starts, grid))
    numbers = np.frombuffer(data, "<f4").astype(float)

    def read(place):
        first = place["offset"] + place["stride"] * frame
        return numbers[first : first + place["length"]]

    alts = [spec["alt"]] + [
        f"{panel['title']}: {panel['y']['label']} against {panel['x']['label']}"
        for panel in spec["panels"][1:]
    ]
    width, height = (round(72 * side) for side in SIZE)
    with context(["mslbook.paper.style", {"axes.grid": False}]):
        pictures = "\n".join(
            f'<img alt="{escape(alt)}" width="{width}" height="{height}" '
            f'src="data:image/png;base64,{base64.b64encode(png(panel, read)).decode()}">'
            for alt, panel in zip(alts, spec["panels"], strict=True)
        )
    return f'<div class="still">\n{pictures}\n<p>{escape(spec["captions"][frame])}</p>\n</div>'


def png(panel, read):
    """Draw one panel into a PNG of few colours, the same bytes whenever it is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=SIZE, dpi=72 * DENSITY)
    axes = figure.add_subplot()
    above = any(mark.get("axis") == "x" and mark["label"] for mark in panel["marks"])
    axes.set_title(rich(panel["title"]), weight="bold", pad=20 if above else 6)
    for axis in "xy":
        about = panel[axis]
        axes.set(**{f"{axis}scale": "log" if about["log"] else "linear"})
        axes.set(**{f"{axis}lim": about["limits"], f"{axis}label": rich(about["label"])})
        lined = getattr(axes, f"{axis}axis")
        lined.set_ticks(*([list(row) for row in zip(*about["ticks"], strict=True)] or [[]]))
        lined.set_ticks([], minor=True)
    if panel["equal"]:
        axes.set_aspect("equal")
    for mark in panel["marks"]:
        {"Image": image, "Rule": rules}.get(mark["kind"], plot)(axes, mark, read)
    entries, _ = axes.get_legend_handles_labels()
    if entries:
        figure.legend(loc="outside lower left", ncols=2, fontsize=11, columnspacing=1)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    file = io.BytesIO()
    picture.quantize(SHADES, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def rich(text):
    """Write the subscripts of "x_η" and "λ_{max}" as Matplotlib does."""
    text = re.sub(r"\{([^}]*)\}", r"\1", text.replace("$", r"\$"))
    return re.sub(r"(?<![^\W\d_])([^\W\d_])_(\S+)", r"\1$_{\\mathregular{\2}}$", text)


def look(mark):
    """Return colour and dash of a mark, in Matplotlib's words."""
    from mslbook.paper import style

    colour = style.GREY if mark["colour"] == "ink" else getattr(style, mark["colour"].upper())
    dashes = {"solid": "-", "dashed": "--", "dotted": ":"}
    return {"color": colour, "linestyle": dashes.get(mark.get("dash"), "none")}


def plot(axes, mark, read):
    """Draw a Curve, Points, or a Trail at its end."""
    x, y, style = read(mark["x"]), read(mark["y"]), look(mark)
    shape = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^"}.get(mark.get("marker"))
    label = rich(mark["label"]) or None
    if mark["kind"] != "Trail":
        axes.plot(x, y, marker=shape, markersize=8, label=label, **style)
        return
    style["linestyle"] = "-"
    axes.plot(x, y, linewidth=1, alpha=0.6, marker=shape, markersize=4, markevery=slice(1, None),
              label=label, **style)  # fmt: skip
    axes.plot(x[:1], y[:1], marker=shape, markersize=8, markerfacecolor="none", **style)
    axes.plot(x[-1:], y[-1:], marker=shape, markersize=10, **style)


def rules(axes, mark, read):
    """Draw the lines across the panel, and their label at the end of the first."""
    across = axes.axvline if mark["axis"] == "x" else axes.axhline
    values = [value for value in read(mark["value"]) if not np.isnan(value)]
    for value in values:
        across(value, linewidth=1.5, **look(mark))
    if values and mark["axis"] == "x":
        axes.text(values[0], 1.01, rich(mark["label"]), transform=axes.get_xaxis_transform(),
                  ha="center", va="bottom")  # fmt: skip
    elif values:
        axes.text(1.01, values[0], rich(mark["label"]), transform=axes.get_yaxis_transform(),
                  va="center")  # fmt: skip


def image(axes, mark, read):
    """Draw a landscape in steps of opacity, with a contour line at each."""
    from matplotlib.colors import to_rgba

    rows, columns = mark["shape"]
    left, right, bottom, top = mark["box"]
    x, y = np.linspace(left, right, columns), np.linspace(bottom, top, rows)
    steps = np.linspace(*mark["range"], mark["levels"] + 1)
    colour = look(mark)["color"]
    shades = [to_rgba(colour, 0.65 * k / mark["levels"]) for k in range(mark["levels"])]
    values = np.clip(read(mark["values"]), steps[0], steps[-1]).reshape(rows, columns)
    axes.fill_between([], [], color=colour, alpha=0.4, label=rich(mark["label"]) or None)
    axes.contourf(x, y, values, levels=steps, colors=shades)
    axes.contour(x, y, values, levels=steps[1:-1], colors=[colour], alpha=0.2, linewidths=0.7)
