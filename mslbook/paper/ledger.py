"""The ledger: what the paper claims, what we measured, and whether it holds.

A claim is a function of a section's claims.py, with its words above it. It returns our number, in
words, and a verdict by the one rule that stands on the ledger's page; the function's keyword
arguments are its thresholds, which the words name.
"""

import re
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from importlib.util import find_spec
from inspect import getdoc, signature
from pathlib import Path

from mslbook.paper import sections

__all__ = ["Claim", "Ledger", "Table", "claim", "claims", "ledger", "measured", "report",
           "thresholds", "typeset"]  # fmt: skip

HOLDS, RESERVED = "holds", "holds with a reservation"
FAILS, UNSEEN = "does not hold", "not seen here"
SIGNS = {HOLDS: "✓", RESERVED: "≈", UNSEEN: "○", FAILS: "✗"}


def verdict(whole, part=False, otherwise=FAILS):
    """HOLDS if all of a claim is borne out, RESERVED if a part of it is, otherwise the third."""
    return HOLDS if whole else RESERVED if part else otherwise


def seen(whole, part=False):
    """The verdict of an experiment below the paper's size: at full size the claim may hold."""
    return verdict(whole, part, UNSEEN)


def joint(verdicts):
    """The verdict of several settings that fit the paper's words: one for all, or a reservation."""
    first, *others = set(verdicts)
    return RESERVED if others else first


def at_most(difference, bound):
    """A difference in words; of one that is only rounding, no digits, for they are no result."""
    return f"at most {bound:.0e}" if difference < bound else f"{difference:.0e}"


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
    """Write powers of ten, indices and minus signs as a page does, but not in code in backticks.

    >>> typeset("f1 is off by -2e-09, L_n by 1e-12 or 4e-01, and `f1` is code")
    'f₁ is off by −2·10⁻⁹, Lₙ by 10⁻¹² or 0.4, and `f1` is code'
    """

    def power(found):
        if abs(int(found[2])) <= 2:
            return f"{float(found[0]):g}"
        return (found[1] + "·").removeprefix("1·") + "10" + str(int(found[2])).translate(RAISED)

    text = re.sub(r"\b(\d[\d.]*)e([+-]?\d+)", power, text)
    text = re.sub(r"(?<![\w`-])-(?=\d)", "−", text)
    indexed = r"(?<![\w`-])([A-Za-z])(?:_?(\d)|_([in]))(?![\w`])"
    return re.sub(indexed, lambda found: found[1] + found[found.lastindex].translate(LOWERED), text)


@dataclass(frozen=True)
class Table:
    """A table that a page shows: a header and rows of text."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def __repr__(self):
        return "\n".join(re.sub("<.*?>", " ", " | ".join(row)) for row in self.rows)

    def _repr_markdown_(self):
        rows = [self.header, ("---",) * len(self.header), *self.rows]
        rows = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
        return "\n".join(f"| {row} |" for row in rows)


@dataclass(frozen=True)
class Claim:
    """One claim and the function that puts it to the test."""

    id: str  #: a short name that begins with the section
    #: returns our number as text and the verdict that it leads to, of a run if there are `runs`;
    #: its docstring begins with the claim
    measure: Callable[..., tuple[str, str]]
    verdict: str  #: the verdict when the ledger was last written
    words: str  #: when it holds and why so, with the names of thresholds in braces
    place: str = ""  #: where the journal says it, if that is not simply the section
    number: str = ""  #: the number that the paper gives
    runs: Callable[[], dict] | None = None  #: returns the recordings to be tested, by name
    beside: str = ""  #: the one among them that is shown and does not count
    ours: bool = False  #: whether the paper does not say it

    def __call__(self, *run, **thresholds):
        """Put the claim to the test, on a run if there are several."""
        return self.measure(*run, **thresholds)

    @property
    def section(self):
        """The section of the paper, such as "4.1"."""
        return self.id.split("-")[0]

    @property
    def anchor(self):
        """The name of its row on the page of the ledger, which holds no dot."""
        return f"row-{self.id.replace('.', '-')}"

    @property
    def where(self):
        """Where the paper says it, in the journal and in the preprint."""
        place = self.place or self.section
        return "ours" if self.ours else f"journal {place}, preprint {in_preprint(place)}"

    @property
    def says(self):
        """The claim in a sentence, the first one of the function's docstring."""
        return " ".join(getdoc(self.measure).split("\n\n")[0].split()).removesuffix(".")

    @property
    def thresholds(self):
        """The values of its thresholds by name."""
        parameters = signature(self.measure).parameters.values()
        return {one.name: one.default for one in parameters if one.default is not one.empty}

    @property
    def criterion(self):
        """When it holds, with the thresholds in numbers."""
        return self.words.format(**self.thresholds)


def claim(name, verdict, words, **about):
    """Make a `Claim` of the function below; `about` has its other attributes."""
    return lambda measure: Claim(name, measure, verdict, words, **about)


Entry = namedtuple("Entry", ("claim", "number", "verdict"))  # our number and what it leads to


def measured(claim, **thresholds):
    """Put one claim to the test, now: of several runs, or with other thresholds."""
    if claim.runs is None:
        return Entry(claim, *claim(**thresholds))
    found = {name: claim(run, **thresholds) for name, run in claim.runs().items()}
    signed = (f"{name} {SIGNS[verdict]} {number}" for name, (number, verdict) in found.items())
    counted = (verdict for name, (_, verdict) in found.items() if name != claim.beside)
    return Entry(claim, "<br>".join(signed), joint(counted))


class Ledger:
    """Claims with their measurements, readable as text and as a Markdown table."""

    def __init__(self, entries):
        self.entries = tuple(entries)

    def part(self, section):
        """The entries of one section, such as "4.1", without measuring them again."""
        return Ledger(entry for entry in self.entries if entry.claim.section == section)

    @property
    def changed(self):
        """The claims whose verdict is no longer the one in the ledger."""
        return [entry.claim for entry in self.entries if entry.verdict != entry.claim.verdict]

    @property
    def counts(self):
        """How many of the paper's claims got each verdict, as a `Table`."""
        of_paper = [entry.verdict for entry in self.entries if not entry.claim.ours]
        counted = [(f"{SIGNS[one]} {one}", str(of_paper.count(one))) for one in SIGNS]
        return Table(("Verdict", f"of {len(of_paper)} claims of the paper"), counted)

    @property
    def map(self):
        """All claims as marks, each a link to its row that says the claim, to show on a page."""
        from IPython.display import HTML

        parts = []
        for section in dict.fromkeys(entry.claim.section for entry in self.entries):
            marks = "".join(map(_mark, self.part(section).entries))
            parts.append(f"<p><b>{section}</b>{marks}</p>")
        # A mark is wide enough for a thumb, says its claim below the map, and leads to its row.
        style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
        return HTML(f'<style>\n{style}</style><div class="claims">{"".join(parts)}</div>')

    def __repr__(self):
        rows = (
            f"{claim.id}  ({claim.where})\n"
            f"  the claim    {claim.says}{f' ({claim.number})' * bool(claim.number)}\n"
            f"  we measured  {number.replace('<br>', '; ')}\n"
            f"  criterion    {claim.criterion}\n"
            f"  verdict      {verdict}"
            for claim, number, verdict in self.entries
        )
        return typeset("\n".join(rows))

    def _repr_markdown_(self):
        rows = []
        for claim, number, verdict in self.entries:
            gives = f"; its number: {claim.number}" * bool(claim.number)
            says = f'<a id="{claim.anchor}"></a>{claim.says}<br>'
            says += f"<small>{claim.id}, {claim.where}{gives}</small>"
            found = f"**{SIGNS[verdict]} {verdict}**<br>{number}<br>"
            rows.append((says, found + f"<small>Criterion: {claim.criterion}</small>"))
        return typeset(Table(("The paper says", "We measured"), rows)._repr_markdown_())


def _mark(entry):
    claim, _, verdict = entry
    told = escape(typeset(f"{verdict.capitalize()}: {claim.says}"), quote=True)
    return f'<a href="#{claim.anchor}" aria-label="{told}">{SIGNS[verdict]}</a>'


def thresholds(section=None):
    """Which verdicts change when thresholds (of one section) are halved and doubled: a `Table`."""
    users = {}
    for one in claims(section):
        for name, value in one.thresholds.items():
            users.setdefault((one.section, name, value), []).append(one)
    rows, counts = [], [0, 0]
    for (part, name, value), those in users.items():
        row = [f"{part}: {name.replace('_', ' ')} {value:g}<br><small>rows: {len(those)}</small>"]
        for i, other in enumerate((value / 2, 2 * value)):
            turned = [measured(one, **{name: other}) for one in those]
            turned = [entry for entry in turned if entry.verdict != entry.claim.verdict]
            signs = (f"{entry.claim.id} {SIGNS[entry.verdict]}" for entry in turned)
            row.append(", ".join(signs) or "–")
            counts[i] += len(turned)
        rows.append(tuple(row))
    rows.append((f"all {len(rows)}: verdicts that change", *map(str, counts)))
    return Table(("Threshold", "Halved", "Doubled"), rows)


def claims(section=None):
    """The claims of one section (such as "4.1"), or of all; ValueError if it has none."""
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
    print(whole.counts)
    for claim in whole.changed:
        print(f"the verdict on {claim.id} was: {claim.verdict}")
    return 1 if whole.changed else 0
