"""Schedules of the learning rate."""

import operator
from bisect import bisect_right

from mslbook._checks import check_int, check_lr


class decays:  # lower case, because it reads as a function
    """A piecewise constant learning rate.

    Parameters
    ----------
    rates : dict of int to float
        The learning rates by the step at which each begins, the first one at step 0.
    epoch : int
        The number of updates in an epoch, where `rates` counts in epochs.

    Examples
    --------
    >>> from mslbook import decays
    >>> schedule = decays({0: 2.5, 650: 0.25})
    >>> schedule(649), schedule(650)
    (2.5, 0.25)
    """

    def __init__(self, rates, epoch=1):
        epoch = check_int("epoch", epoch, least=1)
        try:
            steps = sorted(map(operator.index, rates))
        except TypeError:
            steps = []
        if not steps or steps[0] != 0:
            raise ValueError(
                "a schedule gives the learning rate by whole steps from 0 on, such as "
                f"decays({{0: 2.5, 650: 0.25}}), not {rates!r}"
            )
        self._steps = [epoch * step for step in steps]
        self._rates = [check_lr(rates[step], epoch * step) for step in steps]

    def __call__(self, step):
        """The learning rate of the update from iterate `step` to the next."""
        return self._rates[bisect_right(self._steps, step) - 1]

    def __repr__(self):
        return f"decays({dict(zip(self._steps, self._rates, strict=True))})"
