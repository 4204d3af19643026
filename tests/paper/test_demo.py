import base64
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import traitlets
from PIL import Image as Picture

from mslbook.paper.demo import Curve, Demo, Image, Panel, Points, Rule, Slider, Trail

X = np.linspace(-2, 2, 41)
STEPS = np.arange(7)


def wave(a, b):
    """A frame with every kind of mark that can move."""
    return {
        "curve": (X, a * np.sin(X + b)),
        "trail": (STEPS, np.exp(-a * STEPS)),
        "rule": b,
        "land": a * X[:3] * X[:3, None],
        "caption": f"a = {a:g}, b = {b:g}",
    }


def parts(**changes):
    """What makes a demo of `wave`, with some of it changed."""
    first = Panel(
        "Left",
        "x",
        "y",
        [Image("land", X[:3], X[:3]), Curve("curve"), Curve("fixed", X, X**2), Rule("rule", "x")],
    )
    second = Panel("Right", "step", "loss", [Trail("trail"), Points("dot", [1], [1])], yscale="log")
    return {
        "frame": wave,
        "sliders": [
            Slider("a", "amplitude", [0.5, 1, 2], value=1),
            Slider("b", "shift", [-1, 0, 0.5, 1], value=0.5, unit="rad"),
        ],
        "panels": [first, second],
        "alt": "A wave <b>and</b> a decay.",
    } | changes


def stored(demo, panel, mark, channel, frame):
    """An array as the page reads it: by the description, out of the float32 numbers."""
    state = demo.get_state()
    place = state["_spec"]["panels"][panel]["marks"][mark][channel]
    start = place["offset"] + place["stride"] * frame
    return np.frombuffer(state["_data"], "<f4")[start : start + place["length"]]


def test_the_page_holds_every_frame_of_the_grid():
    demo = Demo(**parts())
    captions = demo.get_state()["_spec"]["captions"]
    assert len(captions) == 12
    for index, (a, b) in enumerate((a, b) for a in (0.5, 1, 2) for b in (-1, 0, 0.5, 1)):
        true = wave(a, b)
        assert captions[index] == true["caption"]
        for panel, mark, channel, expected in [
            (0, 0, "values", true["land"].ravel()),
            (0, 1, "x", true["curve"][0]),
            (0, 1, "y", true["curve"][1]),
            (0, 2, "y", X**2),
            (0, 3, "value", [b]),
            (1, 0, "x", STEPS),
        ]:
            span = 6.5  # of the widest axis these numbers lie along
            np.testing.assert_allclose(
                stored(demo, panel, mark, channel, index), expected, atol=span / 2**14, rtol=0
            )
        np.testing.assert_allclose(  # relative, on a log axis
            stored(demo, 1, 0, "y", index), true["trail"][1], rtol=2**-14
        )


def test_what_is_the_same_is_stored_once():
    moving = np.random.default_rng(0).random((3, 50))

    def frame(k):
        row = moving[int(k)]
        return {
            "path": (X, np.resize(row, X.size)),
            "time": (np.resize(row, X.size), X),
            "caption": "",
        }

    demo = Demo(
        frame,
        [Slider("k", "k", [0, 1, 2], value=0)],
        [
            Panel("a", "x", "y", [Trail("path"), Curve("c", X, X)]),
            Panel("b", "x", "y", [Trail("time")]),
        ],
        alt="Points.",
    )
    assert len(demo.get_state()["_data"]) == 4 * X.size * (
        1 + 3
    )  # X once, the moving array once in each frame


def test_the_html_is_the_same_text_on_a_processor_with_other_last_digits():
    noise = np.random.default_rng(1)

    def noisy(a, b):
        frame = wave(a, b)
        for name in ("curve", "trail"):
            x, y = frame[name]
            frame[name] = (x, y * (1 + 1e-13 * noise.standard_normal(y.shape)) + 0.0)
        x, y = frame["curve"]
        frame["curve"] = (x, y + 1e-15 * noise.standard_normal(y.shape))  # cancellation to -0 or 0
        return frame

    html = Demo(**parts()).html()
    assert html == Demo(**parts()).html()
    assert html == Demo(**parts(frame=noisy)).html()


def test_the_html_stands_alone():
    html = Demo(**parts()).html()
    assert not re.search(r"https?:|//cdn|@import|url\(", html)
    assert html.count("</script>") == 2
    assert "A wave &lt;b&gt;and&lt;/b&gt; a decay." in html
    state = json.loads(re.search(r"application/json\">(.*?)</script>", html, re.DOTALL)[1])
    assert state["a"] == 1
    assert base64.b64decode(state["_data"]) == Demo(**parts()).get_state()["_data"]


def stills(demo):
    """The pictures of the first state, (height, width, 4) each, as the page carries them."""
    texts = re.findall(r'src="data:image/png;base64,([^"]+)"', demo.html())
    files = [Picture.open(io.BytesIO(base64.b64decode(text))) for text in texts]
    return [np.asarray(file.convert("RGBA")).astype(int) for file in files]


def shows(picture, colour):
    """How many pixels of a picture have about this colour."""
    near = np.abs(picture[..., :3] - colour).max(axis=-1) < 24
    return (near & (picture[..., 3] > 200)).sum()


def test_the_still_pictures_show_the_first_state():
    left, right = stills(Demo(**parts()))
    for picture in (left, right):
        assert (picture[..., 3] == 0).mean() > 0.3  # the ground is the page's
        assert shows(picture, (0x22, 0x27, 0x2E)) > 500  # axes and text
    assert shows(left, (0x00, 0x72, 0xB2)) > 300  # curves
    assert shows(right, (0xD5, 0x5E, 0x00)) > 50  # the trail
    assert shows(right, (0x00, 0x9E, 0x73)) > 20  # the point

    other = parts(sliders=[Slider("a", "a", [0.5, 1, 2], value=2), parts()["sliders"][1]])
    moved = stills(Demo(**other))
    assert not np.array_equal(left, moved[0])
    assert not np.array_equal(right, moved[1])


def test_the_still_pictures_are_small_and_the_same_twice():
    walks = np.random.default_rng(2).normal(size=(2, 200)).cumsum(axis=1)

    def frame(a):
        return {"rough": (np.arange(200), walks[0]), "fine": (walks[1], walks[0]), "caption": "€$"}

    panels = [
        Panel("Rough_{x$}", "k", "λ_{max}", [Trail("rough", label="x_t $"), Rule("r", "x", 9)]),
        Panel("Fine", None, "y", [Points("fine", colour="ink"), Rule("q", "y", [0, 1], "q_1")]),
    ]
    one, other = (
        Demo(frame, [Slider("a", "a", [1], value=1)], panels, alt="a", play="a") for _ in range(2)
    )
    assert one.html() == other.html()
    assert sum(map(len, re.findall('data:image/png[^"]+', one.html()))) < 25_000


def test_both_hosts_are_offered():
    data, _ = Demo(**parts())._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/html"] == Demo(**parts()).html()
    assert data["text/plain"] == "Demo(a=1, b=0.5)"


def test_any_value_is_computed_and_grid_values_are_not():
    demo = Demo(**parts())
    demo.b = -1
    assert demo.get_state()["_frame"] == {}
    demo.a = 0.777
    sent = demo.get_state()["_frame"]
    true = wave(0.777, -1)
    assert sent["values"] == [0.777, -1]
    assert sent["caption"] == true["caption"]
    numbers = np.frombuffer(sent["data"], "<f4")
    place = demo.get_state()["_spec"]["panels"][0]["marks"][1]["y"]
    curve = numbers[place["live"] : place["live"] + place["length"]]
    np.testing.assert_allclose(curve, true["curve"][1], atol=6.5 / 2**14)
    assert (
        demo.get_state()["_spec"]["panels"][0]["marks"][2]["y"]["live"] == -1
    )  # the fixed curve is not resent


def test_other_widgets_link_to_a_slider():
    class Other(traitlets.HasTraits):
        value = traitlets.Float()

    demo, other = Demo(**parts()), Other()
    traitlets.link((demo, "a"), (other, "value"))
    other.value = 1.25
    assert demo.a == 1.25
    assert demo.get_state()["_frame"]["values"] == [1.25, 0.5]


def test_a_value_that_cannot_be_computed_is_taken_back():
    def frame(a, b):
        if a > 2:
            raise ValueError("a must be at most 2")
        return wave(a, b)

    demo = Demo(**parts(frame=frame))
    with pytest.raises(ValueError, match="at most 2"):
        demo.a = 3
    assert demo.a == 1


def test_two_demos_keep_their_sliders_apart():
    one = Demo(**parts())
    other = Demo(
        lambda c: wave(c, c),
        **{
            key: value
            for key, value in parts(sliders=[Slider("c", "c", [1, 2], value=2)]).items()
            if key != "frame"
        },
    )
    assert other.c == 2
    assert not hasattr(one, "c")
    assert not hasattr(other, "a")


def test_limits_hold_everything_that_is_shown():
    demo = Demo(**parts())
    left, right = demo.get_state()["_spec"]["panels"]
    assert left["x"]["limits"] == (-2, 2)
    assert left["y"]["limits"] == (-2, 4)
    low, high = right["y"]["limits"]
    assert 0 < low < np.exp(-12)
    assert high > 1
    assert [text for _, text in right["y"]["ticks"]][-1] == "1"


def test_an_axis_without_a_label_has_no_numbers():
    places = Points("places", [0.0, 1.0], [1.0, 2.0])
    demo = Demo(
        lambda c: {"caption": "two rows"},
        sliders=[Slider("c", "c", [0, 1], value=0)],
        panels=[Panel("Rows", "column", None, [places])],
        play="c",
        alt="Two places.",
    )
    (panel,) = demo.get_state()["_spec"]["panels"]
    assert (panel["y"]["label"], panel["y"]["ticks"]) == ("", [])
    assert panel["x"]["ticks"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Slider("lr", "η", [1, 2], value=1.6), "slider 'lr' must increase and hold"),
        (lambda: Slider("lr", "η", [], value=1), "hold its start"),
        (lambda: Slider("lr", "η", [1, 1], value=1), "must increase"),
        (lambda: Slider("lr", "η", [2, 1], value=1), "must increase"),
        (lambda: Slider("net", "network", [1, 2], value=1, names=["one"]), "one name for each"),
        (lambda: Image("i", [0, 1, 3], X), "image 'i' must increase in even steps"),
        (lambda: Image("i", X, X[::-1]), "even steps"),
        (lambda: Panel("p", "x", "y", [Image("i", X, X)], yscale="log"), "linear axes"),
        (lambda: Panel("p", "x", "y", [], xscale="log", equal=True), "linear axes"),
    ],
)
def test_bad_parts(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def returning(**entries):
    """The wave, with some entries of its frames changed."""
    return lambda a, b: wave(a, b) | entries


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sliders": 2 * [Slider("a", "", [1], value=1)], "frame": lambda a: wave(a, a)}, "own"),
        (
            {"sliders": [Slider("layout", "", [1], value=1)], "frame": lambda layout: wave(1, 1)},
            "a name of its own, and none that widgets use",
        ),
        ({"play": "lr"}, "play must be one of time, a, b"),
        ({"times": [0, 1]}, "times needs 7 numbers"),
        ({"frame": returning(trial=1)}, "(?s)must have the keys.*in the frame at a=0.5, b=-1"),
        ({"frame": lambda a, b: {"curve": (X, X), "caption": ""}}, "'land', 'rule', 'trail'"),
        ({"frame": returning(curve=X)}, "'curve' needs x and y of shape"),
        ({"frame": returning(curve=(X, X[:3]))}, "'curve' needs x and y of shape"),
        ({"frame": returning(curve=(X, ["a"] * 41))}, "convert string to float"),
        ({"frame": returning(rule=np.inf)}, "(?s)'rule' is infinite.*at a=0.5, b=-1"),
        ({"frame": returning(land=np.full((3, 3), np.nan))}, "nothing is drawn"),
        ({"frame": returning(land=X)}, r"'land' needs values of shape \(3, 3\)"),
        ({"frame": returning(land=np.ones((2, 3)))}, r"'land' needs values of shape \(3, 3\)"),
        (
            {"frame": lambda a, b: wave(a, b) | {"trail": (X[: int(2 * a)],) * 2}},
            "(?s)'trail' must keep its size.*at a=1, b=-1",
        ),
        (
            {
                "frame": returning(trail=(STEPS, -1.0 - STEPS)),
                "panels": [
                    parts()["panels"][0],
                    Panel("Right", "step", "loss", [Trail("trail")], yscale="log"),
                ],
            },
            "nothing is drawn",
        ),
    ],
)
def test_bad_demos(changes, says):
    with pytest.raises(ValueError, match=says):
        Demo(**parts(**changes))


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        (Curve("c", X, X, colour="red"), "RED"),
        (Curve("c", X, X, dash="wavy"), "wavy"),
        (Trail("t", X, X, marker="star"), "star"),
        (Rule("r", "z", 1), "z"),
        (Curve("c", X), "the keys.*'c'"),
    ],
)
def test_what_no_page_can_draw_is_refused(mark, says):
    panel = Panel("p", "x", "y", [mark, Curve("x", X, X)])
    slider = Slider("a", "a", [1], value=1)
    with pytest.raises((AttributeError, KeyError, ValueError), match=says):
        Demo(lambda a: {"caption": ""}, [slider], [panel], alt="One mark.", play="a")


def test_a_scale_is_linear_or_log():
    panel = Panel("p", "x", "y", [Curve("x", X, X)], xscale="lin")
    with pytest.raises(ValueError, match="lin"):
        Demo(lambda a: {"caption": ""}, [Slider("a", "a", [1], value=1)], [panel], alt="", play="a")


def test_a_live_frame_keeps_the_sizes_of_the_grid():
    demo = Demo(**parts(frame=lambda a, b: wave(a, b) | {"curve": (X[a == 3 :],) * 2}))
    with pytest.raises(ValueError, match="'curve' must keep its size"):
        demo.a = 3
    assert demo.a == 1


def test_a_demo_that_weighs_too_much():
    many = Slider("a", "a", np.linspace(1, 2, 2000), value=1)
    with pytest.raises(ValueError, match="too many for a page: use fewer slider values"):
        Demo(**parts(sliders=[many, parts()["sliders"][1]]))


def test_nan_leaves_a_gap_and_is_no_error():
    gap = np.where(np.abs(X) < 0.5, np.nan, X)
    demo = Demo(**parts(frame=returning(curve=(X, gap), rule=np.nan)))
    assert np.isnan(stored(demo, 0, 1, "y", 0)).sum() == 9


def test_neither_the_package_nor_the_demos_load_what_they_do_not_need():
    script = (
        "import sys, mslbook; assert 'anywidget' not in sys.modules\n"
        "import mslbook.paper.demo; assert not {'matplotlib', 'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_on_a_log_axis_what_underflows_is_left_out_as_zero_is():
    falls = np.array([1.0, 1e-30, 1e-65, 0.0])
    for last in (falls[2:], falls[:1:-1], [0.0, 0.0]):
        trail = STEPS[:4], np.concatenate([falls[:2], last])
        demo = Demo(**parts(frame=lambda a, b, trail=trail: wave(a, b) | {"trail": trail}))
        found = stored(demo, 1, 0, "y", 0)
        np.testing.assert_allclose(found, [1.0, 1e-30, np.nan, np.nan], rtol=2**-14)
