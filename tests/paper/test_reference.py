"""The reference pages: everything that a reader meets is there, and reads as prose."""

import ast
import html
import posixpath
import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from conftest import go
from sphinx.util.inventory import InventoryFile

pytestmark = pytest.mark.browser  # needs the built book

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "_build" / "html" / "book" / "reference"
PARTS = ["losses", "theory", "probes", "paper.experiments", "paper.ledger", "paper.demo"]


@pytest.fixture(scope="module")
def documented(site):
    """The full names that the book's inventory of Python objects lists."""
    with (REFERENCE.parent.parent / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", posixpath.join)
    kinds = (names for kind, names in inventory.items() if kind.startswith("py:"))
    return set().union(*kinds)


def is_constant(module, name):
    return name.isupper() and not callable(getattr(import_module(module), name))


@pytest.mark.parametrize("part", PARTS)
def test_the_reference_has_every_public_name(documented, part):
    module = f"mslbook.{part}"
    public = import_module(module).__all__
    names = {f"{module}.{name}" for name in public if not is_constant(module, name)}
    assert names
    assert names - documented == set(), "name these in a page of book/reference/"


def test_of_an_example_the_code_alone_is_copied(browser, site):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    go(page, f"{site}/book/reference/theory.html")
    example = page.locator("dl:has(> dt[id='mslbook.theory.stable_lr']) .highlight").first
    example.hover()
    example.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied.splitlines() == [
        "from mslbook import f1, stable_lr",
        "stable_lr(f1)",
    ]


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_the_reference_has_what_a_chapter_imports(documented, path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    code = re.sub(r"^( *)[%!].*", r"\1pass", code, flags=re.MULTILINE)  # commands of the notebook
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    names = {
        f"{node.module}.{one.name}"
        for node in imports
        for one in node.names
        if node.module.split(".")[0] == "mslbook" and not is_constant(node.module, one.name)
    }
    assert names
    assert names - documented == set(), "name these in a page of book/reference/"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "book/reference").glob("*.rst")), ids=lambda p: p.stem
)
def test_docstrings_leave_no_markup_on_the_page(site, path):
    page = (REFERENCE / f"{path.stem}.html").read_text()
    (article,) = re.findall(r"<article.*?</article>", page, re.DOTALL)
    text = html.unescape(re.sub(r"<pre>.*?</pre>|<[^>]+>", "", article, flags=re.DOTALL))
    assert len(text) > 1000
    assert re.findall(r":\w+:|``|<mslbook[^>]*>|-{4,}|>>>", text) == []
    assert "Bases:" not in text
    assert "Alias for field" not in text
