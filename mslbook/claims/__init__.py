"""The ledger: what the paper claims, what we measured, and whether it holds.

One module for each section of the paper: the functions that measure, and the rows they fill.
"""

from mslbook.claims import (
    section_2_1,
    section_2_2,
    section_3_1,
    section_3_2,
    section_4_1,
    section_4_2,
    section_4_3,
    section_4_4,
    section_5,
    section_6,
)
from mslbook.claims.claim import FAILS, HOLDS, RESERVED, SIGNS, Claim, Ledger, measured, typeset

__all__ = [
    "FAILS",
    "HOLDS",
    "RESERVED",
    "SIGNS",
    "Claim",
    "Ledger",
    "ledger",
    "measured",
    "report",
    "typeset",
]

SECTIONS = (
    section_2_1,
    section_2_2,
    section_3_1,
    section_3_2,
    section_4_1,
    section_4_2,
    section_4_3,
    section_4_4,
    section_5,
    section_6,
)
CLAIMS = tuple(claim for section in SECTIONS for claim in section.CLAIMS)


def ledger(section=None):
    """The claims of one section (such as "4.1"), or all of them, measured now.

    Raises ``ValueError`` for a section without claims.

    >>> ledger("4.1").changed
    []
    """
    chosen = [claim for claim in CLAIMS if section in (None, claim.section)]
    if not chosen:
        known = sorted({claim.section for claim in CLAIMS})
        raise ValueError(f"no claims for section {section!r}: choose one of {', '.join(known)}")
    return Ledger(measured(claim) for claim in chosen)


def report():
    """Print the ledger row by row; returns 1 if a verdict is no longer the one written down."""
    entries = []
    for claim in CLAIMS:
        entries.append(measured(claim))
        print(Ledger(entries[-1:]), flush=True)
    whole = Ledger(entries)
    for verdict in SIGNS:
        print(f"{verdict}: {whole.count(verdict)} of {len(entries)}")
    for claim in whole.changed:
        print(f"the verdict on {claim.id} was: {claim.verdict}")
    return 1 if whole.changed else 0
