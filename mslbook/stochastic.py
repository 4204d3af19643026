"""Descent on minibatches."""

from functools import lru_cache

import numpy as np

from mslbook._checks import check_int, check_loss
from mslbook.loss import Loss


class Minibatches:
    """A loss over data, whose gradient at each step is that of the next minibatch.

    Each epoch goes once through all inputs, in an order that `seed` and the number of the epoch
    alone decide; its last batch holds what is left.

    Parameters
    ----------
    loss : NetworkLoss
        Or any loss with ``rows``, their number, and ``subset(rows)``.
    batch, seed : int

    Examples
    --------
    >>> from mslbook import Minibatches, Momentum, NetworkLoss, fully_connected, iterate
    >>> from torch import nn, tensor
    >>> inputs, targets = tensor([[0.0], [1.0], [2.0]]), tensor([0, 1, 1])
    >>> loss = NetworkLoss(fully_connected([1, 2]), (inputs, targets), nn.CrossEntropyLoss())
    >>> steps = iterate(Minibatches(loss, batch=2), loss.theta, optimizer=Momentum(lr=0.1))
    >>> next(steps).theta.shape
    torch.Size([4])
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
