"""What pages share: tables, the check of a reader's number, folded records."""

import pytest

from mslbook.paper.experiments import recorded
from mslbook.paper.page import check, records, table


def test_a_table_has_a_line_for_each_row():
    assert table(["η", "edge"], [[0.1, 20], [0.2, 10]]).data.splitlines() == [
        "| η | edge |",
        "| --- | --- |",
        "| 0.1 | 20 |",
        "| 0.2 | 10 |",
    ]


@pytest.mark.parametrize(
    ("yours", "told"),
    [(None, "Write your number"), (2.01, "Right"), (1.9, "too small"), (2.1, "too large")],
)
def test_a_number_is_right_within_a_hundredth(capsys, yours, told):
    check(yours, 2)
    assert told in capsys.readouterr().out


def test_negative_numbers_are_compared_by_size_of_the_error(capsys):
    check(-2.01, -2)
    check(-3, -2)
    assert capsys.readouterr().out == "Right.\nNot yet: -3 is too small.\n"


def test_records_say_how_all_runs_were_made():
    runs = [recorded(f"fig2_1_right{one}", "cifar10", "reduced") for one in ("", "_sgd")]
    text = records(*runs).data
    assert all(run.about() in text for run in runs)
    assert text.startswith("<details>\n<summary>How these runs were made</summary>")
