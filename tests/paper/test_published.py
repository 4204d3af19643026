"""What the world sees of the built book: cards, the map of the site, and wrong addresses."""

import copy
import re
import xml.etree.ElementTree as xml

import nbformat
import pytest
from conftest import HTML, PAGES, PUBLISHED, ROOT, TOC, go, parsed

pytestmark = pytest.mark.browser

CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_card_of_its_own(page, site):
    text = (HTML / f"{page}.html").read_text()
    card = dict(re.findall(r'<meta property="og:(\S+)" content="([^"]*)"', text))
    assert card["url"] == f"{PUBLISHED}{page}.html"
    assert re.search(rf"<h1>{re.escape(card['title'])}<", text)
    assert len(card["description"]) > 100
    assert not re.search(r"[\\$]", card["description"])  # formulas cannot be typeset there
    image = HTML / card["image"].removeprefix(PUBLISHED)
    assert image.read_bytes()[:4] == b"\x89PNG"
    assert image.stat().st_size < 300_000


def test_the_root_address_has_the_card_of_the_home_page(site):
    root, home = ((HTML / file).read_text() for file in ("index.html", f"{TOC['root']}.html"))
    tags = re.findall(r'<meta property="og:[^>]+>|<title>[^<]+</title>', home)
    assert len(tags) > 5
    assert [tag for tag in tags if tag not in root] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_formula_is_left_as_text(page, site):
    """As where a line within a formula begins with a minus, which makes it an item of a list."""
    article = copy.copy(parsed(HTML / f"{page}.html").article)
    for other in article.select("pre, code, .math, script, style"):
        other.decompose()
    assert not re.search(r"\$|\\[(\[a-z]", article.get_text())


@pytest.mark.parametrize("page", CHAPTERS)
def test_figures_have_number_caption_and_words_and_no_digest(page, site):
    tree = parsed(HTML / f"{page}.html")
    notebook = nbformat.read(ROOT / f"{page}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    figures = tree.select("article figure:has(img)")
    assert len(figures) == len(tree.select("article .cell_output > img, figure img")) == pictures
    for figure in figures:
        caption = figure.figcaption.get_text(" ", strip=True)
        assert re.match(r"Figure (\d[\d.]*[a-z]|A\d)\b", caption)
        assert len(figure.img["alt"]) > 40
        assert "_images" not in figure.img["alt"]
    assert not re.search(r"^digest \|", tree.article.get_text(), re.MULTILINE)


WITHOUT_DEMO = ("3_1b", "4_4b", "6b", "7_", "how_fast", "your_own_network", "what_to_expect")


@pytest.mark.parametrize("page", [p for p in CHAPTERS if not any(w in p for w in WITHOUT_DEMO)])
def test_nothing_but_words_stands_before_the_first_demo(page, site):
    """The code that it needs is folded into one line, and is whole."""
    tree = parsed(HTML / f"{page}.html")
    demo = tree.select_one("article .msl-demo-host")
    assert demo.find_all_previous("pre") == demo.find_parent(class_="cell").find_all("pre")
    code = demo.find_parent(class_="cell").pre.get_text()
    assert "import" in code


@pytest.mark.parametrize("page", PAGES)
def test_no_line_breaks_between_a_formula_and_what_touches_it(page, site):
    (article,) = parsed(HTML / f"{page}.html").select("article")
    for formula in article.select("span.math"):
        if "together" not in formula.parent.get("class", []):
            before, after = formula.previous_sibling, formula.next_sibling
            assert not (isinstance(before, str) and re.search(r"\S\Z", before)), formula
            assert not (isinstance(after, str) and re.match(r"\S", after)), formula


def test_the_map_lists_the_pages_and_nothing_else(site):
    places = xml.parse(HTML / "sitemap.xml").findall("{*}url/{*}loc")
    assert sorted(place.text for place in places) == sorted(f"{PUBLISHED}{p}.html" for p in PAGES)


@pytest.mark.parametrize("address", ["nothing.html", "notebooks/nothing", "book/deep/nothing/"])
def test_a_wrong_address_leads_home_from_any_folder(browser, site, address):
    page = browser.new_page()
    wrong = []
    page.on("response", lambda reply: reply.ok or wrong.append(reply.url))
    page.on("request", lambda asked: asked.url.startswith(site) or wrong.append(asked.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{site}/{address}")
    assert wrong == [f"{site}/{address}"]

    wrong.clear()
    page.get_by_role("link", name="home page").click()
    page.wait_for_url(f"{site}/{TOC['root']}.html")
    page.wait_for_function("document.documentElement.matches('.settled')")
    assert wrong == []
    page.close()


def test_a_link_shows_its_target_in_any_folder(browser, site):
    page = browser.new_page()
    wrong = []
    page.on("response", lambda reply: reply.ok or wrong.append(reply.url))
    page.on("request", lambda asked: asked.url.startswith(site) or wrong.append(asked.url))
    go(page, f"{site}/book/reference/theory.html")
    page.locator("article a.internal[href$='#lemma-4-1']").first.hover()
    page.locator("#preview mjx-container").first.wait_for()
    assert wrong == []
    page.close()


def test_where_the_book_is_published_any_wrong_address_leads_home(browser, site):
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(body=(HTML / "404.html").read_text()))
    page.goto(f"{PUBLISHED}no/such/folder/nothing.html")
    home = page.get_by_role("link", name="home page")
    assert home.evaluate("link => link.href") == f"{PUBLISHED}{TOC['root']}.html"
    page.close()
