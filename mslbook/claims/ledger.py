"""What a claim is, and the table of claims with their measurements."""

from collections.abc import Callable
from dataclasses import dataclass

HOLDS = "holds"
RESERVED = "holds, with a reservation"
FAILS = "does not hold as stated"


def verdict(holds, otherwise=FAILS):
    """HOLDS if what was measured bears the claim out, otherwise the weaker verdict."""
    return HOLDS if holds else otherwise


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


class Ledger:
    """Claims with their measurements, readable as text and as a Markdown table."""

    HEADER = ("Where", "The paper says", "Its number", "We measured", "Verdict")

    def __init__(self, claims):
        self.claims = tuple(claims)
        self.measured = [claim.measure() for claim in self.claims]

    @property
    def changed(self):
        """The claims whose verdict is no longer the one in the ledger."""
        return [
            claim
            for claim, (_, verdict) in zip(self.claims, self.measured, strict=True)
            if verdict != claim.verdict
        ]

    def __repr__(self):
        blocks = []
        for claim, (number, verdict) in zip(self.claims, self.measured, strict=True):
            blocks.append(
                f"{claim.id}  ({claim.place})\n"
                f"  the paper says  {claim.says}\n"
                f"  its number      {claim.paper}\n"
                f"  we measured     {number}\n"
                f"  tolerance       {claim.tolerance}\n"
                f"  verdict         {verdict}"
            )
        return "\n".join(blocks)

    def _repr_markdown_(self):
        rows = [
            (claim.place, claim.says, claim.paper, number, verdict)
            for claim, (number, verdict) in zip(self.claims, self.measured, strict=True)
        ]
        lines = [self.HEADER, ("---",) * len(self.HEADER), *rows]
        escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)
