"""Measuring the same on each of the three networks of figure 3.1."""

from mslbook.claims.claim import SIGNS, weakest
from mslbook.experiments.descent_lines import recordings


def of_each(measure):
    """What `measure` says of each, with the sign of its verdict; and the weakest verdict."""
    numbers, verdicts = [], []
    for network, run in recordings().items():
        number, verdict = measure(run)
        numbers.append(f"{network} {SIGNS[verdict]} {number}")
        verdicts.append(verdict)
    return "; ".join(numbers), weakest(verdicts)
