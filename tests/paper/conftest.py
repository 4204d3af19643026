"""What the tests share: a browser, the built book on a local port, how a claim is broken."""

import functools
import gzip
import http.server
import io
import os
import shutil
import threading
import unicodedata
from pathlib import Path

import matplotlib
import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = yaml.safe_load((ROOT / "CITATION.cff").read_text())["url"]
CHROMIUM = "/usr/bin/chromium"


def pytest_collection_modifyitems(items):
    """Begin with the page tests, which take longest: else one core would wait for the other."""
    items.sort(key=lambda item: "test_pages" not in item.nodeid)


def unavailable(reason):
    """Skip with the reason; where CI is set, a guard that cannot run is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


HUNG = 300_000  # milliseconds: what takes longer will never come, however busy the machine is
FONTS = """<?xml version="1.0"?><fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
<match><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>"""


@pytest.fixture(scope="session")
def fonts(tmp_path_factory):
    """Variables by which Chromium finds the fonts that Matplotlib brings, and no others.

    So a page is laid out in the same way on every machine, and in wide letters.
    """
    folder = tmp_path_factory.mktemp("fonts")
    installed = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    (folder / "fonts.conf").write_text(FONTS.format(fonts=installed, cache=folder))
    return {"FONTCONFIG_FILE": str(folder / "fonts.conf")}


def stop_the_clock(page):
    """From now on the page's timers run only where a test says for how long.

    The clock is stopped at an hour that no machine has come to by then, however busy it is.
    """
    page.clock.install(time=0)
    page.clock.pause_at(3_600_000)


def patient(make):
    """Open pages and contexts that wait for as long as a busy machine takes."""

    def made(**options):
        opened = make(**options)
        opened.set_default_timeout(HUNG)
        return opened

    return made


@pytest.fixture(scope="session")
def browser(fonts):
    """One headless Chromium for all browser tests: `page = browser.new_page()`."""
    if not shutil.which(CHROMIUM):
        unavailable(f"no Chromium at {CHROMIUM}: `make browser` says how to get it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            env=os.environ | fonts,
            timeout=HUNG,
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                # The list below the address bar is two more pages for each window that is opened.
                "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,"
                "PaintHolding,HttpsUpgrades",
                # The network ends at this machine, as it does for a reader who is offline.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        chromium.new_page = patient(chromium.new_page)
        chromium.new_context = patient(chromium.new_context)
        yield chromium
        chromium.close()


def go(page, address):
    """Open a page of the book and wait until its sizes are known."""
    page.goto(address)
    page.wait_for_function("document.documentElement.matches('.settled')")


def still(element):
    """Where an element stands once it has not moved for ten frames."""
    return element.evaluate(STILL)


STILL = """async element => {
  const place = () => element.getBoundingClientRect().y;
  for (let y = place(), frames = 0; frames < 10; frames++) {
    await new Promise(requestAnimationFrame);
    if (place() !== y) [y, frames] = [place(), 0];
  }
  return place();
}"""


def normal(text):
    """Text in one line, whatever ligatures, spaces and dashes a font or a program sets."""
    text = unicodedata.normalize("NFKC", text).replace("\N{SOFT HYPHEN}", "")
    dashes = "".join(map(chr, range(0x2010, 0x2016))) + "\N{MINUS SIGN}"
    return " ".join(text.translate(dict.fromkeys(map(ord, dashes), "-")).split())


HTML = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
FOLDER = "/a/folder/"


@functools.cache
def parsed(file):
    """A built page as a tree, which is for all tests: change a copy of it."""
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def compressed(path):
    """A file as hosts send it: text is compressed, pictures and fonts are so already."""
    content = Path(path).read_bytes()
    return gzip.compress(content) if path.endswith((".html", ".js", ".css", ".svg")) else content


class Host(http.server.SimpleHTTPRequestHandler):
    """Serves the book beneath a folder, as a static host does that is shared with others."""

    def translate_path(self, path):
        """The file behind an address; none for an address outside of the folder."""
        inside = path.startswith(FOLDER)
        return super().translate_path("/" + path.removeprefix(FOLDER) if inside else "/none")

    def send_head(self):
        """The file compressed, or its folder's index, or the book's page for what is missing."""
        path = self.translate_path(self.path)
        path = os.path.join(path, "index.html") if os.path.isdir(path) else path
        found = os.path.isfile(path)
        content = compressed(path if found else str(HTML / "404.html"))
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", self.guess_type(path) if found else "text/html")
        self.send_header("Content-Length", str(len(content)))
        if content[:2] == b"\x1f\x8b":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        return io.BytesIO(content)

    def log_message(self, *args):
        """Write no line to stderr for each file."""


@pytest.fixture(scope="session")
def site():
    """The address of the built book, served from a folder on a free local port."""
    if not (HTML / "index.html").exists():
        unavailable("the book is not built: run `make book` first")
    handler = functools.partial(Host, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{FOLDER}".rstrip("/")
        server.shutdown()


@pytest.fixture
def decides(monkeypatch):
    """Call it with a claim's measure and what breaks it: the number and the verdict must change."""

    def check(measure, breakage):
        number, verdict = measure()
        breakage(monkeypatch)
        broken_number, broken_verdict = measure()
        assert broken_number != number
        assert broken_verdict != verdict

    return check
