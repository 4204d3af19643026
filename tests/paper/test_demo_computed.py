"""Demos that compute in the page: formulas, descent and frames are those of Python."""

import json

import numpy as np
import pytest

from mslbook import losses
from mslbook.descent import descend
from mslbook.paper.after_the_edge import demo as after_the_edge_demo
from mslbook.paper.demo import home
from mslbook.paper.demo.formulas import FORMULAS, javascript
from mslbook.paper.demo.widget import Demo
from mslbook.paper.edge_of_stability import demo as parabola_demo
from mslbook.paper.many_dimensions import demo as many_dimensions_demo
from mslbook.paper.one_dimension import demo as one_dimension_demo
from mslbook.paper.origin_of_scales import demo as origin_of_scales_demo
from mslbook.paper.separate_scales import demo as separate_scales_demo

pytestmark = pytest.mark.browser

PLAIN = str(Demo._esm).partition("export default")[0]
START_AT_0 = [{"start": 0.0}]
STABLE_RATE = [{"lr": 1.0}, {"lr": 2.0}]
# What makes each demo, its frame, and settings that chance would miss.
DEMOS = {
    "home": (home.two_fates, home.frame, STABLE_RATE + START_AT_0),
    "2.1": (
        parabola_demo.flip,
        parabola_demo.frame,
        [{"product": 1.0}, {"product": 2.0}, *START_AT_0],
    ),
    "4.1": (one_dimension_demo.dance, one_dimension_demo.frame, STABLE_RATE + START_AT_0),
    "4.2": (
        many_dimensions_demo.side_by_side,
        many_dimensions_demo.frame,
        [*STABLE_RATE, {"lr": 3.0}, {"angle": 0.0}, {"angle": 90.0}],
    ),
    "4.4": (after_the_edge_demo.slow_walk, after_the_edge_demo.frame, [{"x1": 8.0}, {"x2": 0.0}]),
    "5": (
        separate_scales_demo.when_to_decay,
        separate_scales_demo.frame,
        [{"decay": 0.0}, {"x1": 0.0, "x2": 0.0}],
    ),
    "6": (origin_of_scales_demo.two_groups, origin_of_scales_demo.frame, [{"ratio": 1.0}]),
}
# Descents from elsewhere, which reach the narrow valley before the decay, are chaotic there.
NOT_CHAOTIC = {"5": {"x1": -20.0, "x2": 3.0}}
LONG = {"5": 5}  # how many settings of a demo that takes thousands of steps
# On the way into that valley the slope, and with it what rounding has set apart, grows by 10⁴.
TOLERANCE = {"5": 1e-7}
# A descent that is not chaotic, for each loss: where it starts, and its learning rate.
WALKS = {
    "parabola": ([1.0], 2.1),
    "f1": ([-5.0], 5.0),
    "f2": ([-5.0], 0.3),
    "f3": ([-2.0, 1.5], 0.1),
    "valley": ([0.0, 3.0], 3.0),
    "two_valleys": ([-20.0, 3.0], 1.5),
}


def library(name):
    return losses.Quadratic() if name == "parabola" else getattr(losses, name)


@pytest.fixture(scope="module")
def evaluate(browser):
    """Evaluates an expression of JavaScript beside the demos' own functions."""
    page = browser.new_page()

    def answer(expression, argument=None):
        return page.evaluate(f"(given) => {{ {PLAIN}\nreturn {expression}; }}", argument)

    yield answer
    page.close()


def flat(point):
    """One coordinate of a function of one variable has no axis."""
    return point[:, 0] if point.shape[1] == 1 else point


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_are_the_librarys_losses(evaluate, name):
    start, _ = WALKS[name]
    points = np.random.default_rng(0).uniform(-20, 20, (10_000, len(start)))
    points[::4] *= 1e-3  # near the minimum, too
    both = f"(({{ value, grad }}) => (x) => [value(...x), ...grad(...x)])({javascript(name)})"
    found = evaluate(f"given.map({both})", points.tolist())
    loss, x = library(name), flat(points)
    expected = np.column_stack([loss.value(x), loss.grad(x)])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_pages_descent_is_the_librarys(evaluate, name):
    start, lr = WALKS[name]
    found = evaluate(f"descend({javascript(name)}, given, {lr}, 60)", start)
    expected = descend(library(name), start if len(start) > 1 else start[0], lr, 60)
    points = expected.points.reshape(61, len(start))
    np.testing.assert_allclose(np.transpose(found["points"]), points, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found["values"], expected.values, rtol=1e-10, atol=1e-12)


def test_a_learning_rate_may_depend_on_the_step(evaluate):
    lrs = "(t) => t < 3 ? 5 : 1"
    found = evaluate(f"descend({javascript('f1')}, [-5], {lrs}, 10).points[0]")
    expected = descend(losses.f1, -5.0, lambda t: 5.0 if t < 3 else 1.0, 10).points
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture
def opened(browser):
    """The demo of the home page, alone on a page."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.set_content(f"<body style='color: #222'>{home.two_fates().html()}")
    yield page
    page.close()


def caption(page):
    page.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
    return page.locator(".caption [aria-live]").inner_text()


def test_any_typed_value_counts_and_none_beyond_the_ends(opened):
    rate = opened.get_by_role("textbox", name="learning rate")
    for typed, taken in (("2.3456", "2.3456"), ("99", "5"), ("-1", "0.25")):
        rate.fill(typed)
        rate.press("Enter")
        assert f"rate of {taken} is" in caption(opened).replace("\N{NO-BREAK SPACE}", " ")
        assert rate.input_value() == taken


def test_the_start_is_dragged_on_the_picture(opened):
    canvas = opened.locator("canvas").first
    box, start = canvas.bounding_box(), opened.get_by_role("textbox", name="start")
    before = canvas.screenshot()
    places = """box => {
      const demo = document.querySelector("canvas").getBoundingClientRect();
      return [demo.x, demo.y];
    }"""
    left, top = opened.evaluate(places)
    for x in range(int(box["width"])):  # the hand shows where the start can be taken
        opened.mouse.move(left + x, top + box["height"] - 60)
        if canvas.evaluate("c => c.style.cursor") == "grab":
            break
    opened.mouse.move(left + x + 25, top + box["height"] - 60)
    opened.mouse.down()
    opened.mouse.move(left + x + 85, top + box["height"] - 60, steps=3)
    opened.mouse.up()
    caption(opened)
    assert 3 < float(start.input_value()) < 6
    assert canvas.screenshot() != before
    moved = start.input_value()
    opened.mouse.move(left + x, top + box["height"] - 60)  # let go, it stays
    assert start.input_value() == moved


@pytest.mark.parametrize("name", DEMOS)
def test_the_page_draws_what_python_would(evaluate, name):
    make, frame, special = DEMOS[name]
    demo = make()
    rng = np.random.default_rng(1)
    settings = [
        {slider.name: float(rng.choice(slider.values)) for slider in demo._frames.sliders}
        | NOT_CHAOTIC.get(name, {})
        for _ in range(LONG.get(name, 100))
    ]
    settings += [settings[0] | one for one in special]
    replies = evaluate(
        f"JSON.stringify(given.map({demo._spec['script']}), (_, v) => Number.isNaN(v) ? null : v)",
        settings,
    )
    for setting, found in zip(settings, json.loads(replies), strict=True):
        expected = frame(**setting)
        assert found.pop("caption") == expected.pop("caption")
        assert found.keys() == expected.keys()
        for mark, drawn in expected.items():
            numbers = np.array(found[mark], dtype=float)
            tol = TOLERANCE.get(name, 1e-9)
            np.testing.assert_allclose(numbers, drawn, rtol=tol, atol=tol, err_msg=mark)
