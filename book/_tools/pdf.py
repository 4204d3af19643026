"""Print the built book, all its pages in order, into one PDF: _build/mslbook.pdf.

The articles are joined into one HTML page, in which links between them are links within, and
Chromium prints it. It is printed twice: what a page number in the table of contents should be is
known only after the first time.
"""

import sys
from pathlib import Path

import yaml
from address import PUBLISHED
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdfium2 import PdfDocument

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
SCALE = 0.87
HUNG = 300_000  # milliseconds: what takes longer will never come
WIDTH = 730  # of the text, in CSS pixels: 168 mm, at this scale; demos are drawn for it

SHELL = """<!doctype html><html lang="en" data-theme="light">
<head><meta charset="utf-8"><title></title></head><body>
<main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<section id="front"><h1></h1><p class="by"></p><p class="where"><a></a></p><nav></nav></section>
</div></div></main></body></html>"""


def parts():
    """The captions of the table of contents with their pages; the first part is the home page."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    named = [(part["caption"], [one["file"] for one in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *named]


def read(page):
    """A built page."""
    return BeautifulSoup((HTML / f"{page}.html").read_text(), "html.parser")


def identifier(page):
    """What a page is called within the joined one."""
    return page.replace("/", "-")


def relocate(address, page, pages):
    """Where an address on a page leads to from the joined page, which lies beside the folder."""
    if "://" in address or address.startswith(("mailto:", "data:")):
        return address
    path, _, anchor = address.partition("?")[0].partition("#")
    target = (HTML / page).parent.joinpath(path).resolve() if path else HTML / f"{page}.html"
    place = target.relative_to(HTML).as_posix()
    if (other := place.removesuffix(".html")) in pages:
        return f"#{identifier(other)}" + (f"--{anchor}" if anchor else "")
    return f"html/{place}"


def settle(element, page, pages):
    """Let an element from a page refer to what it did."""
    for name in {"href", "src"} & element.attrs.keys():
        element[name] = relocate(element[name], page, pages)


def article(page, pages):
    """The article of a page, its names and links made fit for the joined page."""
    (found,) = read(page).select("article.bd-article")
    for one in found.select(".headerlink, details.above-input"):
        one.decompose()  # marks for the mouse, and code that the page folds away
    for one in found.select("[id]"):
        one["id"] = f"{identifier(page)}--{one['id']}"
    for one in found.select("[href], [src]"):
        settle(one, page, pages)
    found["id"] = identifier(page)
    found["style"] = f"page: {identifier(page)}"
    return found


def joined():
    """One HTML page with a title, a table of contents and all articles."""
    book = BeautifulSoup(SHELL, "html.parser")
    listed = parts()
    pages = [page for _, chapters in listed for page in chapters]
    home = read(pages[0])
    for one in home.select("head link[rel=stylesheet], head script"):
        if one.name == "link" or "mathjax" in str(one).lower():
            settle(one, pages[0], pages)
            book.head.append(one)
    style = book.new_tag("style")
    style.string = Path(__file__).with_suffix(".css").read_text()
    book.head.append(style)

    front = book.find(id="front")
    book.title.string = front.h1.string = CONFIG["title"]
    front.select_one(".by").string = CONFIG["author"]
    front.a["href"] = front.a.string = PUBLISHED
    for caption, chapters in listed:
        if caption:
            heading = book.new_tag("p", **{"class": "part"})
            heading.string = caption
            front.nav.append(heading)
        for page in chapters:
            one = article(page, pages)
            title = one.h1.get_text() if caption else "Introduction"
            link = book.new_tag("a", href=f"#{identifier(page)}")
            for text in (title, ""):  # the title, and in the end its page
                link.append(book.new_tag("span", string=text))
            front.nav.append(link)
            style.string += f'@page {identifier(page)} {{ @top-right {{ content: "{title}" }} }}\n'
            book.select_one(".bd-article-container").append(one)
    return str(book)


CUT = """() => [...document.querySelectorAll("article :not(mjx-container *)")]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 200))"""
FILL = """numbers => document.querySelectorAll("nav a").forEach(
  (link, i) => link.lastChild.textContent = numbers[i])"""


def printed(source):
    """The PDF of an HTML file, as bytes."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-background-networking"],
            timeout=HUNG,
        )
        page = chromium.new_page(
            viewport={"width": WIDTH, "height": 1000}, device_scale_factor=2, color_scheme="light"
        )
        page.emulate_media(media="print")
        page.set_default_timeout(HUNG)
        page.goto(source.as_uri(), wait_until="load")
        page.evaluate("MathJax.startup.promise")
        if cut := page.evaluate(CUT):
            sys.exit("too wide for a page of the PDF:\n" + "\n".join(cut))

        def pdf():
            return page.pdf(prefer_css_page_size=True, scale=SCALE, outline=True, tagged=True)

        _, *chapters = (mark for mark in PdfDocument(pdf()).get_toc() if mark.level == 0)
        page.evaluate(FILL, [mark.get_dest().get_index() + 1 for mark in chapters])
        return pdf()


def main():
    """Write the PDF to the file named on the command line, or to _build/mslbook.pdf."""
    target = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "_build" / "mslbook.pdf"
    source = ROOT / "_build" / "mslbook.html"
    source.write_text(joined())
    target.write_bytes(printed(source))


if __name__ == "__main__":
    main()
