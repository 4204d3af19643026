"""The library stands alone: a wheel without the book of the paper passes the library's tests."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).resolve().parents[2]


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


def test_its_examples_and_descent_pass_and_its_tests_find_what_they_import(library):
    """Without PyTorch, which many examples import, descent and the imports alone."""
    tests = ROOT / "tests"
    examples = ["mslbook", "--ignore-glob=*/__main__.py"] if find_spec("torch") else []
    chosen = ["-k", "mslbook. or test_descent", *examples, tests, f"--ignore={tests / 'paper'}"]
    configuration = ["-c", ROOT / "pyproject.toml", "--rootdir", library, "-p", "no:cacheprovider"]
    done = run(library, "-m", "pytest", "-q", *configuration, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
