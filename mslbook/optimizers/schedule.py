"""Schedules of the learning rate."""

import operator
from bisect import bisect_right

from mslbook._checks import check_lr


class decays:  # lower case, because it reads as a function
    """A piecewise constant learning rate.

    Parameters
    ----------
    rates : dict of int to float
        The learning rates by the step at which each begins, the first one at step 0.

    Examples
    --------
    >>> from mslbook import decays
    >>> schedule = decays({0: 2.5, 650: 0.25})
    >>> schedule(649), schedule(650)
    (2.5, 0.25)
    """

    def __init__(self, rates):
        try:
            self._steps = sorted(map(operator.index, rates))
        except TypeError:
            self._steps = []
        if not self._steps or self._steps[0] != 0:
            told = "a schedule gives the learning rate by whole steps from 0 on"
            raise ValueError(f"{told}, such as decays({{0: 2.5, 650: 0.25}}), not {rates!r}")
        self._rates = [check_lr(rates[step], step) for step in self._steps]

    def __call__(self, step):
        """The learning rate of the update from iterate `step` to the next."""
        return self._rates[bisect_right(self._steps, step) - 1]

    def __repr__(self):
        return f"decays({dict(zip(self._steps, self._rates, strict=True))})"
