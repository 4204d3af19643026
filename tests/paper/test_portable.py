"""`make portable` sees numbers that rest on rounding, and says which switches it did not use."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from run import ONE_ULP, Library, effective, validate  # noqa: E402

DESCENT = """
from mslbook.descent import descend
from mslbook.losses import f3
points = descend(f3, (-3.0, 3.0), lr=1.0, steps=200).points
"""
CELLS = {"bound": "print(abs(points).max() < 5)", "iterate of chaos": "print(points[-1])"}


@pytest.mark.parametrize("shown", CELLS)
def test_a_chaotic_number_shows_that_rounding_differs_and_a_bound_does_not(tmp_path, shown):
    cells = [nbformat.v4.new_code_cell(DESCENT + CELLS[shown])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        startup_timeout=600,
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute()
    nbformat.write(notebook, tmp_path / "cell.ipynb")
    assert validate("Another rounding", ONE_ULP, tmp_path) == (shown == "bound")


def test_a_switch_without_effect_is_named_and_left_out(capsys):
    known = Library("KNOWN", "import os; print(os.environ.get('KNOWN', 'the best'))", r"\w+")
    unknown = Library("UNKNOWN", "print('the best')", r"\w+")
    assert effective({known: "older", unknown: "older"}) == {"KNOWN": "older"}
    assert capsys.readouterr().out == "  skipped, without effect here: UNKNOWN='older'\n"
