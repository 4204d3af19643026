"""To add an optimizer, a loss, a probe or a chapter takes a new file and at most one line more."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

OPTIMIZER = '''"""Gradient descent by half steps."""

from dataclasses import dataclass

from mslbook.optimizers.base import Optimizer


@dataclass(frozen=True)
class HalfSteps(Optimizer):
    """theta <- theta - lr / 2 * grad, with the edge 4 / lr."""

    lr_times_edge = 4.0

    def update(self, theta, grad, state, lr):
        """Half a step."""
        return theta - lr / 2 * grad, state
'''
LOSS = '''"""The logarithm of the hyperbolic cosine."""

from dataclasses import dataclass

from mslbook.losses.closed_form import ClosedForm


@dataclass(frozen=True)
class LogCosh(ClosedForm):
    """ln cosh x, which grows like its absolute value."""

    def _value_and_grad(self, xp, x):
        a = xp.abs(x)
        return a + xp.log1p(xp.expm1(-2 * a) / 2), xp.tanh(x)

    def _hvp(self, xp, x, v):
        return v * (1 - xp.tanh(x) ** 2)
'''
PROBE = '''"""The length of the gradient."""

import numpy as np


def gradient_norm(loss, theta):
    """The length of the gradient at theta.

    >>> from mslbook import f1, gradient_norm
    >>> gradient_norm(f1, 0.0)
    0.0
    """
    return float(np.linalg.norm(loss.grad(theta)))
'''
CLAIMS = '''"""Section 9, half steps."""

from mslbook import HalfSteps, LogCosh, descend, gradient_norm
from mslbook.paper.ledger import HOLDS, claim, verdict


@claim("9-half", HOLDS, "a millionth")
def half_steps_arrive():
    """Descent by half steps arrives."""
    end = descend(LogCosh(), 1.0, optimizer=HalfSteps(1.0), steps=50).points[-1]
    return f"gradient {gradient_norm(LogCosh(), end):.0e}", verdict(abs(end) < 1e-6)
'''
CHAPTER = """
# 9 Half steps

Do they arrive?

```{code-cell} ipython3
from mslbook.paper.ledger import ledger

ledger("9")
```
"""


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def add_line(path, after, line):
    text = path.read_text()
    assert after in text
    path.write_text(text.replace(after, after + line, 1))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in which all four are added, each as the README says."""
    copy = tmp_path_factory.mktemp("copy") / "project"
    left_out = shutil.ignore_patterns(".*", "_build", "__pycache__", "runs")
    shutil.copytree(ROOT, copy, ignore=left_out)
    package, header = copy / "mslbook", (ROOT / "book" / "intro.md").read_text()
    write(package / "optimizers" / "half_steps.py", OPTIMIZER)
    write(package / "losses" / "log_cosh.py", LOSS)
    write(package / "probes" / "gradient_norm.py", PROBE)
    first = "import _public\n"
    for name, line in {
        "optimizers": "from mslbook.optimizers.half_steps import HalfSteps\n",
        "losses": "from mslbook.losses.log_cosh import LogCosh\n",
        "probes": "from mslbook.probes.gradient_norm import gradient_norm\n",
    }.items():
        add_line(package / name / "__init__.py", first, line)
    write(
        copy / "book" / "9_half_steps.md", header[: header.index("# Why")].rstrip() + "\n" + CHAPTER
    )
    add_line(copy / "_toc.yml", "notebooks/7_summary\n", "      - file: notebooks/9_half_steps\n")
    write(package / "paper" / "half_steps" / "__init__.py", 'SECTION = "9"\n')
    write(package / "paper" / "half_steps" / "claims.py", CLAIMS)
    return copy


@pytest.fixture(scope="module")
def python(project):
    """Run this environment's Python on the copy: ``python("-m", "pytest")`` returns its output."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_shared_tests_and_the_run_have_them(python):
    tests = ["tests/test_optimizers.py", "tests/test_losses.py", "tests/paper/test_run.py"]
    told = python("-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
                  "-k", "HalfSteps or LogCosh", "-rA", *tests)  # fmt: skip
    for test, name in zip(tests, ("HalfSteps", "LogCosh", "HalfSteps"), strict=True):
        assert re.search(rf"^PASSED {test}::.*{name}", told, re.MULTILINE)


@pytest.mark.browser
def test_the_reference_the_ledger_and_the_book_have_them(python, project):
    python("book/_tools/execute.py", "book/9_half_steps.md")
    toc = project / "_toc.yml"  # a book of few pages has all that is asked for
    few = r"reference/(descent|losses|probes)|9_half_steps"
    kept = [line for line in toc.read_text().splitlines(keepends=True)
            if "- file" not in line or re.search(few, line)]  # fmt: skip
    toc.write_text(re.sub(r"  - caption.*\n    chapters:\n(?=  - |\Z)", "", "".join(kept)))
    python("-c", "from jupyter_book.cli.main import main; main()", "build", "--quiet", ".")
    html = project / "_build" / "html"
    for page, name in {
        "descent": "mslbook.optimizers.HalfSteps",
        "losses": "mslbook.losses.LogCosh",
        "probes": "mslbook.probes.gradient_norm",
    }.items():
        assert f'id="{name}"' in (html / "book" / "reference" / f"{page}.html").read_text()
    assert "Descent by half steps arrives" in (html / "notebooks" / "9_half_steps.html").read_text()
