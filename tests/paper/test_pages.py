"""Every page of the built book in a browser: wide and narrow, light and dark, mouse and touch."""

import functools
import itertools
import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HTML, PAGES, ROOT, TOC, go, parsed, still

pytestmark = pytest.mark.browser

WIDTHS = {"desktop": [1280], "phone": [360, 390]}
# Devices, each with the theme in which it opens a page and the one to which it changes there.
THEMES = {"desktop": ["light", "dark"], "phone": ["dark", "light"]}
MAX_WEIGHT = 1_500_000  # bytes of all a page loads, compressed as hosts do, with nothing cached

AXE = Axe()


class Visit:
    """A page that is open in a browser of its own, and what went wrong on its way there."""

    def __init__(self, browser, site, address, device="desktop"):
        self.device, self.address, self.wrong, self.answers = device, address, [], []
        self.widths = WIDTHS[device]
        self.context = browser.new_context(
            viewport={"width": self.widths[0], "height": 900},
            color_scheme=THEMES[device][0],
            has_touch=device == "phone",
        )
        self.page = page = self.context.new_page()
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        page.on("requestfailed", lambda asked: self.wrong.append(f"failed: {asked.url}"))
        page.on("response", self.receive)
        ours = (site, "data:", "blob:")
        page.on("request", lambda asked: asked.url.startswith(ours) or self.wrong.append(asked.url))
        go(page, f"{site}/{address}")
        page.add_style_tag(content="section { content-visibility: visible !important }")  # all

    def show(self, theme):
        """Change the theme as the reader's system does when evening comes."""
        self.page.emulate_media(color_scheme=theme)
        follows = "theme => document.documentElement.dataset.theme === theme"
        self.page.wait_for_function(follows, arg=theme)

    def hear(self, message):
        """A page of ours has nothing to say to the console."""
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def receive(self, answer):
        self.answers.append(answer)
        if not answer.ok:
            self.wrong.append(f"{answer.status}: {answer.url}")

    def weight(self):
        """Bytes of all answers together, as they were sent."""
        sizes = [answer.request.sizes() for answer in self.answers]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


LAID_OUT = "body :not(.only-light, .only-dark)"  # of the two logos, alike in size, one is shown
PLACES = """all => all.map(one => {
  const { x, y, width, height } = one.getBoundingClientRect();
  return [one.tagName, x, y, width, height].join();
})"""


CUT = """[...document.querySelectorAll("article span.math mjx-container")].filter(formula =>
  formula.getBoundingClientRect().right
    > formula.closest("p, li, td, dd, h1, h2, h3").getBoundingClientRect().right + 1
).map(formula => formula.textContent)"""
# Once the page has been drawn anew.
TEXT_SIZES = """images => {
  const folds = [...document.querySelectorAll("article details:not([open])")];
  folds.forEach(fold => { fold.open = true; });
  const sizes = images.map(i => i.getBoundingClientRect().width / i.naturalWidth * 30);
  folds.forEach(fold => { fold.open = false; });
  return sizes;
}"""
TOO_WIDE = """tables => {
  const folds = [...document.querySelectorAll("article details:not([open])")];
  folds.forEach(fold => { fold.open = true; });
  const wide = tables.filter(one => one.scrollWidth > one.parentElement.clientWidth + 1);
  folds.forEach(fold => { fold.open = false; });
  return wide.map(table => table.innerText.slice(0, 60));
}"""
WITHOUT_CUE = """new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))
.then(() => [...document.querySelectorAll("article *")].filter(box => {
  const { overflowX, maskImage } = getComputedStyle(box);
  const scrolls = /auto|scroll/.test(overflowX) && box.scrollWidth > box.clientWidth;
  return box.checkVisibility() && scrolls === (maskImage === "none");
}).map(box => box.outerHTML.slice(0, 120)))"""
# Paragraphs that still hold TeX; code may hold a dollar.
RAW_FORMULAS = r"""[...document.querySelectorAll("article :is(p, li, td, th, h1, h2, h3)")]
  .map(one => {
    const copy = one.cloneNode(true);
    for (const code of copy.querySelectorAll("code, pre, script, mjx-container")) code.remove();
    return copy.textContent;
  }).filter(text => /\$|\\[([a-z]/.test(text))"""
# An audit looks at every element, and formulas have most of them, all from one typesetter: the
# first ones in the text and the first ones between its lines are enough.
FEWER_FORMULAS = """
for (const kind of ["span.math", "div.math"]) {
  for (const formula of [...document.querySelectorAll(`article ${kind}`)].slice(3)) {
    formula.replaceWith("x");
  }
}"""
# Contrast takes most of what is left: one text stands for all of the same colour, size and weight
# on the same grounds, those of earlier pages included. The script marks the new ones.
NEW_KINDS = """earlier => {
  const grounds = new Map(), kinds = new Set(earlier);
  for (const one of document.body.querySelectorAll("*")) {
    delete one.dataset?.kind;
    const style = getComputedStyle(one);
    const paint = [style.backgroundColor, style.backgroundImage, style.opacity].join();
    const below = grounds.get(one.parentElement) ?? "";
    const ground = paint === "rgba(0, 0, 0, 0),none,1" ? below : `${below}/${paint}`;
    grounds.set(one, ground);
    const kind = [ground, style.color, style.fontSize, style.fontWeight].join();
    const text = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const seen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text || !seen || kinds.has(kind)) continue;
    kinds.add(kind);
    one.dataset.kind = "";
  }
  return [...kinds];
}"""


def audit(page, context=None, **options):
    """What axe-core finds wrong with a page, or with parts of it."""
    options |= {"resultTypes": ["violations"], "preload": False}  # preload asks for files
    return AXE.run(page, context=context, options=options).response["violations"]


def by_keyboard(slider, upper):
    slider.press("ArrowLeft" if upper else "ArrowRight")


def other_end(slider, upper):
    """A point on a slider far from where it stands."""
    box = slider.bounding_box()
    return {"x": 4 if upper else box["width"] - 4, "y": box["height"] / 2}


def by_mouse(slider, upper):
    slider.click(position=other_end(slider, upper))


def by_touch(slider, upper):
    slider.tap(position=other_end(slider, upper))


WAYS = {"desktop": [by_keyboard, by_mouse], "phone": [by_touch]}
DRAWINGS = "demo => [...demo.querySelectorAll('canvas')].map(c => c.toDataURL())"
CHANGED = f"""([demo, before]) => {{
  const changed = ({DRAWINGS})(demo).flatMap((drawing, i) => drawing === before[i] ? [] : [i]);
  return changed.length && changed;
}}"""
# A demo draws in the next frame: the drawings once what was asked for before is there.
SETTLED = f"""async demo => {{
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  return ({DRAWINGS})(demo);
}}"""
UPPER_HALF = "slider => slider.valueAsNumber > (+slider.min + +slider.max) / 2"


def demos_stored(address):
    """How many demos the notebook behind a page holds."""
    notebook = ROOT / address.replace(".html", ".ipynb")
    if not notebook.exists():
        return 0
    cells = nbformat.read(notebook, as_version=4).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return sum(one.get("text/plain", "").startswith("Demo(") for one in data)


SCREEN_BY_SCREEN = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise(requestAnimationFrame);
  }
}"""
ALL_HERE = """document.fonts.status === "loaded"
  && [...document.images].every(image => image.complete || !image.checkVisibility())"""


class Opened:
    """What is asked of every page, which is loaded once for all of it.

    Each device below is a class, so that two workers share the pages.
    """

    @pytest.fixture(scope="class", params=PAGES)
    @classmethod
    def visit(cls, request, browser, site):
        visit = Visit(browser, site, f"{request.param}.html", cls.device)
        yield visit
        visit.context.close()

    @pytest.fixture
    def page(self, visit):
        return visit.page

    def test_a_theme_changes_no_place(self, visit):
        """So what is asked below about places in one theme holds in the other one."""
        places = []
        for theme in reversed(THEMES[visit.device]):
            visit.show(theme)
            places.append(visit.page.eval_on_selector_all(LAID_OUT, PLACES))
        assert len(places[0]) > 100
        assert places[0] == places[1]

    def test_the_page_does_not_scroll_sideways(self, visit):
        for width in visit.widths:
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width

    def test_formulas_in_the_text_fit_it(self, page):
        """The theme would cut what is too long."""
        assert page.evaluate(CUT) == []

    def test_the_first_demo_is_on_the_first_screen(self, visit):
        """On a desktop what it draws, on a telephone what moves it."""
        demo = visit.page.locator(".msl-demo").first
        if visit.page.locator(".msl-demo").count():
            visit.page.evaluate("scrollTo(0, 0)")
            seen = demo.locator({"desktop": "canvas", "phone": ".controls"}[visit.device]).first
            box = seen.bounding_box()
            assert box["y"] + box["height"] < {"desktop": 800, "phone": 844}[visit.device]

    def test_panels_stand_in_a_column_on_a_telephone(self, visit):
        if visit.device == "phone":
            for demo in visit.page.locator(".msl-demo").all():
                boxes = [canvas.bounding_box() for canvas in demo.locator("canvas").all()]
                assert len({box["x"] for box in boxes}) == 1
                assert len({box["y"] for box in boxes}) == len(boxes)

    def test_tables_fit_a_telephone(self, visit):
        if visit.device == "phone":
            assert visit.page.eval_on_selector_all("article table", TOO_WIDE) == []

    def test_captions_are_of_normal_weight(self, page):
        weights = "all => all.map(one => getComputedStyle(one).fontWeight)"
        assert set(page.eval_on_selector_all("figcaption p", weights)) <= {"400"}

    def test_what_scrolls_sideways_fades_at_its_edge_and_nothing_else_does(self, page):
        assert page.evaluate(WITHOUT_CUE) == []

    def test_the_text_in_pictures_can_be_read(self, page):
        """Of 11 pt, in files of 200 dpi: 30 pixels there, 9 or more on the page."""
        found = page.eval_on_selector_all("article .image-reference > img", TEXT_SIZES)
        assert round(min(found, default=9), 1) >= 9

    def test_it_has_one_title_and_says_what_its_pictures_show(self, page):
        assert page.locator("article h1").count() == 1
        nameless = "images => images.filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 120))"
        assert page.eval_on_selector_all("article img", nameless) == []
        assert page.eval_on_selector_all("img:not([alt])", "images => images.map(i => i.src)") == []

    def test_every_formula_is_typeset(self, page):
        formulas = page.locator("article .math")
        assert page.locator("article .math:has(mjx-container)").count() == formulas.count()
        # MathJax frames what it cannot read, and writes a macro that it does not know in red.
        assert page.locator('mjx-merror, mjx-mtext[style*="color: red"]').count() == 0
        assert page.evaluate(RAW_FORMULAS) == []

    def test_it_is_accessible(self, visit):
        """axe-core finds nothing; contrasts hold in both themes."""
        visit.page.emulate_media(reduced_motion="reduce")  # colours do not fade
        visit.page.evaluate(FEWER_FORMULAS)
        found = audit(visit.page, rules={"color-contrast": {"enabled": False}})
        for theme in reversed(THEMES[visit.device]):
            visit.show(theme)
            earlier = self.kinds.get(theme, [])
            self.kinds[theme] = visit.page.evaluate(NEW_KINDS, earlier)
            if len(self.kinds[theme]) > len(earlier):
                new = {"include": [["[data-kind]"]]}
                found += audit(visit.page, new, runOnly=["color-contrast"])
        assert [(one["id"], node["html"][:150]) for one in found for node in one["nodes"]] == []

    def test_demos_follow_their_sliders(self, visit):
        """By keyboard, and by mouse or touch, sliders and buttons change what a demo draws."""
        demos = visit.page.locator(".msl-demo")
        assert demos.count() == demos_stored(visit.address)
        for demo in demos.all():
            sliders, buttons = demo.locator("input[type=range]"), demo.locator(".choice input")
            assert sliders.count() + buttons.count() > 0
            moved = set()
            for button in buttons.all():
                demo.get_by_role("button", name="Reset").click()
                before = demo.evaluate(SETTLED)
                if button.is_checked():
                    continue
                button.click()
                changed = visit.page.wait_for_function(CHANGED, arg=[demo.element_handle(), before])
                moved.update(changed.json_value())
            for slider, move in itertools.product(sliders.all(), WAYS[visit.device]):
                demo.get_by_role("button", name="Reset").click()
                before = demo.evaluate(SETTLED)
                move(slider, slider.evaluate(UPPER_HALF))
                changed = visit.page.wait_for_function(CHANGED, arg=[demo.element_handle(), before])
                moved.update(changed.json_value())
            assert len(moved) == len(before), "a panel stands still whatever one moves"

    def test_it_is_light(self, visit):
        """With all that is loaded only when one comes near it."""
        visit.page.evaluate(SCREEN_BY_SCREEN)
        visit.page.wait_for_function(ALL_HERE)
        assert 0 < visit.weight() < MAX_WEIGHT

    def test_nothing_went_wrong_and_no_other_host_was_asked(self, visit):
        """Nor before, while all of the above happened to the page."""
        assert visit.wrong == []


class TestOnADesktop(Opened):
    device = "desktop"
    kinds = {}


class TestOnAPhone(Opened):
    device = "phone"
    kinds = {}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("anchor", ["3_1_subquadratic_growth.html#kinks",
                                    "4_2_many_dimensions.html#fig-two-ways-round",
                                    "6_origin_of_scales.html#try-it"])  # fmt: skip
def test_links_land_where_they_lead(browser, site, width, anchor):
    """Opened afresh and from the contents, on the page as it is, sections out of sight left out."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    go(page, f"{site}/notebooks/{anchor}")
    target = page.locator("#" + anchor.split("#")[1])
    assert 0 <= still(target) < 120
    page.evaluate("scrollTo(0, 0)")
    page.evaluate("anchor => { location.hash = ''; location.hash = anchor; }", anchor.split("#")[1])
    assert 0 <= still(target) < 120
    page.close()


def test_the_root_leads_to_the_home_page(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/")
    page.wait_for_url(f"**/{TOC['root']}.html")
    page.close()


def test_search_finds_a_word_in_the_book_itself(browser, site):
    visit = Visit(browser, site, "search.html?q=sharpness")
    visit.page.locator("#search-results li a", has_text="4.1").first.wait_for()
    summary = visit.page.locator("#search-results p", has_text="lambda_max").first
    summary.wait_for()
    assert not {"\\", "{"} & set(summary.inner_text())  # no TeX
    assert visit.wrong == []
    visit.context.close()


def test_a_dark_page_is_printed_dark_on_white_and_then_dark_again(browser, site):
    visit = Visit(browser, site, "notebooks/4_1_one_dimension.html", "phone")
    brightness = []
    for event in ("load", "beforeprint", "afterprint"):
        visit.page.evaluate("event => dispatchEvent(new Event(event))", event)
        colour = visit.page.locator("article p").first.evaluate("p => getComputedStyle(p).color")
        brightness.append(max(map(int, re.findall(r"\d+", colour))))
    screen, paper, again = brightness
    assert paper < 64 < 192 < screen == again
    visit.context.close()


def test_a_page_opened_as_a_file_typesets_and_draws(browser, site):
    visit = Visit(browser, HTML.as_uri(), "notebooks/4_1_one_dimension.html")
    opened = TestOnADesktop()
    opened.test_every_formula_is_typeset(visit.page)
    opened.test_demos_follow_their_sliders(visit)
    assert visit.wrong == []
    visit.context.close()


@functools.cache
def anchors(file):
    """What on a page a link can lead to."""
    return {one["id"] for one in parsed(file).find_all(id=True)} | {""}


def leads_nowhere(file, address):
    """Why a link on a page is broken, or None."""
    parts = urlsplit(urljoin(file.as_uri(), address))
    if parts.scheme in ("http", "https"):
        return None if "." in parts.netloc and " " not in address else "malformed"
    if parts.scheme in ("data", "mailto"):
        return None
    target = Path(unquote(parts.path))
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(HTML):
        return "no such file"
    if target.suffix == ".html" and unquote(parts.fragment) not in anchors(target):
        return "no such place on the page"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page, site):
    file = HTML / f"{page}.html"
    tree = parsed(file)
    found = [one["href"] for one in tree.find_all(href=True)]
    loaded = [one["src"] for one in tree.find_all(src=True)]
    assert [one for one in loaded if one.startswith(("http", "//"))] == []
    found += loaded
    assert len(found) > 30
    assert {one: why for one in found if (why := leads_nowhere(file, one))} == {}
