"""What the tests share: a browser, the built book on a local port, how a claim is broken."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"


def unavailable(reason):
    """Skip with the reason; where CI is set, a guard that cannot run is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all browser tests: `page = browser.new_page()`."""
    if not shutil.which(CHROMIUM):
        unavailable(f"no Chromium at {CHROMIUM}: `make browser` says how to get it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield chromium
        chromium.close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without writing a line to stderr for each."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built book, served on a free local port."""
    html = ROOT / "_build" / "html"
    if not (html / "index.html").exists():
        unavailable("the book is not built: run `make book` first")
    handler = functools.partial(QuietHandler, directory=html)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
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
