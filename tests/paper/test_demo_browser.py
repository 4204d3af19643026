"""The demos in Chromium: on a page without a kernel, and in a stand-in for a live one."""

import base64
import json

import numpy as np
import pytest
from conftest import stop_the_clock

from mslbook.paper.demo import Curve, Demo, Image, Panel, Points, Rule, Slider, Trail

pytestmark = pytest.mark.browser

X = np.linspace(-2, 2, 41)
STEPS = np.arange(6)
INK = (10, 20, 30)
LIGHT = (230, 220, 210)
BLUE, VERMILLION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Demos</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ color: rgb{ink}; font: 16px sans-serif; max-width: 46rem; margin: auto }}
[data-theme=dark] body {{ color: rgb{light}; background: #111 }}</style>{demos}"""


def decay(rate, start):
    x = start * (1 - rate) ** STEPS
    return {
        "descent": (x, x**2),
        "iterates": (STEPS, x),
        "at": start,
        "caption": f"From {start:g}, each step leaves {1 - rate:g} of x_t.",
    }


def descent(**changes):
    parts = {
        "frame": decay,
        "sliders": [
            Slider("rate", "rate η", [0, 0.25, 0.5, 1.5], value=0.5),
            Slider("start", "start x_0", np.linspace(-2, 2, 9), value=2, unit="m"),
        ],
        "panels": [
            Panel("Loss", "x", "x²", [Curve("loss", X, X**2, colour="ink"), Trail("descent")]),
            Panel(
                "Time", "t", "x", [Trail("iterates", colour="blue"), Rule("at", "y", label="x_0")]
            ),
        ],
        "alt": "Descent on a parabola.",
    }
    return Demo(**parts | changes)


def landscape():
    return Demo(
        lambda a: {"cut": (X, a * X), "caption": f"slope {a:g}"},
        [Slider("a", "slope a", np.linspace(-1, 1, 5), value=0.5)],
        [
            Panel(
                "Land",
                "x",
                "y",
                [
                    Image("bowl", X, X, X**2 + X[:, None] ** 2),
                    Curve("cut", dash="dashed"),
                    Points("minimum", [0], [0]),
                ],
            )
        ],
        alt="A bowl.",
        play="a",
    )


@pytest.fixture
def show(browser):
    """Opens a page with the demos in it; it fails on errors, and on requests beyond the page."""
    contexts, wrong = [], []

    def opened(*demos, width=1280, hash="", **settings):
        settings = {"viewport": {"width": width, "height": 900}} | settings
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        text = PAGE.format(ink=INK, light=LIGHT, demos="\n".join(demo.html() for demo in demos))

        def answer(route):
            if route.request.url == "http://localhost/":
                return route.fulfill(body=text, content_type="text/html")
            wrong.append(f"requested {route.request.url}")
            return route.abort()

        page.route("**/*", answer)
        page.goto(f"http://localhost/{hash}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def settled(page):
    """Wait until what has changed is drawn."""
    page.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")


def drawings(page):
    settled(page)
    return page.evaluate("[...document.querySelectorAll('canvas')].map((c) => c.toDataURL())")


def captions(page):
    settled(page)
    return page.locator(".caption [aria-live]").all_inner_texts()


def slider(page, name):
    return page.get_by_role("slider", name=name)


def field(page, name):
    """Where one types a slider's value."""
    return page.get_by_role("textbox", name=f"{name}: type a value")


def values(page):
    """What stands beside the sliders: first what the fields hold, then the count of play."""
    settled(page)
    fields = page.eval_on_selector_all(".control input:not([type])", "all => all.map(f => f.value)")
    return [*fields, *page.locator("output").all_inner_texts()]


def pixels(page, canvas=0):
    """The pixels of a canvas, (height, width, 4)."""
    settled(page)
    text = page.evaluate(
        """(k) => {
          const c = document.querySelectorAll("canvas")[k];
          const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
          const bytes = Array.from(data, (v) => String.fromCharCode(v)).join("");
          return [c.width, c.height, btoa(bytes)];
        }""",
        canvas,
    )
    return np.frombuffer(base64.b64decode(text[2]), np.uint8).reshape(text[1], text[0], 4)


def has(picture, colour):
    """Where a picture shows exactly this colour, opaque."""
    return (picture == (*colour, 255)).all(axis=-1)


def test_the_first_state_is_drawn_and_described(show):
    page = show(descent())
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert page.locator(".still").count() == 0
    canvases = page.locator("canvas")
    assert canvases.nth(0).get_attribute("role") == "img"
    assert canvases.nth(0).get_attribute("aria-label") == "Descent on a parabola."
    assert canvases.nth(1).get_attribute("aria-label") == "Time: x against t"
    assert values(page) == ["0.5", "2", "5"]
    assert slider(page, "start x0").get_attribute("aria-valuetext") == "2\N{NO-BREAK SPACE}m"
    assert page.locator("li").all_inner_texts() == ["loss", "descent", "iterates"]
    assert has(pixels(page, 0), INK).sum() > 200  # the loss
    assert has(pixels(page, 1), BLUE).sum() > 30  # the iterates


@pytest.mark.parametrize(
    ("scale", "limits", "level"), [("linear", (0, 1), 0.75), ("log", (1, 1e4), 1e3)]
)
def test_marks_stand_where_the_axes_say(show, scale, limits, level):
    x = np.linspace(0, 1, 301)
    line = np.where((x > 0.4) & (x < 0.6), np.nan, level)
    corners = Curve("corners", (0, 1), limits, colour="vermillion")
    panel = Panel("p", "x", "y", [corners, Curve("line")], xlim=(0, 1), ylim=limits, yscale=scale)
    slider = Slider("a", "a", [1], value=1)
    demo = Demo(
        lambda a: {"line": (x, line), "caption": ""}, [slider], [panel], alt="A line.", play="a"
    )
    picture = pixels(show(demo))
    rows, columns = np.nonzero(has(picture, VERMILLION))  # from one corner to the other
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    rows, columns = np.nonzero(has(picture, BLUE))
    assert abs((bottom - rows.mean()) / (bottom - top) - 0.75) < 0.01
    columns = np.unique(columns)
    gap = np.flatnonzero(np.diff(columns) > 1)
    assert len(gap) == 1
    places = (columns[[gap[0], gap[0] + 1]] - left) / (right - left)
    np.testing.assert_allclose(places, [0.4, 0.6], atol=0.01)


@pytest.mark.parametrize("width", [360, 1280])
def test_with_equal_units_a_circle_is_round(show, width):
    turn = np.linspace(0, 2 * np.pi, 101)
    circle = Curve("circle", 3 * np.cos(turn), 3 * np.sin(turn))
    panel = Panel("p", "x", "y", [circle], xlim=(-6, 6), ylim=(-4, 4), equal=True)
    demo = Demo(lambda a: {"caption": ""}, [Slider("a", "a", [1], value=1)], [panel],
                alt="A circle.", play="a")  # fmt: skip
    rows, columns = np.nonzero(has(pixels(show(demo, width=width)), BLUE))
    assert np.ptp(rows) > 50
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2


def test_the_mouse_moves_a_slider(show):
    page = show(descent())
    before, words = drawings(page), captions(page)
    box = slider(page, "rate η").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert captions(page) == ["From 2, each step leaves -0.5 of xt."] != words
    assert values(page)[0] == "1.5"
    assert all(a != b for a, b in zip(before, drawings(page), strict=True))


def test_the_keyboard_moves_a_slider(show):
    page = show(descent())
    before = drawings(page)
    start = slider(page, "start x0")
    start.focus()
    page.keyboard.press("ArrowLeft")
    assert captions(page) == ["From 1.5, each step leaves 0.5 of xt."]
    assert drawings(page) != before
    assert start.get_attribute("aria-valuetext") == "1.5\N{NO-BREAK SPACE}m"
    page.keyboard.press("Home")
    assert captions(page) == ["From -2, each step leaves 0.5 of xt."]
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowUp")
    assert -2 < float(values(page)[1].replace("\N{MINUS SIGN}", "-")) < 2
    page.keyboard.press("End")
    assert drawings(page) == before


def test_tab_goes_through_the_controls_as_they_stand(show):
    page = show(descent())
    page.keyboard.press("Tab")
    seen = []
    for _ in range(7):
        seen.append(page.evaluate("document.activeElement.ariaLabel"
                                  " || document.activeElement.labels[0]?.textContent"
                                  " || document.activeElement.textContent"))  # fmt: skip
        page.keyboard.press("Tab")
    typed = "{}: type a value".format
    names = ["rate η", "start x0"]
    assert seen == [names[0], typed(names[0]), names[1], typed(names[1]), "Play", "Reset", "step"]


def test_a_typed_number_goes_to_the_nearest_value_of_the_grid(show):
    page = show(descent())
    rate, start = field(page, "rate η"), field(page, "start x0")
    rate.fill("0.9")
    rate.press("Enter")
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert values(page)[0] == "0.5"  # what was taken, not what was typed
    rate.fill(" 1,2 ")
    page.keyboard.press("Tab")
    assert captions(page) == ["From 2, each step leaves -0.5 of xt."]
    start.fill("\N{MINUS SIGN}1.6")
    start.press("Enter")
    assert captions(page) == ["From -1.5, each step leaves -0.5 of xt."]
    assert values(page)[:2] == ["1.5", "\N{MINUS SIGN}1.5"]
    start.fill("1e9")
    start.press("Enter")
    assert values(page)[1] == "2"


@pytest.mark.parametrize("typed", ["", "  ", "much", "2/3", "Infinity", "NaN"])
def test_what_is_no_number_changes_nothing(show, typed):
    page = show(descent())
    before = drawings(page)
    rate = field(page, "rate η")
    rate.fill(typed)
    rate.press("Enter")
    assert values(page) == ["0.5", "2", "5"]
    assert drawings(page) == before


def test_a_slider_of_names_shows_them_and_takes_a_choice(show):
    names = ["none", "other", "VGG11", "ResNet18"]
    network = Slider("rate", "network", [0.05, 0.1, 0.25, 0.5], value=0.5, names=names)
    start = Slider("start", "start", [2], value=2)
    page = show(descent(sliders=[network, start]))
    choice = page.get_by_role("combobox", name="network: choose")
    assert choice.input_value() == "ResNet18"
    before = drawings(page)
    choice.select_option("VGG11")
    assert drawings(page) != before
    assert slider(page, "network").get_attribute("aria-valuetext") == "VGG11"
    slider(page, "network").press("ArrowRight")
    settled(page)
    assert choice.input_value() == "ResNet18"
    assert drawings(page) == before


def test_few_recorded_values_are_buttons(show):
    rates = Slider("rate", "rate η", [0.25, 0.5, 1.5], value=0.5, unit="%")
    page = show(descent(sliders=[rates, Slider("start", "start x_0", [1, 2], value=2)]))
    buttons = page.get_by_role("group", name="rate η").get_by_role("radio")
    assert [one.is_checked() for one in buttons.all()] == [False, True, False]
    before = drawings(page)
    buttons.nth(2).check()
    assert captions(page) == ["From 2, each step leaves -0.5 of xt."]
    assert drawings(page) != before
    buttons.nth(2).press("ArrowLeft")
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert drawings(page) == before
    page.get_by_role("group", name="start x").get_by_text("1").click()
    assert captions(page) == ["From 1, each step leaves 0.5 of xt."]
    page.get_by_role("button", name="Reset").click()
    assert drawings(page) == before


def test_typing_stops_a_demo_that_plays_this_very_slider(show):
    page = show(landscape())
    stop_the_clock(page)
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(100)
    slope = field(page, "slope a")
    slope.fill("0")
    slope.press("Enter")
    page.clock.run_for(2000)
    assert page.locator("output, .play").all_inner_texts() == ["Play"]
    assert slope.input_value() == "0"


PHONE = {"width": 390, "has_touch": True, "is_mobile": True}


def swipe(page, element, right=0, down=0):
    """One finger set on the middle of an element and drawn over the screen."""
    box = element.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": px, "y": py} for px, py in places]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        settled(page)

    touch("touchStart", (x, y))
    for k in range(1, 11):
        touch("touchMove", (x + right * k / 10, y + down * k / 10))
    touch("touchEnd")


@pytest.mark.parametrize("name", ["start x0", "step"])
def test_a_finger_moves_a_slider_and_a_swipe_scrolls_the_page(show, name):
    page = show(descent(), landscape(), landscape(), **PHONE)
    moved = slider(page, name)
    moved.fill("2")
    before = drawings(page)[:2]
    swipe(page, moved, right=60, down=4)
    assert int(moved.input_value()) > 2
    assert drawings(page)[:2] != before
    assert page.evaluate("scrollY") == 0
    assert moved.evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
    moved.fill("1")
    before = drawings(page)[:2]
    swipe(page, moved, down=-200)
    page.wait_for_function("scrollY > 100")
    assert moved.input_value() == "1"  # though the finger began in the middle
    assert drawings(page)[:2] == before


def test_on_a_phone_the_controls_have_room_for_a_finger(show):
    page = show(descent(), landscape(), **PHONE)
    for control in page.locator(".msl-demo :is(input, button)").all():
        box = control.bounding_box()
        assert box["height"] >= 44
        assert box["width"] >= 44
    for typed in page.locator(".control input:not([type])").all():
        size = typed.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size >= 16  # else iOS zooms in on a field that is tapped, and stays there
    assert field(page, "rate η").get_attribute("inputmode") == "decimal"
    assert field(page, "start x0").get_attribute("inputmode") == "text"  # there are negative ones


def test_on_a_phone_every_slider_is_in_sight_of_both_panels(show):
    page = show(descent(), **PHONE | {"viewport": {"width": 390, "height": 844}})
    settled(page)
    top = page.locator(".controls").bounding_box()["y"]
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    assert max(box["y"] + box["height"] for box in boxes) - top <= 0.95 * 844
    assert all(
        box["height"] >= 150 for box in (c.bounding_box() for c in page.locator("canvas").all())
    )


def test_fractions_and_equations_stay_on_one_line(show):
    def frame(a):
        return {"caption": "The curvature is 2/η and x = 3 holds for 42 % of and/or 1/x_t. " * 3}

    demo = Demo(
        frame,
        [Slider("a", "a", [1], value=1)],
        [Panel("p", "x", "y", [Curve("c", X, X)])],
        alt="A line.",
        play="a",
    )
    page = show(demo)
    lines = """() => {
      const text = document.querySelector(".caption [aria-live]");
      const range = document.createRange();
      const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      const lines = {};
      while (walk.nextNode())
        for (let k = 0; k < walk.currentNode.length; k++) {
          range.setStart(walk.currentNode, k);
          range.setEnd(walk.currentNode, k + 1);
          const box = range.getBoundingClientRect();
          const line = Math.floor(box.bottom / 12);
          lines[line] = (lines[line] ?? "") + walk.currentNode.data[k];
        }
      return Object.values(lines);
    }"""
    for width in range(260, 330, 5):
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        text = "|".join(line.strip() for line in page.evaluate(lines)).replace("\u2060", "")
        assert "|" in text
        for torn in ("2/|η", "2|/η", "x|=", "=|3", "42|%", "1/|x", "1|/x"):
            assert torn not in text, (width, text)


def test_print_shows_the_drawing_and_its_caption_alone(show):
    page = show(descent())
    page.emulate_media(media="print")
    assert page.locator("canvas").first.is_visible()
    assert page.locator(".caption [aria-live]").is_visible()
    assert not page.locator(".controls").is_visible()


def test_a_dark_page_is_printed_in_dark_ink(show):
    page = show(descent())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert has(pixels(page), LIGHT).any()
    page.emulate_media(media="print")
    assert not has(pixels(page), LIGHT).any()
    assert has(pixels(page), (0x22, 0x22, 0x22)).sum() > 200


def test_play_reveals_the_trail_step_by_step_and_stops_at_its_end(show):
    page = show(descent())
    whole = drawings(page)
    stop_the_clock(page)
    button, step = page.locator(".play"), page.locator("output")
    seen, shown = [], []
    button.click()
    for _ in range(6):
        page.clock.run_for(50)
        assert button.inner_text() == "Pause" or len(seen) == 5
        seen.append(step.inner_text())
        shown.append(page.evaluate("document.querySelector('canvas').toDataURL()"))
        page.clock.run_for(550)
    assert seen == ["0", "1", "2", "3", "4", "5"]
    assert button.inner_text() == "Play"
    assert len(set(shown)) == 6
    assert shown[-1] == whole[0]
    page.clock.run_for(1000)
    assert step.inner_text() == "5"
    button.click()
    page.clock.run_for(1300)
    button.click()
    page.clock.run_for(1000)  # paused, and then taken up where it was
    assert step.inner_text() == "2"
    button.click()
    page.clock.run_for(650)
    assert step.inner_text() == "3"


def test_scrub_and_reset(show):
    page = show(descent())
    whole = drawings(page)
    page.get_by_role("button", name="Play").click()
    slider(page, "step").fill("2")
    page.get_by_role("button", name="Play").wait_for()  # moved by hand, it plays no more
    part = drawings(page)
    assert part != whole
    slider(page, "rate η").fill("1")
    assert captions(page) == ["From 2, each step leaves 0.75 of xt."]
    page.get_by_role("button", name="Reset").click()
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert drawings(page) == whole
    slider(page, "step").fill("2")
    assert drawings(page) == part


def test_the_count_says_where_the_points_stand_in_time(show):
    page = show(descent(count="time", times=[0, 2.5, 5, 10, 20, 100]))
    assert values(page)[-1] == "100"
    scrub = slider(page, "time")
    scrub.press("ArrowLeft")
    assert values(page)[-1] == "20"
    assert scrub.get_attribute("aria-valuetext") == "20"


def test_play_can_sweep_a_slider(show):
    page = show(landscape())
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.caption [aria-live]').innerText === 'slope 1'")
    page.get_by_role("button", name="Play").wait_for()
    assert values(page) == ["1"]
    page.get_by_role("button", name="Reset").click()
    assert captions(page) == ["slope 0.5"]


def test_where_motion_is_reduced_play_takes_one_step(show):
    page = show(descent(), reduced_motion="reduce")
    step = page.get_by_role("button", name="Step")
    stop_the_clock(page)
    step.click()  # from the end to the beginning
    step.click()
    page.clock.run_for(1000)
    assert page.locator("output").inner_text() == "1"


def test_two_demos_on_a_page_leave_each_other_alone(show):
    page = show(descent(), landscape(), descent())
    before = drawings(page)
    assert len(before) == 5
    assert before[3:] == before[:2]
    slider(page, "slope a").fill("0")
    after = drawings(page)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, True, True]
    slider(page, "rate η").nth(1).fill("0")
    last = drawings(page)
    assert [a == b for a, b in zip(after, last, strict=True)] == [True, True, True, False, False]
    assert (
        page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == 14
    )


@pytest.mark.parametrize(("width", "rows"), [(1280, 1), (360, 2)])
def test_panels_stand_side_by_side_or_stacked(show, width, rows):
    page = show(descent(), landscape(), width=width, device_scale_factor=2)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [page.locator("canvas").nth(k).bounding_box() for k in range(2)]
    assert len({box["y"] for box in boxes}) == rows
    assert all(box["width"] > 250 for box in boxes)
    assert page.evaluate("(() => { const c = document.querySelector('canvas');"
                         " return c.width === Math.round(2 * c.clientWidth); })()")  # fmt: skip


def test_the_drawing_follows_the_width_of_the_window(show):
    page = show(descent())
    wide = pixels(page).shape
    page.set_viewport_size({"width": 400, "height": 900})
    page.wait_for_function("(w) => document.querySelector('canvas').width !== w", arg=wide[1])
    assert has(pixels(page), INK).sum() > 200


def test_the_ink_follows_the_theme(show):
    page = show(descent())
    assert has(pixels(page), INK).any()
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = pixels(page)
    assert has(dark, LIGHT).sum() > 200
    assert not has(dark, INK).any()


def test_where_no_script_runs_there_is_a_picture_of_the_first_state(show):
    page = show(descent(), java_script_enabled=False)
    assert page.locator("body").inner_text().strip() == "From 2, each step leaves 0.5 of x_t."
    pictures = page.get_by_role("img").all()
    alts = [picture.get_attribute("alt") for picture in pictures]
    assert alts == ["Descent on a parabola.", "Time: x against t"]
    for picture in pictures:
        picture.scroll_into_view_if_needed()
        size = [int(picture.get_attribute(side)) for side in ("width", "height")]
        assert (
            picture.bounding_box().items()
            >= dict(zip(("width", "height"), size, strict=True)).items()
        )


def test_the_demo_stands_before_the_page_goes_on(show):
    """So the picture for readers without scripts never flashes, and nothing below moves."""
    demo = descent()
    seen = """<script>window.seen = [...document.querySelectorAll(".msl-demo, .still")].map(
      (e) => [e.className, e.getBoundingClientRect().height])</script>"""
    demo.html = lambda: Demo.html(demo) + seen
    page = show(demo)
    settled(page)
    height = page.locator(".msl-demo").evaluate("e => e.getBoundingClientRect().height")
    assert page.evaluate("window.seen") == [["msl-demo", height]]


def test_a_live_kernel_draws_any_value(show):
    """The module as anywidget loads it, with a model whose other end is a Demo in this process."""
    demo = descent()
    sent = demo.get_state()
    state = {key: sent[key] for key in ("_spec", "rate", "start")}
    state["_data"] = base64.b64encode(sent["_data"]).decode()
    page = show()
    heard = []

    def kernel(text):
        changes = json.loads(text)
        heard.append(changes)
        demo.set_state(changes)
        answer = dict(demo.get_state()["_frame"])
        if answer:
            answer["data"] = base64.b64encode(answer["data"]).decode()
        return json.dumps(answer)

    page.expose_function("kernel", kernel)
    page.evaluate(
        """async ([source, state]) => {
          const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const view = (text) => new DataView(bytes(text).buffer);
          state = { ...state, _data: view(state._data), _frame: {} };
          const heard = new EventTarget();
          let changed = {};
          window.model = {
            get: (name) => state[name],
            set(name, value) {
              changed[name] = state[name] = value;
              heard.dispatchEvent(new Event(`change:${name}`));
            },
            on: (event, action) => heard.addEventListener(event, action),
            off: (event, action) => heard.removeEventListener(event, action),
            send() {},
            async save_changes() {
              const answer = JSON.parse(await window.kernel(JSON.stringify(changed)));
              changed = {};
              if (answer.values) this.set("_frame", { ...answer, data: view(answer.data) });
              changed = {};
            },
          };
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          const el = document.body.appendChild(document.createElement("div"));
          window.leave = (await import(url)).default.render({ model: window.model, el });
        }""",
        [sent["_esm"], state],
    )
    stored = drawings(page)
    box = field(page, "rate η")
    box.fill("0.9")
    box.press("Enter")
    page.wait_for_function(
        "document.querySelector('.caption [aria-live]').innerText.includes('leaves 0.1 of')"
    )
    assert heard[-1] == {"rate": 0.9}
    assert demo.rate == 0.9
    assert slider(page, "rate η").get_attribute("aria-valuetext") == "0.9"
    assert drawings(page) != stored
    page.evaluate("window.model.set('rate', 0.5)")  # as a linked widget would
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert box.input_value() == "0.5"
    slider(page, "rate η").press("ArrowRight")
    assert captions(page) == ["From 2, each step leaves -0.5 of xt."]
    page.evaluate("window.leave()")
    page.evaluate("window.model.set('rate', 0.25)")
    assert captions(page) == ["From 2, each step leaves -0.5 of xt."]  # the view is gone


def test_the_address_holds_the_state_and_opens_it(show):
    page = show(landscape(), descent())
    slider(page, "start x0").fill("1")
    slider(page, "rate η").fill("1")
    page.wait_for_function("location.hash === '#demo2=rate:0.25,start:-1.5'")
    drawn = drawings(page)
    again = show(landscape(), descent(), hash="#demo2=rate:0.25,start:-1.5")
    assert drawings(again) == drawn
    assert again.locator("p[role=status]").count() == 0


def test_a_link_in_the_text_chooses_a_setting(show):
    page = show(descent(), landscape())
    page.evaluate("location.hash = '#demo1=rate:0.25,start:-1.5'")
    page.wait_for_function(
        "document.querySelector('.caption [aria-live]').innerText.includes('From -1.5, ')"
    )
    page.evaluate("location.hash = '#demo1=rate:9'")  # which the demo does not have
    page.evaluate("location.hash = '#demo2=none:1'")
    assert captions(page)[0] == "From -1.5, each step leaves 0.75 of xt."


@pytest.mark.parametrize("asked", ["rate:9", "rate:0.25,start:99", "lr:1", "rate:", "much", ""])
def test_an_address_that_does_not_fit_opens_the_first_state_and_says_so(show, asked):
    page = show(descent(), hash=f"#demo1={asked}")
    assert captions(page) == ["From 2, each step leaves 0.5 of xt."]
    assert "its first state" in page.locator("p[role=status]").inner_text()


@pytest.mark.parametrize("name", ["demo0", "demo3", "demo", "demo-lr"])
def test_an_address_of_a_demo_that_the_page_lacks_opens_the_first_state_and_says_so(show, name):
    page = show(descent(), landscape(), hash=f"#{name}=rate:0.25")
    assert captions(page)[0] == "From 2, each step leaves 0.5 of xt."
    assert page.locator("p[role=status]").count() == 1
    said = page.locator(".msl-demo-host").first.locator("p[role=status]").inner_text()
    assert "a demo that the page does not have" in said


@pytest.mark.parametrize("place", ["", "#demo-1", "#demography", "#demo2=a:0"])
def test_an_address_that_leads_to_a_place_says_nothing(show, place):
    page = show(descent(), landscape(), hash=place)
    assert captions(page)[0] == "From 2, each step leaves 0.5 of xt."
    assert page.locator("p[role=status]").count() == 0
