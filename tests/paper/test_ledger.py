"""The ledger: its verdicts stand, and it notices when one does not."""

import dataclasses
import re
import sys
from types import ModuleType

import nbformat
import pytest
from conftest import ROOT

from mslbook.paper import ledger, sections
from mslbook.paper.cli import main
from mslbook.paper.ledger import at_most


@pytest.fixture(scope="module")
def tables():
    """The ledger as its page stores it: nbval puts every claim to the test, and compares."""
    cells = nbformat.read(ROOT / "notebooks" / "7_summary.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    texts = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    return [text for text in texts if '<a id="row-' in text]


@pytest.fixture(scope="module")
def whole(tables):
    """The ledger with the numbers and the verdicts on its page."""
    entries = []
    for claim in ledger.claims():
        row = rf'<a id="{claim.anchor}">.* \| \*\*\S (.*?)\*\*<br>(.*)<br><small>Criterion: '
        ((verdict, number),) = re.findall(row, "\n".join(tables))
        entries.append(ledger.Entry(claim, number, verdict))
    return ledger.Ledger(entries)


def test_every_verdict_stands(whole):
    assert whole.changed == []


def test_every_claim_is_complete_and_has_its_own_id(whole):
    assert len({entry.claim.id for entry in whole.entries}) == len(whole.entries)
    for claim, number, verdict in whole.entries:
        assert all((claim.says, claim.criterion, claim.verdict))
        assert claim.where == "ours" or re.match("journal .*, preprint ", claim.where)
        assert number
        assert verdict in ledger.SIGNS
        if claim.runs:  # an experiment convicts nobody
            assert verdict != ledger.FAILS


@pytest.fixture
def unmeasured(monkeypatch):
    """The same claims, each with the verdict it has in the ledger, without the work."""
    verdicts = {claim.id: claim.verdict for claim in ledger.claims()}
    monkeypatch.setattr(
        ledger, "measured", lambda claim: ledger.Entry(claim, "a number", verdicts[claim.id])
    )
    return ledger.claims()


@pytest.mark.parametrize("section", sections())
def test_a_section_is_its_own_part_of_the_whole(unmeasured, section):
    expected = [claim for claim in unmeasured if claim.section == section]
    for part in (ledger.ledger(section), ledger.ledger().part(section)):
        assert [entry.claim for entry in part.entries] == expected


NUMBERED = [
    *("lemma 4.1", "theorem 4.1", "theorem 4.2", "theorem 4.3", "definition 4.1"),
    *("remark 4.1", "remark 4.2", "eq. 4.2", "eq. 4.5", "eq. 4.8", "eq. 6.2"),
    *(
        "fig. 2.1 left",
        "fig. 2.1 right",
        "fig. 3.1",
        "fig. 3.2 left",
        "fig. 3.2 middle",
        "fig. 3.2 right",
        "fig. 4.1 left",
        "fig. 4.1 middle",
        "fig. 4.1 right",
        "fig. 4.2",
    ),
    *("fig. 5.1", "fig. 6.1 left", "fig. 6.1 right"),
]


@pytest.mark.parametrize("result", NUMBERED)
def test_every_result_of_the_theory_has_its_row(result):
    assert any(result in claim.where.lower() for claim in ledger.claims())


def test_an_unknown_section_is_refused():
    with pytest.raises(ValueError, match=r"no claims for section '9\.9': choose one of 2\.1, "):
        ledger.ledger("9.9")


def test_a_section_without_claims_is_one_sentence(monkeypatch):
    bare = ModuleType("mslbook.paper.bare")
    bare.__path__ = []
    monkeypatch.setitem(sys.modules, bare.__name__, bare)
    monkeypatch.setattr(ledger, "sections", lambda: {**sections(), "9.9": bare})
    with pytest.raises(ValueError, match=r"no claims for section '9\.9': .* in the folder of the"):
        ledger.ledger("9.9")


def test_the_tables_have_a_cell_for_every_column(whole, tables):
    lines = [line for table in tables for line in table.splitlines()]
    assert len(lines) == 2 * len(tables) + len(whole.entries)
    for line in lines:
        assert line.replace(r"\|", "").count("|") == 3


def test_the_tables_read_like_a_page(tables):
    """Neither 1e-09 nor f1, x_0 or w^2, but for code in backticks and anchors."""
    text = re.sub("`.*?`|<.*?>", " ", "\n".join(tables))
    assert re.findall(r"\de[+-]?\d|\w[_^]\S*|(?<![\w-])[A-Za-z]\d\b", text) == []


def test_the_command_line_says_which_verdict_changed(unmeasured, monkeypatch, capsys):
    assert main(["claims"]) == 0
    counted = capsys.readouterr().out
    held = sum(claim.verdict == ledger.HOLDS and not claim.ours for claim in unmeasured)
    assert f"✓ holds | {held}\n" in counted

    standing = next(claim for claim in unmeasured if claim.verdict == ledger.FAILS)
    turned = dataclasses.replace(standing, verdict=ledger.HOLDS)
    monkeypatch.setattr(ledger, "claims", lambda: (*unmeasured, turned))
    assert main(["claims"]) == 1
    assert f"the verdict on {standing.id} was: {ledger.HOLDS}" in capsys.readouterr().out


def test_of_a_difference_that_is_rounding_the_bound_is_told_and_of_others_the_size():
    assert at_most(0.0, 1e-9) == at_most(3e-14, 1e-9) == "at most 1e-09"
    assert at_most(0.03, 1e-9) == "3e-02"


def test_settings_that_differ_make_a_reservation():
    assert ledger.joint([ledger.HOLDS] * 3) == ledger.HOLDS
    assert ledger.joint([ledger.UNSEEN] * 2) == ledger.UNSEEN
    assert ledger.joint([ledger.UNSEEN, ledger.HOLDS]) == ledger.RESERVED


def below(number, limit=2.0):
    """It is below the limit."""
    return f"{number:g}", ledger.seen(number < limit)


def test_a_threshold_is_named_once_and_turned_both_ways(monkeypatch):
    row = ledger.claim("9-below", ledger.HOLDS, "below {limit}", runs=lambda: {"one": 1.5})(below)
    assert row.criterion == "below 2.0"
    monkeypatch.setattr(ledger, "claims", lambda section: (row,))
    first, last = ledger.thresholds("9").rows
    assert first == ("9: limit 2<br><small>rows: 1</small>", "9-below ○", "–")
    assert last == ("all 1: verdicts that change", "1", "0")


def test_every_mark_of_the_map_leads_to_the_row_that_it_tells_of(unmeasured):
    whole = ledger.ledger()
    rows, marks = whole._repr_markdown_(), whole.map.data
    for claim, _, verdict in whole.entries:
        assert f'<a id="{claim.anchor}">' in rows
        assert re.search(rf'href="#{claim.anchor}" aria-label="{verdict.capitalize()}: .*?"', marks)
