"""Descent on minibatches."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from mslbook._checks import check_int, check_loss
from mslbook.descent import Iterate, iterate
from mslbook.loss import Loss
from mslbook.optimizers import Momentum


class Minibatches:
    """A loss over data, whose gradient at each step is that of the next minibatch.

    Each epoch goes once through all inputs, in an order that `seed` and the number of the epoch
    alone decide; its last batch holds what is left.

    Parameters
    ----------
    loss : NetworkLoss
        Or any loss with ``rows``, their number, and ``subset(rows)``.
    batch, seed : int
    """

    def __init__(self, loss: Loss, batch, seed=0):
        self.loss, self.dimension, count = loss, check_loss(loss).dimension, loss.rows
        self.batch = min(check_int("batch", batch, least=1), count)
        self.seed = check_int("seed", seed)
        self.steps_per_epoch = -(-count // self.batch)

    def at_step(self, step):
        """The loss of the batch of the update that follows `step` updates."""
        if self.steps_per_epoch == 1:
            return self.loss
        epoch, position = divmod(step, self.steps_per_epoch)
        first = position * self.batch
        order = _order(self.loss.rows, self.seed, epoch)
        return self.loss.subset(order[first : first + self.batch])

    def check_last(self, theta):
        """Try the last batch of an epoch now: it may come an hour from now, and be too small."""
        try:
            self.at_step(self.steps_per_epoch - 1).value(theta)
        except ValueError as error:
            raise ValueError(
                f"the last batch of an epoch cannot be evaluated: choose another batch ({error})"
            ) from error


@lru_cache(maxsize=1)
def _order(count, seed, epoch):
    return np.random.default_rng((seed, epoch)).permutation(count)


def minibatch_sgd(
    loss: Loss, start, lr, batch=None, momentum=0.0, seed=0, first_step=0, state=None
) -> Iterator[Iterate]:
    """Yield the iterates of stochastic gradient descent without end, the start first.

    The value and the gradient of each are those of the batch of the next update.

    Parameters
    ----------
    loss, batch, seed
        As for :class:`Minibatches`; without `batch` any loss, and every gradient is its own.
    start, lr, first_step, state
        As for :func:`~mslbook.descent.iterate`.
    momentum : float
        As for :class:`~mslbook.optimizers.Momentum`.

    Examples
    --------
    >>> from itertools import islice
    >>> from mslbook import f1, minibatch_sgd
    >>> [round(float(s.theta), 4) for s in islice(minibatch_sgd(f1, 1, lr=1, momentum=0.5), 3)]
    [1.0, 0.3069, -0.3073]
    """
    optimizer = Momentum(lr, momentum)
    if batch is not None:
        loss = Minibatches(loss, batch, seed)
        loss.check_last(start)
    return iterate(loss, start, first_step=first_step, optimizer=optimizer, state=state)
