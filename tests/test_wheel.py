"""The library stands alone: a wheel without the book of the paper passes the library's tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with the library as the wheel without ``mslbook/paper`` installs it."""
    source, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    without = shutil.ignore_patterns("paper", "__pycache__")
    shutil.copytree(ROOT / "mslbook", source / "mslbook", ignore=without)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(source)
        wheel = build_wheel(str(source))
    ZipFile(source / wheel).extractall(installed)
    return installed


def run(library, *arguments):
    """Run Python outside the repository, where mslbook is the library alone."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=library,
        env=os.environ | {"PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
    )


def test_it_is_the_library_alone(library):
    where = run(library, "-c", "import mslbook; print(mslbook.__file__)").stdout.strip()
    assert Path(where) == library / "mslbook" / "__init__.py"
    assert run(library, "-c", "import mslbook.paper").returncode == 1


def check(library, *arguments):
    """Run pytest on the library that is installed, with the configuration of the project."""
    configuration = ["-c", ROOT / "pyproject.toml", "--rootdir", library]
    done = run(library, "-m", "pytest", "-q", "-p", "no:cacheprovider", *configuration, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_tests_find_what_they_import(library):
    tests = ROOT / "tests"
    check(library, "--collect-only", tests, f"--ignore={tests / 'paper'}")


def test_its_examples_and_descent_pass(library):
    pytest.importorskip("torch")
    tests = ROOT / "tests" / "test_descent.py"
    check(library, "--ignore-glob=*/__main__.py", "mslbook", tests)
