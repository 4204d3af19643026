"""The ledger: what the paper claims, what we measured, and whether it holds.

A claim is a function of a section's claims.py, with its words above it.
"""

import re
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import getdoc

from mslbook.paper import sections

__all__ = ["Claim", "Ledger", "claim", "claims", "ledger", "measured", "report", "typeset"]

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


def listed(numbers, form="{:g}"):
    """Numbers in words, each in the same form."""
    return ", ".join(form.format(number) for number in numbers)


FIGURES = dict(zip(("2.1", "3.1", "3.2", "4.1", "4.2", "5.1", "6.1"), "1234567", strict=True))


def in_preprint(place):
    """A place of the journal by the preprint's numbers of its figures, equations and theorems.

    >>> in_preprint("section 5 and fig. 5.1"), in_preprint("theorem 4.3 (proof)")
    ('section 5 and fig. 6', 'theorem 3 (proof)')
    """
    place = re.sub(r"(?<=fig\. )\d\.\d", lambda found: FIGURES[found[0]], place)
    place = place.replace("eq. 6.2", "eq. 11")
    return re.sub(r"(eq\.|lemma|theorem|remark|definition) 4\.(?=\d)", r"\1 ", place)


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
    """One claim of the paper and the function that puts it to the test."""

    id: str  #: a short name that begins with the section
    #: returns our number as text and the verdict that it leads to, of a run if there are `runs`;
    #: its docstring begins with the claim
    measure: Callable[..., tuple[str, str]]
    verdict: str  #: the verdict when the ledger was last written
    tolerance: str  #: how far our number may be off, and why
    place: str = ""  #: where the journal says it, if that is not simply the section
    number: str = "—"  #: the number that the paper gives
    runs: Callable[[], dict] | None = None  #: returns the recordings to be tested, by name

    def __call__(self, *run):
        """Put the claim to the test, on a run if there are several."""
        return self.measure(*run)

    @property
    def section(self):
        """The section of the paper, such as "4.1"."""
        return self.id.split("-")[0]

    @property
    def where(self):
        """Where the paper says it, in the journal and in the preprint."""
        place = self.place or self.section
        return f"journal {place}, preprint {in_preprint(place)}"

    @property
    def says(self):
        """The claim in a sentence, the first one of the function's docstring."""
        return " ".join(getdoc(self.measure).split("\n\n")[0].split()).removesuffix(".")


def claim(name, verdict, tolerance, **about):
    """Make a `Claim` of the function below; `about` has its other attributes."""
    return lambda measure: Claim(name, measure, verdict, tolerance, **about)


Entry = namedtuple("Entry", ("claim", "number", "verdict"))  # our number and what it leads to


def measured(claim):
    """Put one claim to the test, now: of several runs the weakest verdict counts."""
    if claim.runs is None:
        return Entry(claim, *claim())
    found = {name: claim(run) for name, run in claim.runs().items()}
    signed = (f"{name} {SIGNS[verdict]} {number}" for name, (number, verdict) in found.items())
    return Entry(claim, "; ".join(signed), weakest(verdict for _, verdict in found.values()))


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
            f"{claim.id}  ({claim.where})\n"
            f"  the paper says  {claim.says}\n"
            f"  its number      {claim.number}\n"
            f"  we measured     {number}\n"
            f"  tolerance       {claim.tolerance}\n"
            f"  verdict         {verdict}"
            for claim, number, verdict in self.entries
        )
        return typeset("\n".join(lines))

    def _repr_markdown_(self):
        rows = [self.HEADER, ("---",) * len(self.HEADER)]
        for claim, number, verdict in self.entries:
            says = f"{claim.says}<br><small>{claim.id}: {claim.where}</small>"
            found = f"{number}<br><small>tolerance: {claim.tolerance}</small>"
            rows.append((says, claim.number, found, f"{SIGNS[verdict]} {verdict}"))
        rows = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
        return typeset("\n".join(f"| {row} |" for row in rows))


def claims(section=None):
    """The claims of one section (such as "4.1"), or of all that have any.

    Raises ``ValueError`` for a section without claims.
    """
    modules = {number: f"{package.__name__}.claims" for number, package in sections().items()}
    modules = {number: module for number, module in modules.items() if find_spec(module)}
    if section not in (None, *modules):
        raise ValueError(
            f"no claims for section {section!r}: choose one of {', '.join(modules)}, or write them "
            "into claims.py in the folder of the section"
        )
    chosen = modules.values() if section is None else [modules[section]]
    names = [vars(import_module(module)).values() for module in chosen]
    return tuple(one for values in names for one in values if isinstance(one, Claim))


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
