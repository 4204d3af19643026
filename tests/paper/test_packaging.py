"""What is installed, promised and published: the environments, the commands, the versions."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import jupytext
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mslbook

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Where conda-forge's name is not the index's.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}

MACHINE_OR_REGISTRY = re.compile(
    rb"(?<![\w.~-])/(?:home|root|work|Users)/\w|pypi\.org|pythonhosted|registry\.npmjs|piwheels"
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(*extras):
    """Names and version ranges of the base installation and of the named extras."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    found = [Requirement(line) for lines in lists for line in lines]
    return {one.name: str(one.specifier) for one in found}


def test_the_plain_installation_is_light():
    required = [Requirement(line) for line in importlib.metadata.requires("mslbook")]
    base = {one.name for one in required if one.marker is None}
    assert base == {"numpy", "scipy", "array-api-compat"}


def test_the_analytic_half_imports_neither_torch_nor_matplotlib():
    program = """
import sys
import mslbook, mslbook.losses, mslbook.descent, mslbook.theory, mslbook.probes
print(*({"torch", "matplotlib", "sklearn", "IPython"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_conda_and_pip_ask_for_the_same():
    environment = yaml.safe_load(read("environment.yml"))
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    ranges = dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in conda)
    assert pip == ["-e ."]
    version = re.fullmatch(r"=(\d+\.\d+)", ranges.pop("python"))[1]
    assert version in SpecifierSet(PROJECT["requires-python"])
    for name in ("pip", "jupyterlab", "jupytext"):  # what a reader needs to run the notebooks
        del ranges[name]
    wanted = requirements("network", "book")
    assert ranges == {CONDA_NAMES.get(name, name): span for name, span in wanted.items()}


def imported(code):
    """The top-level packages that a piece of Python imports, apart from its own library."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names


def test_conda_and_pip_bring_whatever_the_book_imports():
    to_python = TransformerManager().transform_cell
    cells = [cell for text in (ROOT / "book").glob("*.md") for cell in jupytext.read(text).cells]
    codes = [to_python(cell.source) for cell in cells if cell.cell_type == "code"]
    codes += [file.read_text() for file in (ROOT / "mslbook").rglob("*.py")]
    names = set().union(*map(imported, codes))
    assert {"numpy", "torch", "sklearn"} <= names
    homes = importlib.metadata.packages_distributions()
    packages = {homes[name][0].lower() for name in names - {"mslbook"}}
    assert packages <= requirements("network", "book").keys()


def test_whatever_is_imported_is_declared():
    """Imported by the package, its tests, its tools or its benchmarks; not only brought along."""
    folders = ("mslbook", "tests", "book/_tools", "benchmarks")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    own = {file.stem for file in files} | {"mslbook"}
    names = set().union(*(imported(file.read_text()) for file in files)) - own
    homes = importlib.metadata.packages_distributions()
    declared = requirements(*PROJECT["optional-dependencies"]).keys()
    homes |= {name: [name.replace("_", "-")] for name in names - homes.keys()}  # not installed
    assert {name for name in names if not {one.lower() for one in homes[name]} & declared} == set()


def test_constraints_pin_every_requirement_with_its_hashes_and_hold_no_address():
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    pins = "\n".join(lines).replace(" \\\n    --hash=sha256:", " #").splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+?)?( #[0-9a-f]{64})+", pin) for pin in pins)
    pinned = {pin.split("==")[0] for pin in pins}
    assert requirements(*PROJECT["optional-dependencies"]).keys() - {"mslbook"} <= pinned


def test_versions_agree():
    citation = yaml.safe_load(read("CITATION.cff"))
    released = re.search(r"^## \[([\d.]+)\]", read("CHANGELOG.md"), re.MULTILINE).group(1)
    assert {PROJECT["version"], citation["version"], released} == {mslbook.__version__}


def test_the_citation_names_the_paper():
    (paper,) = yaml.safe_load(read("CITATION.cff"))["references"]
    assert f"{{{paper['doi']}}}" in read("book/references.bib")


def test_the_readme_speaks_of_commands_and_files_that_exist():
    readme = read("README.md")
    targets = re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE).group(1).split()
    spoken_of = set(re.findall(r"(?:^    |`)make ([a-z]+)", readme, re.MULTILINE))
    assert {"book", "test"} <= spoken_of <= set(targets)
    prose = re.sub(r"^    .*", "", readme, flags=re.MULTILINE)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_ci_runs_the_tests_and_then_those_of_other_machines():
    commands = read(".ci/run").splitlines()
    assert [line for line in commands if "make" in line] == ["make test", "make portable"]
    assert "set -e" in commands


@pytest.fixture(scope="module")
def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def test_no_file_names_this_machine_or_a_registry(tracked):
    assert tracked
    guards = Path(__file__)
    texts = {path: path.read_bytes() for path in tracked if path.exists() and path != guards}
    found = {path: MACHINE_OR_REGISTRY.search(text) for path, text in texts.items()}
    assert {str(path): match[0] for path, match in found.items() if match} == {}


def test_without_its_package_mathjax_is_linked_and_the_build_says_so(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "book" / "_tools")
    mathjax_files = importlib.import_module("mathjax_files")
    monkeypatch.setattr(mathjax_files, "PACKAGE", None)
    config = SimpleNamespace(mathjax_path="mathjax/tex-chtml.js")
    mathjax_files.link_the_network(None, config)
    assert config.mathjax_path.startswith("https://")
    assert "not installed" in capsys.readouterr().err
    mathjax_files.copy_files(None, None)  # there is nothing to copy
