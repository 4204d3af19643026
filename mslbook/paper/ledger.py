"""The ledger: what the paper claims, what we measured, and whether it holds.

Each section's claims.py has the functions that measure, and the rows they fill.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from mslbook.paper import sections

__all__ = [
    "FAILS",
    "HOLDS",
    "RESERVED",
    "SIGNS",
    "Claim",
    "Ledger",
    "claims",
    "ledger",
    "measured",
    "report",
    "typeset",
]

HOLDS = "holds"
RESERVED = "holds, with a reservation"
FAILS = "does not hold as stated"
SIGNS = {HOLDS: "✓", RESERVED: "≈", FAILS: "✗"}


def verdict(holds, otherwise=FAILS):
    """HOLDS if what was measured bears the claim out, otherwise the weaker verdict."""
    return HOLDS if holds else otherwise


def graded(whole, part):
    """HOLDS if all of the claim is borne out, RESERVED if only a part of it is, FAILS if none."""
    return HOLDS if whole else RESERVED if part else FAILS


def at_most(difference, bound):
    """A difference in words; of one that is only rounding, no digits, for they are no result."""
    return f"at most {bound:.0e}" if difference < bound else f"{difference:.0e}"


def weakest(verdicts):
    """The weakest of some verdicts, for a claim of which each is a part."""
    return max(verdicts, key=(HOLDS, RESERVED, FAILS).index)


def of_each(runs, measure):
    """What `measure` says of each run, with the sign of its verdict; and the weakest verdict.

    ``runs()`` returns recordings by their names, ``measure(run)`` a number as text and a verdict.
    """
    numbers, verdicts = [], []
    for name, run in runs().items():
        number, verdict = measure(run)
        numbers.append(f"{name} {SIGNS[verdict]} {number}")
        verdicts.append(verdict)
    return "; ".join(numbers), weakest(verdicts)


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOWERED = str.maketrans("0123456789in", "₀₁₂₃₄₅₆₇₈₉ᵢₙ")


def typeset(text):
    """Write powers of ten and indices as a page does; code in backticks stays as it is.

    >>> typeset("f1 is off by 2e-09, L_n by 1e-12 or 4e-01, and `f1` is code")
    'f₁ is off by 2·10⁻⁹, Lₙ by 10⁻¹² or 0.4, and `f1` is code'
    """

    def power(found):
        if abs(int(found[2])) <= 2:
            return f"{float(found[0]):g}"
        return (found[1] + "·").removeprefix("1·") + "10" + str(int(found[2])).translate(RAISED)

    text = re.sub(r"\b(\d[\d.]*)e([+-]?\d+)", power, text)
    indexed = r"(?<![\w`-])([A-Za-z])(?:_?(\d)|_([in]))(?![\w`])"
    return re.sub(indexed, lambda found: found[1] + found[found.lastindex].translate(LOWERED), text)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and the function that puts it to the test.

    Attributes
    ----------
    id : a short name that begins with the section
    place : where the paper says it, in the journal and in the preprint
    says : the claim, in our words
    paper : the number that the paper gives, or an em dash
    measure : returns our number as text, and the verdict that it leads to
    tolerance : how far ours may be off, and why
    verdict : the verdict when the ledger was last written
    """

    id: str
    place: str
    says: str
    paper: str
    measure: Callable[[], tuple[str, str]]
    tolerance: str
    verdict: str

    @property
    def section(self):
        """The section of the paper, such as "4.1"."""
        return self.id.split("-")[0]


class Entry(NamedTuple):
    """A claim, our number, and the verdict it leads to."""

    claim: Claim
    number: str
    verdict: str


def measured(claim):
    """Put one claim to the test, now."""
    return Entry(claim, *claim.measure())


class Ledger:
    """Claims with their measurements, readable as text and as a Markdown table."""

    HEADER = ("The paper says", "Its number", "We measured", "Verdict")

    def __init__(self, entries):
        self.entries = tuple(entries)

    def part(self, section):
        """The entries of one section, such as "4.1", without measuring them again."""
        return Ledger(entry for entry in self.entries if entry.claim.section == section)

    @property
    def changed(self):
        """The claims whose verdict is no longer the one in the ledger."""
        return [entry.claim for entry in self.entries if entry.verdict != entry.claim.verdict]

    def count(self, verdict):
        """How many claims got this verdict."""
        return sum(entry.verdict == verdict for entry in self.entries)

    def __repr__(self):
        lines = (
            f"{claim.id}  ({claim.place})\n"
            f"  the paper says  {claim.says}\n"
            f"  its number      {claim.paper}\n"
            f"  we measured     {number}\n"
            f"  tolerance       {claim.tolerance}\n"
            f"  verdict         {verdict}"
            for claim, number, verdict in self.entries
        )
        return typeset("\n".join(lines))

    def _repr_markdown_(self):
        rows = [
            (
                f"{claim.says}<br><small>{claim.id}: {claim.place}</small>",
                claim.paper,
                f"{number}<br><small>tolerance: {claim.tolerance}</small>",
                f"{SIGNS[verdict]} {verdict}",
            )
            for claim, number, verdict in self.entries
        ]
        lines = [self.HEADER, ("---",) * len(self.HEADER), *rows]
        escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
        return typeset("\n".join(f"| {' | '.join(cells)} |" for cells in escaped))


def claims(section=None):
    """The claims of one section (such as "4.1"), or of all that have any.

    Raises ``ValueError`` for a section without claims.
    """
    found = {
        number: f"{package.__name__}.claims"
        for number, package in sections().items()
        if find_spec(f"{package.__name__}.claims")
    }
    if section not in (None, *found):
        raise ValueError(
            f"no claims for section {section!r}: choose one of {', '.join(found)}, or write them "
            "into claims.py in the folder of the section"
        )
    chosen = found.values() if section is None else [found[section]]
    return tuple(claim for module in chosen for claim in import_module(module).CLAIMS)


def ledger(section=None):
    """The claims of one section (such as "4.1"), or all of them, measured now.

    Raises ``ValueError`` for a section without claims.

    >>> ledger("4.1").changed
    []
    """
    return Ledger(measured(claim) for claim in claims(section))


def report():
    """Print the ledger row by row; returns 1 if a verdict is no longer the one written down."""
    entries = []
    for claim in claims():
        entries.append(measured(claim))
        print(Ledger(entries[-1:]), flush=True)
    whole = Ledger(entries)
    for verdict in SIGNS:
        print(f"{verdict}: {whole.count(verdict)} of {len(entries)}")
    for claim in whole.changed:
        print(f"the verdict on {claim.id} was: {claim.verdict}")
    return 1 if whole.changed else 0
