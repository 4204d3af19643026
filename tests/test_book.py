"""The built book in a browser: every page of the table of contents, wide and narrow."""

from pathlib import Path

import nbformat
import pytest
import yaml

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {"desktop": 1280, "phone": 390}


def pages():
    """The addresses of all pages of the table of contents, relative to the book's root."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [f"{page}.html" for page in [toc["root"], *chapters]]


@pytest.fixture(params=WIDTHS)
def open_page(request, browser, site):
    """Open a page of the site, and at the end demand that nothing went wrong while it was open."""
    context = browser.new_context(viewport={"width": WIDTHS[request.param], "height": 900})
    page = context.new_page()
    wrong = []
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("response", lambda reply: reply.ok or wrong.append(f"{reply.status}: {reply.url}"))

    def ask(route):
        address = route.request.url
        if address.startswith(site):
            return route.fallback()
        wrong.append(f"asks another host: {address}")
        return route.abort()

    context.route(lambda address: address.startswith("http"), ask)

    def visit(address):
        page.goto(f"{site}/{address}", wait_until="networkidle")
        page.evaluate("window.MathJax?.startup.promise")
        return page

    yield visit
    context.close()
    assert not wrong


def test_the_root_leads_to_the_home_page(open_page):
    page = open_page("")
    page.wait_for_url(f"**/{pages()[0]}")


@pytest.mark.parametrize("address", pages())
def test_page(open_page, address):
    page = open_page(address)
    assert page.locator("article h1").count() == 1

    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], f"{width} pixels wide: the page scrolls sideways"

    nameless = "images => images.filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 120))"
    assert page.eval_on_selector_all("article img", nameless) == []
    assert page.eval_on_selector_all("img:not([alt])", "images => images.map(i => i.src)") == []

    formulas = page.locator("article .math")
    assert page.locator("article .math:has(mjx-container)").count() == formulas.count()
    # MathJax frames what it cannot read, and writes a macro that it does not know in red.
    assert page.locator('mjx-merror, mjx-mtext[style*="color: red"]').count() == 0


@pytest.mark.parametrize("address", pages())
def test_demos_follow_their_sliders(open_page, address):
    """By keyboard and by mouse, every slider of every demo changes what it draws at first."""
    page = open_page(address)
    demos = page.locator(".msl-demo")
    assert demos.count() == demos_stored(address)
    for demo in demos.all():
        sliders = demo.locator("input[type=range]")
        assert sliders.count() > 0
        for slider in sliders.all():
            demo.get_by_role("button", name="Reset").click()
            before = drawing(demo)
            slider.press("ArrowLeft" if slider.evaluate(UPPER_HALF) else "ArrowRight")
            page.wait_for_function(CHANGED, arg=[demo.element_handle(), before])

            before = drawing(demo)
            box = slider.bounding_box()
            end = 1 if slider.evaluate(UPPER_HALF) else box["width"] - 1
            slider.click(position={"x": end, "y": box["height"] / 2})
            page.wait_for_function(CHANGED, arg=[demo.element_handle(), before])


def demos_stored(address):
    """How many demos the notebook behind a page holds."""
    notebook = ROOT / address.replace(".html", ".ipynb")
    if not notebook.exists():
        return 0
    cells = nbformat.read(notebook, as_version=4).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return sum(one.get("text/plain", "").startswith("Demo(") for one in data)


DRAWING = "demo => [...demo.querySelectorAll('canvas')].map(c => c.toDataURL()).join()"
CHANGED = f"([demo, before]) => ({DRAWING})(demo) !== before"


UPPER_HALF = "slider => slider.valueAsNumber > (+slider.min + +slider.max) / 2"


def drawing(demo):
    """All canvases of a demo, as text."""
    return demo.evaluate(DRAWING)
