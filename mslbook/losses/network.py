"""The loss of a torch model on data, as a function of one flat parameter vector."""

from copy import copy, deepcopy
from functools import partial
from itertools import chain

import torch
from torch import nn

from mslbook import distributed
from mslbook.loss import Loss
from mslbook.losses import _model
from mslbook.losses._batches import Batches, Piece, map_tensors, piece_weights, take, tensors
from mslbook.losses._conformance import (
    check_modes,
    check_network,
    check_rows,
    elsewhere,
    recomputes,
)
from mslbook.losses._criteria import FLAT, NOT_FINITE, checked_value, half_squared_error, rebound
from mslbook.losses._model import full_precision, gradient, leaf, product, slope
from mslbook.losses._state import check_caches, copied, left_alone, random_numbers_kept, watched

__all__ = ["NetworkLoss", "half_squared_error"]

ALONE = Piece(None, None, None, 1.0, distributed.Part(slice(None), 1.0, 1.0))  # no other ranks
FEW = 8  # rows of several classes, on which a loss is tried out if that is possible


class NetworkLoss(Loss):
    """The loss of a torch model over a data set, with exact derivatives.

    Parameters
    ----------
    model : torch.nn.Module
        Left unchanged by every call. Dropout is off; of a compiled or wrapped model the module
        inside is taken. What the forward pass keeps for itself has to be in its modules.
    data : tuple or iterable
        A pair ``(inputs, targets)``, or such pairs in batches, which are read on every call and
        must be the same on every pass: a list, or a DataLoader that does not shuffle. Inputs are a
        tensor, or a tuple or dictionary of tensors that share the first axis, passed on as the
        arguments or keywords that ``forward`` has.
    criterion : callable
        ``criterion(outputs, targets)``, a number; over several chunks or batches a mean over rows,
        which may weigh them (class weights, ignored targets), or a sum.
    params : str or sequence of str
        Patterns of the names in ``model.named_parameters()``, such as ``"blocks.3.*"``: the
        coordinates of theta. All others stay as they are in the model.
    chunk : int, optional
        Rows per forward pass, over all ranks; by default a batch at once. The loss does not depend
        on it, unless BatchNorm in train mode does.
    batchnorm : {"train", "eval"}
        Whether BatchNorm and InstanceNorm take the statistics of the chunk or the running ones.
    weights : sequence of float, optional
        The weight of each batch in the mean, where the criterion does not show it.

    Raises
    ------
    ValueError
        Before any work: for what torch cannot differentiate twice or differentiates wrongly, for
        random outputs, for batches that change from pass to pass. It names the layer.

    Notes
    -----
    Value, gradient and product are computed in the dtype of theta. At construction they are
    compared by differences, on a few rows. The row of a padding_idx is a coordinate like others.

    Under ``torchrun`` each rank computes its share of every chunk and has the results of all. Every
    rank must make the same calls; if one dies, the others raise ConnectionError.
    ``torch.nn.utils.vector_to_parameters`` writes theta back into the model.

    Examples
    --------
    >>> import torch
    >>> from mslbook.losses.network import NetworkLoss, half_squared_error
    >>> x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    >>> loss = NetworkLoss(torch.nn.Linear(3, 2), (x, y), half_squared_error, chunk=2)
    >>> loss.hvp(loss.theta, torch.ones(loss.dimension)).shape
    torch.Size([8])
    """

    _whole = False  # whether forward takes a tuple or dictionary as it is
    _most = FEW  # rows that a loss is tried out on
    draws = False  #: whether a forward pass draws random numbers

    def __init__(
        self, model, data, criterion, params="*", chunk=None, batchnorm="train", weights=None
    ):
        self.model, self.criterion, self.batchnorm = _model.unwrapped(model), criterion, batchnorm
        _model.check_model(self.model, batchnorm)
        self._fixed = {}  # parameters that differ from the model's
        self._select(params)
        _model.check_parameters(self.parameters.values())
        self._batches, self._weights = Batches(data, chunk, self.device), None
        self._dtype, self._changing, self._needs_graph = self.theta.dtype, (), False
        distributed.check_same("parameters and data", self.theta, *self._batches.checksums())
        splits = distributed.ranks() > 1 or not self._batches.are_whole
        fixed = [(n, p) for n, p in self.model.named_parameters() if n not in self._shapes]
        with distributed.apart(), random_numbers_kept(self.model), left_alone(fixed):
            few = self._try_out()
            if splits:
                check_rows(few)
        if weights is None:
            self._weigh()
        else:
            self._weights = self._batches.normalised(weights)

    @property
    def theta(self):
        """A copy of the current parameters, flat, in the order of ``model.parameters()``."""
        values = [self._fixed.get(name, p) for name, p in self.parameters.items()]
        return torch.cat([p.detach().reshape(-1) for p in values])

    point = theta  #: the former name of `theta`

    @property
    def parameters(self):
        """The model's parameters that theta is made of, by name."""
        return {n: p for n, p in self.model.named_parameters() if n in self._shapes}

    @property
    def rows(self):
        """How many rows of data there are."""
        return self._batches.rows

    @property
    def inputs(self):
        """The inputs, where the data are one pair."""
        return self._pair()[0]

    @property
    def targets(self):
        """The targets, where the data are one pair."""
        return self._pair()[1]

    @property
    def device(self):
        """The device of the model."""
        return next(self.model.parameters()).device

    def value(self, theta):
        """The loss at `theta`, a scalar tensor."""
        return self.values([theta])[0]

    def values(self, thetas):
        """The losses at many thetas, the model being prepared once: a list of scalar tensors."""
        if self._needs_graph:
            return [self.evaluate(leaf(one), lambda loss, _: loss.detach()) for one in thetas]
        thetas, values = iter(thetas), []
        for first in thetas:
            with torch.inference_mode(False):
                flat = leaf(first).detach()  # no gradient is asked for: no graph
            with self.modes(), self._holding(flat) as renew:
                pieces = self._weighted_pieces()
                pieces = list(pieces) if self._batches.pair else None
                for theta in chain([first], thetas):
                    flat.copy_(torch.as_tensor(theta).detach().reshape(flat.shape))
                    terms = self._terms(flat, renew, pieces or self._weighted_pieces())
                    values.append(distributed.total(sum(term.detach() for term in terms)))
        return values

    def value_and_grad(self, theta):
        """The loss and its gradient at `theta`, from one forward pass."""
        with self.modes():
            both = self._each(leaf(theta), lambda loss, x: (loss.detach(), gradient(loss, x)))
            value, grad = (sum(terms) for terms in zip(*both, strict=True))
            return distributed.total(value), distributed.total(grad)

    def hvp(self, theta, v):
        """The Hessian-vector product H(theta) v, of shape (dimension,)."""
        return self.evaluate(leaf(theta), lambda loss, x: product(slope(loss, x), x, v))

    def evaluate(self, theta, compute):
        """The sum of ``compute(loss, theta)`` over all pieces, each while the model holds theta."""
        with self.modes():
            return distributed.total(sum(self._each(theta, compute)))

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v``; a single chunk's graph is kept."""
        if self._batches.count_chunks() == 1:
            return self.value_grad_and_hessian(theta)[2]
        return partial(self.hvp, leaf(theta))  # the caller's may change before the last product

    def value_grad_and_hessian(self, theta):
        """The loss, its gradient and `hessian` at `theta`, of a single chunk from one graph."""
        if self._batches.count_chunks() > 1:
            return *self.value_and_grad(theta), self.hessian(theta)
        with self.modes():
            ((piece, weight),), theta = self._weighted_pieces(), leaf(theta)

            def with_slope():
                value = self._weighted(theta, piece, weight)
                return value.detach(), slope(value, theta)

            value, grad = self._at(theta, piece, with_slope)

        def apply_to(v):
            run = partial(product, grad, theta, v, retain_graph=True)
            if not self._recomputes:
                with full_precision(self.device), torch.inference_mode(False), torch.enable_grad():
                    return distributed.total(run())
            with self.modes():
                return distributed.total(self._at(theta, piece, run))

        return distributed.total(value), distributed.total(grad.detach()), apply_to

    def outputs(self, theta, inputs=None):
        """The model's outputs at `theta` for all inputs, or for others like them.

        What has no row for each input, such as the state of an LSTM, is None if they come in parts.
        """
        batches = self._batches if inputs is None else self._batches.with_pair((inputs, None))
        with self.modes():
            theta, pieces = leaf(theta), list(batches.pieces())
            outputs = [self._forward(theta, piece.inputs, piece) for piece in pieces]
            outputs = [map_tensors(torch.Tensor.detach, one) for one in outputs]
        if len(pieces) == distributed.ranks() == 1:
            return outputs[0]
        leaves = zip(*map(tensors, outputs), strict=True)
        whole = iter([distributed.gather(pieces, leaf, batches.rows) for leaf in leaves])
        return map_tensors(lambda _: next(whole), outputs[0])

    def subset(self, rows):
        """The mean loss over some of the inputs, by a slice or a sequence of rows."""
        if not isinstance(rows, slice):  # on the CPU, since CUDA would not survive a row too many
            rows = torch.arange(self.rows)[torch.as_tensor(rows).cpu()].reshape(-1)
        return self.with_data(take(self._pair(), rows))

    def with_data(self, pair):
        """The same loss on another pair of inputs and targets like these, without checks."""
        other = copy(self)
        other._batches = self._batches.with_pair(pair)
        if not other.rows:
            raise ValueError("a subset needs at least one input")
        if self._weights is not None:
            other._weigh()
        return other

    def few(self):
        """The loss of a few rows, of several classes; its criterion may ignore the others."""
        few = copy(self)
        few._weights, call, error = None, partial(self._criterion, leaf(self.theta)), NOT_FINITE
        for few._batches, targets in self._batches.samples(self._most):
            outputs, (_, some) = few.outputs(self.theta), few._pair()
            value = checked_value(self.criterion, call, outputs, some, targets)
            if value.isfinite():
                if value.requires_grad or not any(map(torch.is_floating_point, tensors(outputs))):
                    return few
                error = FLAT  # or of these rows alone
        raise ValueError(error)

    def layers(self):
        """Every layer that the model calls as a `LayerLoss`, by its name in the model."""
        from mslbook.losses._layers import layers_of  # which are losses of this kind

        return layers_of(self)

    def block(self, params, theta=None):
        """The loss as a function of some parameters, the others fixed at `theta`.

        Its Hessian is that block of the whole one, and its own `theta` that part of `theta`, by
        default the model's.
        """
        block = copy(self)
        theta = self.theta if theta is None else leaf(theta).detach()
        block._fixed = self._fixed | dict(self._pieces(theta))
        block._select(params)
        return block

    def to(self, device=None, dtype=None):
        """The same loss with a copy of its model on another device or in another dtype."""

        def moved(tensor):
            return tensor.to(device, dtype if tensor.dtype == self._dtype else None)

        loss, memo = copy(self), {}
        loss.model = copied(self.model, memo).to(device=device, dtype=dtype)
        if isinstance(self.criterion, nn.Module):
            loss.criterion = deepcopy(self.criterion, memo).to(device)
        else:
            loss.criterion = rebound(self.criterion, moved, memo)
        loss._fixed = {name: moved(fixed) for name, fixed in self._fixed.items()}
        loss._select(self._patterns)
        loss._batches = self._batches.to(loss.device)
        if self._batches.pair:
            loss._batches = loss._batches.with_pair(map_tensors(moved, self._batches.pair))
        return loss

    def calibrated(self, theta):
        """The loss of a copy of the model with fixed BatchNorm statistics, those at `theta`.

        They are averaged over the chunks. ``loss.calibrated(theta).outputs(theta, inputs)`` tests
        the network on new inputs.
        """
        if not theta.isfinite().all():
            raise ValueError("theta holds nan or infinite numbers, where BatchNorm has none")
        frozen = copy(self)
        frozen.model, frozen.batchnorm = copied(self.model, {}).eval(), "eval"
        frozen._select(self._patterns)
        nn.utils.vector_to_parameters(theta, frozen.parameters.values())
        with torch.no_grad(), full_precision(self.device):
            for piece in _model.averaging_statistics(frozen.model, self._batches.pieces()):
                with piece.part.statistics():
                    frozen._call(theta, piece.inputs)
        return frozen

    def __repr__(self):
        return (
            f"NetworkLoss({type(self.model).__name__}, {self.dimension} parameters, "
            f"{self.rows} rows, chunk={self._batches.chunk}, batchnorm={self.batchnorm!r})"
        )

    def modes(self):
        """Context in which the model is one differentiable function, and its flags are kept."""
        return _model.as_function(self.model, self.batchnorm, self.draws)

    def _select(self, params):
        """Make the parameters whose names fit one of the patterns the coordinates of theta."""
        self._patterns = (params,) if isinstance(params, str) else tuple(params or ())
        found = _model.chosen(self.model, self._patterns)
        self._shapes = {name: p.shape for name, p in found.items()}
        self._sizes = [p.numel() for p in found.values()]
        self.dimension = sum(self._sizes)

    def _pair(self):
        if pair := self._batches.pair:
            return pair
        raise TypeError("these data come in batches: this needs one pair (inputs, targets)")

    def _pieces(self, theta):
        """The name of every parameter and its part of theta."""
        if theta.shape != (self.dimension,):
            wanted, found = (self.dimension,), tuple(theta.shape)
            raise ValueError(f"theta must have the shape {wanted} of loss.theta, not {found}")
        pieces = zip(self._shapes.items(), theta.split(self._sizes), strict=True)
        return ((name, piece.view(shape)) for (name, shape), piece in pieces)

    def _holding(self, theta):
        """Context in which the model holds theta; it yields a function that begins a pass."""
        pieces, tensors = dict(self._pieces(theta)), {}
        for name, p in self.model.named_parameters():
            fixed = None if name in pieces else self._fixed.get(name, p).detach()
            tensors[id(p)] = pieces[name] if fixed is None else self._as_theta(theta, fixed)
        convert = partial(self._as_theta, theta)
        modules = self._modules()
        changing = [modules[k] for k in self._changing]
        return _model.holding(modules, tensors, convert, changing)

    def _modules(self):
        own = self.criterion.modules() if isinstance(self.criterion, nn.Module) else ()
        return [*self.model.modules(), *own]

    def _as_theta(self, theta, tensor, copy=False):
        """A tensor of the model's dtype in that of theta."""
        dtype = theta.dtype if tensor.dtype == self._dtype else tensor.dtype
        return tensor.to(dtype, copy=copy or tensor.is_inference())

    def _weighted_pieces(self):
        """Yield every `Piece` with its weight in the loss."""
        for number, piece in enumerate(self._batches.pieces()):
            yield piece, piece.share if self._weights is None else self._weights[number]

    def _each(self, theta, compute):
        """Yield ``compute(loss, theta)`` of the weighted loss of every piece at theta."""
        with self._holding(theta) as renew:
            for loss in self._terms(theta, renew, self._weighted_pieces()):
                yield compute(loss, theta)

    def _terms(self, theta, renew, pieces):
        """Yield the weighted loss of every piece, each with the model as it was before."""
        for piece, weight in pieces:
            renew()
            with piece.part.statistics():
                yield self._weighted(theta, piece, weight)

    def _at(self, theta, piece, run):
        """``run()`` with theta in the model, until all backward passes in it are done, too."""
        with self._holding(theta) as renew, piece.part.statistics():
            renew()
            return run()

    def _weighted(self, theta, piece, weight):
        """The weighted loss of a piece, whose tensors are copied until nothing wrote to them."""
        seen = piece.rows.start in self._batches.unwritten
        own = partial(self._as_theta, theta, copy=not seen)
        inputs, targets = map_tensors(own, (piece.inputs, piece.targets))
        found = [] if seen else tensors((inputs, targets))
        versions = [tensor._version for tensor in found]
        outputs = _model.apply(self.model, inputs, self._whole)
        if weight:
            criterion = self.criterion
            if theta.dtype != self._dtype:
                criterion = rebound(criterion, own)
            loss = weight * criterion(outputs, targets)
        else:  # other ranks wait for its part in their sums
            floats = (x for x in tensors(outputs) if x.is_floating_point())
            loss = 0.0 * sum(x.sum() for x in floats)
        if versions == [tensor._version for tensor in found]:
            self._batches.unwritten.add(piece.rows.start)
        return loss

    def _call(self, theta, inputs):
        own = partial(self._as_theta, theta, copy=True)
        return _model.apply(self.model, map_tensors(own, inputs), self._whole)

    def _forward(self, theta, inputs, piece=ALONE):
        return self._at(theta, piece, lambda: self._call(theta, inputs))

    def _criterion(self, theta, *pair):
        return self._at(theta, ALONE, lambda: self.criterion(*pair))

    def _weigh(self):
        """Find out how much each piece weighs in the criterion of all data."""
        self._weights = None
        if self._batches.count_chunks() * distributed.ranks() == 1:
            return
        with self.modes():
            theta = leaf(elsewhere(self.theta))
            parts = partial(self._forward, theta), partial(self._criterion, theta)
            self._weights = piece_weights(self._batches, *parts)

    def _try_out(self):
        """Refuse what cannot be differentiated, before any work; returns the loss of a few rows."""
        before = _model.random_state(self.device)
        few, changing = watched(self._modules(), self._few_somehow)
        draws = not torch.equal(before, _model.random_state(self.device))
        there = leaf(elsewhere(self.theta))
        check_caches(self.model, lambda: few.outputs(there))
        self._changing = few._changing = changing
        self._recomputes = few._recomputes = recomputes(few)
        try:
            few.value(few.theta)
        except RuntimeError:  # the model differentiates by its parameters in its forward pass
            self._needs_graph = few._needs_graph = True
        check_network(few)
        if self.batchnorm == "train" and self.model.training:  # as the loop has it
            check_modes(few, there)
        self.draws = draws
        return few

    def _few_somehow(self):
        """A few rows, or a chunk if the model takes no fewer; inputs taken apart if possible."""
        errors = []
        for self._most, self._whole in ((FEW, False), (FEW, True), (None, False), (None, True)):
            try:
                return self.few()
            except Exception as error:  # noqa: BLE001  (whatever keeps the model from it)
                errors.append(error)
        raise _model.of_a_chunk(errors[0]) if self._batches.chunk else errors[0]
