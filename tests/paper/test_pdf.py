"""The PDF of the book: every page of the table of contents, in order, whole and typeset."""

import html
import os
import re
import subprocess
import sys

import pytest
import yaml
from conftest import HTML, PAGES, PUBLISHED, ROOT, TOC, normal
from pypdfium2 import PdfDocument

pytestmark = pytest.mark.browser

CHAPTERS = PAGES[1:]  # the first one is the home page
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.fixture(scope="module")
def pdf(browser, site, fonts, tmp_path_factory):
    file = tmp_path_factory.mktemp("pdf") / "book.pdf"
    tool = [sys.executable, ROOT / "book" / "_tools" / "pdf.py", file]
    subprocess.run(tool, check=True, env=os.environ | fonts)
    return PdfDocument(file)


@pytest.fixture(scope="module")
def texts(pdf):
    """The text of each page, in one line; it begins with the running head and the number."""
    return [normal(page.get_textpage().get_text_bounded()) for page in pdf]


def titles():
    """The titles of all pages but the home page, as they are built."""
    found = [re.search(r"<h1>(.*?)<", (HTML / f"{page}.html").read_text())[1] for page in CHAPTERS]
    assert len(set(found)) == len(CHAPTERS)
    return [normal(html.unescape(title)) for title in found]


def test_it_has_all_chapters_in_order(pdf):
    chapters = [normal(mark.get_title()) for mark in pdf.get_toc() if mark.level == 0]
    assert chapters == [normal(CONFIG["title"])] * 2 + titles()
    assert pdf.get_metadata_dict()["Title"] == CONFIG["title"]


def test_the_table_of_contents_names_the_page_where_a_chapter_begins(texts):
    for title in titles():
        (number,) = re.findall(rf"{re.escape(title)} (\d+)\b", texts[0])
        text = texts[int(number) - 1]
        assert text.startswith(f"{title} {number} ")
        assert text.count(title) > 1  # the running head, and the title itself


def test_every_page_is_of_a4_with_its_number_and_the_title_of_its_chapter(pdf, texts):
    heads = ["Introduction", *titles()]
    for number, (page, text) in enumerate(zip(pdf, texts, strict=True), start=1):
        width, height = (side * 25.4 / 72 for side in page.get_size())
        assert (round(width), round(height)) == (210, 297)
        assert number == 1 or text.startswith(tuple(f"{head} {number} " for head in heads))


def test_formulas_are_typeset_and_controls_left_out(texts):
    book = " ".join(texts)
    assert not re.search(r"\\[(\[]|\\(eta|frac|lambda)\b", book)
    assert "Show code cell source" not in book
    assert "Play Reset" not in book


def test_what_is_too_wide_is_refused(browser, site):
    """What the tool asks the page before it prints."""
    sys.path.insert(0, str(ROOT / "book" / "_tools"))
    try:
        from pdf import CUT, WIDTH
    finally:
        sys.path.pop(0)
    page = browser.new_page(viewport={"width": WIDTH, "height": 600})
    page.set_content(f"<article><p>short<pre style='width: {WIDTH + 100}px'>long</pre></article>")
    (cut,) = page.evaluate(CUT)
    assert cut.startswith("<pre")
    page.close()


def test_the_book_links_its_pdf():
    home = (HTML / f"{TOC['root']}.html").read_text()
    assert f'href="{PUBLISHED}mslbook.pdf"' in home
