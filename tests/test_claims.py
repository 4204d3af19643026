"""The ledger: its verdicts stand, and it notices when one does not."""

import dataclasses

import pytest

from mslbook import claims
from mslbook.cli import main


@pytest.fixture(scope="module")
def whole():
    return claims.ledger()


def test_every_verdict_stands(whole):
    assert whole.changed == []


def test_every_claim_is_complete_and_has_its_own_id(whole):
    assert len({claim.id for claim in whole.claims}) == len(whole.claims)
    for claim, (number, verdict) in zip(whole.claims, whole.measured, strict=True):
        assert all(getattr(claim, field.name) for field in dataclasses.fields(claim))
        assert "journal" in claim.place
        assert "preprint" in claim.place
        assert number
        assert verdict in (claims.HOLDS, claims.RESERVED, claims.FAILS)


@pytest.mark.parametrize("section", sorted({claim.section for claim in claims.CLAIMS}))
def test_a_section_is_its_own_part_of_the_whole(whole, section):
    part = claims.ledger(section)
    assert [c.id for c in part.claims] == [c.id for c in whole.claims if c.section == section]


def test_an_unknown_section_is_refused():
    with pytest.raises(ValueError, match=r"no claims for section '9\.9': choose one of 2\.1, "):
        claims.ledger("9.9")


def test_the_table_has_a_cell_for_every_column(whole):
    header, rule, *rows = whole._repr_markdown_().splitlines()
    assert len(rows) == len(whole.claims)
    for line in (header, rule, *rows):
        assert line.replace(r"\|", "").count("|") == len(claims.Ledger.HEADER) + 1


def test_the_command_line_says_which_verdict_changed(monkeypatch, capsys):
    assert main(["claims"]) == 0
    standing = claims.CLAIMS[-1]
    flipped = dataclasses.replace(standing, verdict=claims.HOLDS)
    monkeypatch.setattr(claims, "CLAIMS", (*claims.CLAIMS[:-1], flipped))
    capsys.readouterr()
    assert main(["claims"]) == 1
    assert f"the verdict on {standing.id} was: {claims.HOLDS}" in capsys.readouterr().out
