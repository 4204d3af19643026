"""The sharpness of a network while it trains, in anybody's loop."""

import warnings
from collections import deque
from glob import escape
from inspect import signature
from math import inf, nan

import numpy as np
import torch

from mslbook import distributed, integrations
from mslbook._checks import check_int
from mslbook.loss import Loss
from mslbook.losses._model import unwrapped
from mslbook.losses._state import random_numbers_kept
from mslbook.losses.network import NetworkLoss
from mslbook.optimizers import Adam, Momentum, Nesterov, RMSProp
from mslbook.probes import Sharpness, sharpness

RECENT = 10  # of the loop's own batches that a probe of minibatches is given
SLOWEST = 1e-12  # of the largest learning rate, so that P is finite where a rate is 0


class SharpnessTracker:
    """The sharpness of a network, and the edge of stability, while a torch optimizer trains it.

    Parameters
    ----------
    model, criterion
        As for :class:`~mslbook.losses.network.NetworkLoss`.
    data : tuple, iterable or None
        As for NetworkLoss, measured whole each time: of a large data set give the first rows. None
        for the batch passed to `step`.
    optimizer : torch.optim.Optimizer, optional
        SGD, RMSprop, Adam or AdamW; for others the edge is nan. An adapter sets it by itself.
    every : int
        The number of updates from one measurement to the next.
    probe : callable
        :func:`~mslbook.probes.sharpness`, :func:`~mslbook.probes.critical_sharpness` (a few values
        of the loss), :func:`~mslbook.probes.batch_sharpness` (of the batches of the data), or any
        ``probe(loss, theta)`` that returns a number or a named tuple with `value`, and takes
        ``preconditioner=``, and ``start=``, its last value, if it wants that.
    **options
        Of NetworkLoss, such as ``params="blocks.3.*"`` or ``chunk=256``.

    Notes
    -----
    Measured is P^(-1/2) (H + D) P^(-1/2) over the optimizer's parameters: P is its preconditioner,
    with the ratios of its learning rates, and D its weight decay. The training goes on as without
    it, random numbers included. Under ``torchrun`` all ranks need the same data, and call `step`.

    Examples
    --------
    >>> import torch
    >>> from mslbook import SharpnessTracker
    >>> model, criterion = torch.nn.Linear(3, 1), torch.nn.MSELoss()
    >>> x, y = torch.eye(3), torch.zeros(3, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> tracker = SharpnessTracker(model, (x, y), criterion, optimizer, every=5)
    >>> for _ in range(10):
    ...     optimizer.zero_grad()
    ...     criterion(model(x), y).backward()
    ...     optimizer.step()
    ...     row = tracker.step()
    >>> tracker.history[["step", "edge"]].tolist(), tracker.history.sharpness.round(3)
    ([(1, 20.0), (6, 20.0)], array([2.667, 2.667]))
    """

    def __init__(
        self, model, data, criterion, optimizer=None, every=100, probe=sharpness, **options
    ):
        self.model, self.criterion, self.optimizer, self.probe = model, criterion, optimizer, probe
        self.every, self.updates = check_int("every", every, least=1), 0
        self.last = None  #: the whole answer of the probe's last call
        self._data, self._options, self._recent = data, options, deque(maxlen=RECENT)
        self._rows, self._loss, self._device, self._start = [], None, None, None
        if optimizer is not None:
            _inner(optimizer)
        if data is not None:
            with random_numbers_kept(model):
                self._current_loss()  # refused before any work

    def step(self, batch=None):
        """Count an update; after the first, and then every `every`-th, measure and return a row.

        It follows ``optimizer.step()`` and that of a schedule. `batch` is the loop's own pair of
        inputs and targets. Where parameters are not finite, there is no row.
        """
        self.updates += 1
        if self._data is None and batch is not None:
            self._recent.append(tuple(batch) if isinstance(batch, list) else batch)
        if (self.updates - 1) % self.every:
            return None
        with random_numbers_kept(self.model):
            return self._measure()

    @property
    def history(self):
        """All rows, a NumPy record array: step, sharpness, edge, the distance to it, and more.

        For `sharpness` the residual, the Hessian-vector products made and whether it converged; for
        other probes the fields of their answers.
        """
        if not self._rows:
            return np.rec.fromarrays([[]] * 4, names="step,sharpness,edge,distance")
        return np.rec.fromrecords([(*row.values(),) for row in self._rows], names=[*self._rows[0]])

    def save(self, path):
        """Write the history as a table of comma-separated values."""
        header = ",".join(self.history.dtype.names)
        np.savetxt(path, self.history, "%s", ",", header=header, comments="")

    def plot(self, axes=None):
        """Draw sharpness and edge by updates, into new Matplotlib axes by default; return them."""
        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.figure().add_subplot()
        rows = self.history
        axes.plot(rows.step, rows.sharpness, ".-", label="sharpness")
        if "low" in rows.dtype.names:
            axes.fill_between(rows.step, rows.low, rows.high, alpha=0.3)
        axes.plot(rows.step, rows.edge, "--", color="black", label="edge of stability")
        both = np.concatenate([rows.sharpness, rows.edge[np.isfinite(rows.edge)]])
        if len(both) and 0 < 20 * both.min() < both.max():
            axes.set_yscale("log")
        axes.set(xlabel="updates", ylabel="sharpness")
        axes.legend()
        return axes

    def state_dict(self):
        """The history and the warm start as plain tensors, for the checkpoint of the loop."""
        rows = self.history
        columns = {name: torch.tensor(rows[name].copy()) for name in rows.dtype.names}
        return {"updates": self.updates, "history": columns, "start": self._start}

    def load_state_dict(self, state):
        """Go on from what `state_dict` returned, in which the loop's own batches are not."""
        rows = zip(*(column.tolist() for column in state["history"].values()), strict=True)
        self._rows = [dict(zip(state["history"], row, strict=True)) for row in rows]
        self.updates, self._start = state["updates"], state["start"]

    lightning = integrations.lightning_callback
    hugging_face = integrations.hugging_face_callback

    def _measure(self):
        loss, optimizer = self._current_loss(), _inner(self.optimizer)
        names = _moved(loss.parameters, optimizer)
        if not names:  # before its first update, Adam has no preconditioner
            return None
        loss = loss.block([escape(name) for name in names])
        edge, P, decay = _terms(optimizer, [*loss.parameters.values()])
        if type(optimizer) not in RULES and not self._rows:
            kind = type(optimizer).__name__
            warnings.warn(f"{kind} is not known here: its edge of stability is nan", stacklevel=3)
        pairs = self._recent if self._data is None else self._data
        loss = _Decayed(loss, decay, [pairs] if isinstance(pairs, tuple) else pairs)
        try:
            value, columns = self._probe(loss, P)
        except FloatingPointError:  # the training has diverged
            return None
        row = {"step": self.updates, "sharpness": value, "edge": edge, "distance": edge - value}
        self._rows.append(row | columns)
        return self.history[-1]

    def _current_loss(self):
        """The loss of the data, or of the loop's own batch, on the device of the model."""
        data = self._data
        if own := data is None:
            if distributed.ranks() > 1 or not self._recent:
                raise ValueError("give the tracker data, or, in a single process, step(batch)")
            data = self._recent[-1]
        if self._loss is None or self._loss.device != self._device:
            options = {"params": self._optimized()} | self._options
            self._loss = NetworkLoss(self.model, data, self.criterion, **options)
            self._device = self._loss.device
        return self._loss.with_data(data) if own else self._loss

    def _optimized(self):
        """Patterns of the parameters that the optimizer has: others need not be differentiable."""
        if self.optimizer is None:
            return "*"
        held = _groups(_inner(self.optimizer))
        named = unwrapped(self.model).named_parameters()
        names = [escape(name) for name, p in named if id(p) in held]
        return names or "*"

    def _probe(self, loss, P):
        """The value and other columns of the probe's answer, where the next one starts."""
        if not loss.theta.isfinite().all():
            raise FloatingPointError("theta is not finite")
        options, start = {} if P is None else {"preconditioner": P}, self._start
        fits = start is not None and start.shape[-1:] in ((), loss.theta.shape)
        if fits and "start" in signature(self.probe).parameters:
            options["start"] = start
        self.last = answer = self.probe(loss, loss.theta, **options)
        if isinstance(answer, Sharpness):
            self._start = answer.vectors  # with a random guard: far apart, others may overtake
            columns = {"residual": answer.residuals[0], "products": answer.hvps}
            return answer.values[0], columns | {"converged": answer.converged}
        columns = answer._asdict() if hasattr(answer, "_asdict") else {"value": float(answer)}
        value = columns.pop("value")
        if 0 < value < inf:
            self._start = torch.tensor(value, dtype=torch.float64)
        return value, columns


class _Decayed(Loss):
    """A loss with weight decay, the sum of decay * theta² / 2; iterating gives each batch's."""

    def __init__(self, loss, decay, pairs=()):
        self._loss, self._decay, self._pairs = loss, decay, pairs
        self.dimension, self.theta = loss.dimension, loss.theta

    def __iter__(self):
        return (_Decayed(self._loss.with_data(pair), self._decay) for pair in self._pairs)

    def value(self, theta):
        return self._loss.value(theta) + (self._decay * theta * theta).sum() / 2

    def grad(self, theta):
        return self._loss.grad(theta) + self._decay * theta

    def hvp(self, theta, v):
        return self.hessian(theta)(v)

    def hessian(self, theta):
        product = self._loss.hessian(theta)
        return lambda v: product(v) + self._decay * v


# --- Torch's optimizers -------------------------------------------------------------------------


def _sgd(group, state):
    """Of a parameter: the edge at learning rate 1, the learning rate, P, and the weight decay."""
    momentum = group["momentum"]
    lr = float(group["lr"]) * (1 - group["dampening"] if momentum else 1)
    rule = Nesterov if group["nesterov"] else Momentum
    return rule(1, momentum).lr_times_edge, lr, 1.0, group["weight_decay"]


def _rmsprop(group, state):
    square = state["square_avg"] - (state["grad_avg"] ** 2 if group["centered"] else 0)
    P = RMSProp(1, eps=group["eps"]).precondition({"square": square})
    edge = Momentum(1, group["momentum"]).lr_times_edge
    return edge, float(group["lr"]), P, group["weight_decay"]


def _adam(group, state):
    rule = Adam(1, *map(float, group["betas"]), group["eps"])
    square = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    P, decay = rule.precondition({"square": square, "count": state["step"]}), group["weight_decay"]
    if group["decoupled_weight_decay"]:  # outside of the momentum, by which gradients count less
        decay = decay * P * rule.lr_times_edge / 2
    return rule.lr_times_edge, float(group["lr"]), P, decay


RULES = {torch.optim.SGD: _sgd, torch.optim.RMSprop: _rmsprop}
RULES |= {torch.optim.Adam: _adam, torch.optim.AdamW: _adam}


def _inner(optimizer):
    """The torch optimizer inside of one of Lightning's or Accelerate's."""
    while type(optimizer) not in RULES and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    if optimizer is None:
        raise ValueError("the tracker has no optimizer: give it one, or set tracker.optimizer")
    if isinstance(optimizer, type) or not hasattr(optimizer, "param_groups"):
        raise TypeError(f"the optimizer must be one of torch.optim, not {optimizer!r:.60}")
    return optimizer


def _groups(optimizer):
    """The group of every parameter that the optimizer has, by its id."""
    return {id(p): group for group in optimizer.param_groups for p in group["params"]}


def _moved(parameters, optimizer):
    """The names of the parameters that the optimizer has, and moves."""
    groups = _groups(optimizer)
    held = {name: p for name, p in parameters.items() if id(p) in groups}
    if not held:
        raise ValueError("the optimizer has none of the parameters: give it those of the model")
    held = {name: p for name, p in held.items() if p.requires_grad}
    if RULES.get(type(optimizer), _sgd) is _sgd:
        return [*held]
    return [name for name, p in held.items() if optimizer.state.get(p, {}).get("step")]


def _terms(optimizer, parameters):
    """The edge, and of all parameters the preconditioner, None for 1, and the weight decay."""
    if type(optimizer) not in RULES:
        return nan, None, 0.0
    held, rule = _groups(optimizer), RULES[type(optimizer)]
    groups = [held[id(p)] for p in parameters]
    if any(group["maximize"] for group in groups):
        raise ValueError("maximize=True has no edge: descend the loss with the opposite sign")
    terms = [rule(g, optimizer.state.get(p)) for g, p in zip(groups, parameters, strict=True)]
    edges, rates, scales, decays = zip(*terms, strict=True)
    if len(set(edges)) > 1:
        raise ValueError("groups differ in momentum or betas: track each by itself, with params=")
    lr = max(rates)
    ratios = [max(rate / lr, SLOWEST) if lr else 1.0 for rate in rates]

    def flat(terms):
        pieces = zip(terms, parameters, strict=True)
        return torch.cat([torch.as_tensor(t).to(p).expand(p.shape).reshape(-1) for t, p in pieces])

    plain = rule is _sgd and min(ratios) == 1
    P = None if plain else flat(s / ratio for s, ratio in zip(scales, ratios, strict=True))
    return edges[0] / lr if lr else inf, P, flat(decays)
