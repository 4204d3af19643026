"""From a page to a running notebook: the launch buttons, and the first cell, which serves Colab."""

import re
import subprocess
import sys
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import jupytext
import pytest
import yaml
from conftest import PAGES, PUBLISHED, ROOT
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
REPOSITORY, BRANCH = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]


def first_code_cell(path):
    """The first code cell of a notebook, or of its text."""
    return next(cell for cell in jupytext.read(path).cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_is_the_same_everywhere_and_on_no_page(path):
    for twin in (path, ROOT / "book" / f"{path.stem}.md"):
        cell = first_code_cell(twin)
        assert cell.source == first_code_cell(NOTEBOOKS[0]).source
        assert cell.metadata["tags"] == ["remove-cell"]
        assert cell.outputs == []


@pytest.fixture
def shell(monkeypatch):
    """A stand-in for a notebook; what its cells hand to the system shell is listed, not run."""
    shell = InteractiveShell()
    shell.commands = []
    monkeypatch.setattr(shell, "system", shell.commands.append)
    return shell


def test_in_colab_the_first_cell_brings_the_package_and_nothing_that_colab_has(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    shell.run_cell(first_code_cell(NOTEBOOKS[0]).source).raise_error()
    (command,) = shell.commands
    requirement = Requirement(re.fullmatch(r'pip install -q "([^"]+)"', command)[1])
    assert requirement.name == "mslbook"
    assert requirement.url == f"git+{REPOSITORY}"
    assert requirement.extras == {"book"}  # the extra with torch would replace Colab's


def test_elsewhere_the_first_cell_does_nothing(shell, capsys):
    shell.run_cell(first_code_cell(NOTEBOOKS[0]).source).raise_error()
    assert shell.commands == []
    assert capsys.readouterr() == ("", "")


def test_colab_is_told_how_to_show_demos(monkeypatch):
    """Colab shows widgets of others with a manager of its own, which a demo asks for itself."""
    from mslbook.paper.demo import Curve, Demo, Panel, Slider

    asked = []
    colab = ModuleType("google.colab.output")
    colab.enable_custom_widget_manager = lambda: asked.append(True)
    colab._widgets = ModuleType("_widgets")
    colab._widgets._installed_url = "manager.js"
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    demo = Demo(
        lambda a: {"line": ([0, 1], [0, a]), "caption": "It rises."},
        [Slider("a", "slope", [1, 2], value=1)],
        [Panel("A line", "x", "y", [Curve("line")])],
        play="a",
        alt="A line.",
    )
    data, metadata = demo._repr_mimebundle_()
    widget = "application/vnd.jupyter.widget-view+json"
    assert asked
    assert widget in data
    assert metadata[widget]["colab"]["custom_widget_manager"]["url"] == "manager.js"


def test_one_line_says_where_the_project_is(tmp_path):
    names = ["_config.yml", "CITATION.cff", "book", "notebooks"]
    ours = tmp_path / "ours"
    ours.mkdir()
    subprocess.run(["cp", "-r", *names, ours], cwd=ROOT, check=True)
    files = [path for path in ours.rglob("*") if path.suffix in {".yml", ".cff", ".md", ".ipynb"}]
    before = {path: path.read_text() for path in files}
    address = [sys.executable, ours / "book" / "_tools" / "address.py"]
    subprocess.run(address, check=True)
    assert {path: path.read_text() for path in files} == before
    config = ours / "_config.yml"
    config.write_text(config.read_text().replace(REPOSITORY, "https://github.com/You/a-book"))
    subprocess.run(address, check=True)
    for path, text in before.items():
        moved = text.replace(REPOSITORY, "https://github.com/You/a-book")
        assert path.read_text() == moved.replace(PUBLISHED, "https://you.github.io/a-book/")


def links(page):
    """The addresses that a built page links to."""
    text = (ROOT / "_build" / "html" / f"{page}.html").read_text()
    return [address.replace("&amp;", "&") for address in re.findall(r'href="([^"]+)"', text)]


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return set(listing.stdout.decode().split("\0"))


@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
def test_launch_buttons_lead_to_the_notebook_of_the_page(page, site):
    name = REPOSITORY.removeprefix("https://github.com/")
    binder, colab = CONFIG["launch_buttons"]["binderhub_url"], CONFIG["launch_buttons"]["colab_url"]
    found = [address for address in links(page) if address.startswith((binder, colab))]
    if not page.startswith("notebooks/"):
        assert found == []
        return
    opened = f"{page}.ipynb"
    assert opened in tracked()
    to_binder, to_colab = sorted(found, key=lambda address: address.startswith(colab))
    assert to_colab == f"{colab}/github/{name}/blob/{BRANCH}/{opened}"
    assert to_binder.startswith(f"{binder}/v2/gh/{name}/{BRANCH}?")
    assert parse_qs(urlsplit(to_binder).query) == {"urlpath": [f"lab/tree/{opened}"]}


@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
def test_links_to_the_repository_lead_to_what_is_there(page, site):
    found = [address for address in links(page) if address.startswith(REPOSITORY)]
    assert REPOSITORY in found
    for address in found:
        if place := address.removeprefix(REPOSITORY).strip("/"):
            kind, branch, file = place.split("/", 2)
            assert kind in {"blob", "edit", "raw", "tree"}
            assert branch == BRANCH
            assert file in tracked()


@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
def test_the_source_of_a_page_can_be_downloaded(page, site):
    found = [address for address in links(page) if "_sources/" in address]
    assert found
    for address in found:
        assert (ROOT / "_build" / "html" / page).parent.joinpath(address).resolve().is_file()
