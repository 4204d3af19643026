"""`make portable` sees numbers that rest on rounding, and says which switches it did not use."""

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import nbformat
import pytest

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
    code, printed = DESCENT + CELLS[shown], StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    output = nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())
    cell = nbformat.v4.new_code_cell(code, execution_count=1, outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "cell.ipynb")
    assert validate("Another rounding", ONE_ULP, tmp_path) == (shown == "bound")


def test_a_switch_without_effect_is_named_and_left_out(capsys):
    known = Library("KNOWN", "import os; print(os.environ.get('KNOWN', 'the best'))", r"\w+")
    unknown = Library("UNKNOWN", "print('the best')", r"\w+")
    assert effective({known: "older", unknown: "older"}) == {"KNOWN": "older"}
    assert capsys.readouterr().out == "  skipped, without effect here: UNKNOWN='older'\n"
