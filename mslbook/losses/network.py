"""The loss of a torch model on data, as a function of one flat parameter vector."""

from contextlib import contextmanager
from copy import copy, deepcopy

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase  # every kind of BatchNorm and InstanceNorm

from mslbook import distributed
from mslbook.checks import whole


def half_squared_error(outputs, targets):
    """Half the squared distance to the one-hot target, summed over classes, mean over pictures.

    `outputs` has shape (N, classes); `targets` holds N integer classes, or one-hot rows of the
    same shape as `outputs`. Returns a scalar tensor. Raises ``ValueError`` for other shapes.

    >>> import torch
    >>> half_squared_error(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    tensor(0.2500)
    """
    if not targets.is_floating_point():
        targets = nn.functional.one_hot(targets.long(), outputs.shape[1]).to(outputs.dtype)
    if targets.shape != outputs.shape:  # which torch might broadcast
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit one-hot targets of shape "
            f"{tuple(targets.shape)}: give a target for each picture"
        )
    return (outputs - targets).square().sum(dim=1).mean() / 2


class NetworkLoss:
    """The mean loss of a torch model over all its inputs, with exact derivatives.

    Where ``torchrun`` has started several ranks, each computes its share of every chunk, and all
    get the same answers, those of one rank to rounding. Every rank makes the same calls; a rank
    that dies ends them with a ``ConnectionError`` in the others.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it was found by every call: parameters, buffers and train/eval flags, also after
        an exception. Dropout is switched off, since a loss must be one function. Frozen
        parameters are coordinates like the others.
    inputs, targets : tensors
        N pictures and their N targets, on the model's device and, if floating, in its dtype.
    criterion : callable
        ``criterion(outputs, targets)``, a mean over the pictures it is given.
    chunk : int, optional
        Pictures per forward pass, of all ranks together; ``None`` takes all at once. Every chunk
        counts by its size, an uneven last one included, so the answer does not depend on it
        (unless a BatchNorm layer in train mode makes the loss itself depend on the chunk).
    batchnorm : {"train", "eval"}
        Normalise by the statistics of the chunk, as full-batch gradient descent with
        ``chunk=None`` does, or by the running statistics stored in the model. InstanceNorm
        layers follow the same word.

    Attributes
    ----------
    dimension : how many parameters there are, the length of ``point``.

    Raises ``ValueError`` or ``TypeError`` when the model's output does not fit the targets, the
    criterion is not a mean, or devices or dtypes differ: all before any work starts. To write a
    point back into the model: ``torch.nn.utils.vector_to_parameters(theta, model.parameters())``.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Linear(3, 2)
    >>> x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    >>> loss = NetworkLoss(model, x, y, half_squared_error, chunk=2)
    >>> theta = loss.point
    >>> theta.shape, loss.value(theta).shape
    (torch.Size([8]), torch.Size([]))
    >>> v = torch.ones(8)
    >>> torch.allclose(loss.hvp(theta, v), loss.grad(theta + v) - loss.grad(theta), atol=1e-5)
    True
    """

    def __init__(self, model, inputs, targets, criterion, chunk=None, batchnorm="train"):
        _check_types(model, inputs, targets, criterion)
        self.model, self.inputs, self.targets, self.criterion = model, inputs, targets, criterion
        self._parameters = dict(model.named_parameters())
        self._sizes = [p.numel() for p in self._parameters.values()]
        self.dimension = sum(self._sizes)
        self.chunk = len(inputs) if chunk is None else chunk
        self.batchnorm = batchnorm
        _check_arguments(self)
        _check_fit(self)
        distributed.check_same("parameters and pictures", self.point, inputs, targets)

    @property
    def point(self):
        """The current parameters as one flat vector, in the order of ``model.parameters()``.

        A copy, of shape (dimension,).
        """
        return torch.cat([p.detach().reshape(-1) for p in self._parameters.values()])

    @property
    def device(self):
        """Where the model and its inputs are."""
        return self.inputs.device

    def value(self, theta):
        """The mean loss at `theta`, a scalar tensor."""
        self._check_vector("theta", theta)
        with self._modes(), torch.no_grad():
            return distributed.total(sum(self._loss(theta, part) for part in self._parts()))

    def grad(self, theta):
        """The gradient at `theta`, of shape (dimension,)."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta):
        """The mean loss and its gradient at `theta`, from one forward pass."""
        self._check_vector("theta", theta)
        theta = theta.detach().requires_grad_()
        value, grad = 0.0, 0.0
        with self._modes():
            for part in self._parts():
                loss = self._loss(theta, part)
                (slope,) = torch.autograd.grad(loss, theta)
                value, grad = value + loss.detach(), grad + slope
        return distributed.total(value), distributed.total(grad)

    def hvp(self, theta, v):
        """The Hessian-vector product H(theta) v, of shape (dimension,)."""
        self._check_vector("v", v)
        self._check_vector("theta", theta)
        theta = theta.detach().requires_grad_()
        image = 0.0
        with self._modes():
            for part in self._parts():
                image = image + _product(self._slope(theta, part), theta, v)
        return distributed.total(image)

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v`` for many products at one point.

        With a single chunk the gradient's graph is built once and kept, which saves about half
        the time of every further product; with several, memory stays that of one chunk.
        """
        self._check_vector("theta", theta)
        theta = theta.detach().clone()  # the caller's may change before the last product
        if self.chunk < len(self.inputs):
            return lambda v: self.hvp(theta, v)
        theta.requires_grad_()
        with self._modes():
            (part,) = self._parts()
            slope = self._slope(theta, part)

        def product(v):
            self._check_vector("v", v)
            return distributed.total(_product(slope, theta, v, retain_graph=True))

        return product

    def outputs(self, theta, inputs=None):
        """The model's outputs at `theta` for all pictures (or for `inputs`), without a graph."""
        self._check_vector("theta", theta)
        inputs = self.inputs if inputs is None else inputs
        self._check_like_inputs(inputs)
        with self._modes(), torch.no_grad():
            pieces = []
            for part in distributed.parts(len(inputs), self.chunk):
                with part.statistics():
                    pieces.append((part, self._forward(theta, inputs[part.rows])))
            return distributed.gather(pieces, len(inputs))

    def subset(self, rows):
        """The mean loss over the inputs `rows` alone (indices or a slice), of the same model.

        Raises ``ValueError`` for rows that are not there, or none.

        >>> x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
        >>> loss = NetworkLoss(torch.nn.Linear(3, 2), x, y, half_squared_error)
        >>> len(loss.subset([0, 4]).inputs)
        2
        """
        rows = rows if isinstance(rows, slice) else self._rows(rows)
        part = copy(self)  # what fits all inputs fits some: nothing to check again
        part.inputs, part.targets = self.inputs[rows], self.targets[rows]
        if not len(part.inputs):
            raise ValueError("a subset needs at least one input")
        part.chunk = min(self.chunk, len(part.inputs))
        return part

    def to(self, device=None, dtype=None):
        """The same loss with a copy of its model on another device or in another precision.

        >>> x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
        >>> loss = NetworkLoss(torch.nn.Linear(3, 2), x, y, half_squared_error)
        >>> loss.to(dtype=torch.float64).point.dtype
        torch.float64
        """
        model = deepcopy(self.model).to(device=device, dtype=dtype)
        inputs, targets = (
            tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
            for tensor in (self.inputs, self.targets)
        )
        return NetworkLoss(model, inputs, targets, self.criterion, self.chunk, self.batchnorm)

    def calibrated(self, theta):
        """The loss of a copy of the model whose BatchNorm is frozen at its statistics at `theta`.

        They are those of all inputs, taken in one forward pass over them, or averaged over the
        chunks if there are several. This is the network to test on pictures that it has not seen:
        ``loss.calibrated(theta).outputs(theta, test_inputs)``.

        >>> x, y = torch.randn(50, 3), torch.arange(50) % 2
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
        >>> loss = NetworkLoss(model, x, y, half_squared_error)
        >>> frozen = loss.calibrated(loss.point)
        >>> torch.allclose(frozen.outputs(loss.point), loss.outputs(loss.point), atol=0.1)
        True
        """
        self._check_vector("theta", theta)
        if not theta.isfinite().all():
            raise ValueError("theta holds nan or infinite numbers, where BatchNorm has none")
        model = deepcopy(self.model).eval()
        nn.utils.vector_to_parameters(theta, model.parameters())
        for module in model.modules():
            if isinstance(module, _NormBase) and module.track_running_stats:
                module.reset_running_stats()
                module.momentum = None  # a plain mean over the chunks
                module.train()
        with torch.no_grad(), full_precision(self.device):
            for part in self._parts():
                with part.statistics():
                    model(self.inputs[part.rows])
        frozen = copy(self)
        frozen.model, frozen.batchnorm = model.eval(), "eval"
        frozen._parameters = dict(model.named_parameters())
        return frozen

    def __repr__(self):
        return (
            f"NetworkLoss({type(self.model).__name__}, {self.dimension} parameters, "
            f"{len(self.inputs)} inputs, chunk={self.chunk}, batchnorm={self.batchnorm!r})"
        )

    def _forward(self, theta, inputs):
        pieces = theta.split(self._sizes)
        state = {
            name: piece.view(p.shape)
            for (name, p), piece in zip(self._parameters.items(), pieces, strict=True)
        }
        # BatchNorm in train mode writes to its running statistics: hand it copies to write to.
        state |= {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        return functional_call(self.model, state, (inputs,))

    def _loss(self, theta, part):
        """What a part adds to the mean loss."""
        with part.statistics():
            outputs = self._forward(theta, self.inputs[part.rows])
        return part.weight * self.criterion(outputs, self.targets[part.rows])

    def _slope(self, theta, part):
        """The gradient with its graph, to be differentiated once more."""
        return torch.autograd.grad(self._loss(theta, part), theta, create_graph=True)[0]

    def _parts(self):
        return distributed.parts(len(self.inputs), self.chunk)

    @contextmanager
    def _modes(self):
        """BatchNorm in the mode asked for, everything else in eval mode, for the while."""
        flags = [(module, module.training) for module in self.model.modules()]
        try:
            for module, _ in flags:
                module.training = isinstance(module, _NormBase) and self.batchnorm == "train"
            with torch.enable_grad(), full_precision(self.device):
                yield  # whatever the caller has switched
        finally:
            for module, flag in flags:
                module.training = flag

    def _rows(self, rows):
        """A list of rows as a tensor; ValueError unless it is one."""
        try:
            index = torch.as_tensor(rows)
            index = index if index.numel() else index.long()
            torch.arange(len(self.inputs))[index.cpu()]  # CUDA would not survive a row too many
        except (IndexError, RuntimeError, TypeError, ValueError):
            index = None
        if index is None or index.ndim != 1:
            raise ValueError(
                "the rows of a subset must be a slice, or a list of whole numbers from 0 to "
                f"{len(self.inputs) - 1}, not {repr(rows)[:60]}"
            )
        return index

    def _check_like_inputs(self, inputs):
        like, what = self.inputs, type(inputs).__name__
        if fits := isinstance(inputs, torch.Tensor):
            what = f"{inputs.dtype} of shape {tuple(inputs.shape)} on {inputs.device}"
            fits = inputs.ndim == like.ndim and inputs.shape[1:] == like.shape[1:] and len(inputs)
            fits = fits and (inputs.dtype, inputs.device) == (like.dtype, like.device)
        if not fits:
            raise ValueError(
                f"the inputs must be {like.dtype} of shape {('N', *like.shape[1:])} on "
                f"{like.device}, with N at least 1, not {what}"
            )

    def _check_vector(self, name, vector):
        like = next(iter(self._parameters.values()))
        if not isinstance(vector, torch.Tensor):
            raise TypeError(f"{name} must be a torch tensor like loss.point, not {type(vector)}")
        if vector.shape != (self.dimension,):
            raise ValueError(
                f"{name} has shape {tuple(vector.shape)}, but this model has "
                f"{self.dimension} parameters: pass a flat vector like loss.point"
            )
        if vector.dtype != like.dtype or vector.device != like.device:
            raise ValueError(
                f"{name} is {vector.dtype} on {vector.device}, the model {like.dtype} on "
                f"{like.device}: convert one with .to(...)"
            )


# What may round float32 to fewer digits: convolutions on CUDA do, unless told otherwise, and
# matrix products where the caller asked for it.
_ROUNDING = (
    *(torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul),
    *(torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn, torch.backends.mkldnn.matmul),
)


@contextmanager
def full_precision(device):
    """No autocast on this device, and no TF32 or bfloat16 in place of float32, for the while."""
    before = [operation.fp32_precision for operation in _ROUNDING]
    try:
        for operation in _ROUNDING:
            operation.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for operation, precision in zip(_ROUNDING, before, strict=True):
            operation.fp32_precision = precision


@torch.enable_grad()
def _product(slope, theta, v, retain_graph=False):
    """The derivative of `slope` along `v`; zero where the loss is linear in `theta`."""
    if not slope.requires_grad:
        return torch.zeros_like(v)
    with full_precision(v.device):
        # Handing v to autograd.grad would be the same, but makes torch import sympy first.
        return torch.autograd.grad(slope @ v.detach(), theta, retain_graph=retain_graph)[0]


def _check_types(model, inputs, targets, criterion):
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, not {type(model).__name__}")
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(
                f"{name} must be a torch tensor, not {type(tensor).__name__}: "
                "convert them with torch.as_tensor(...)"
            )
    if not callable(criterion):
        raise TypeError("the criterion must be a function of outputs and targets")


def _check_arguments(loss):
    """Everything that can be refused without a forward pass."""
    inputs, targets = loss.inputs, loss.targets
    if not loss.dimension:
        raise ValueError("the model has no parameters: there is nothing to differentiate")
    like = next(iter(loss._parameters.values()))
    if not like.is_floating_point() or any(
        (p.dtype, p.device) != (like.dtype, like.device) for p in loss._parameters.values()
    ):
        raise ValueError("the model's parameters must share one floating dtype and one device")
    if 0 in (inputs.ndim, targets.ndim, len(inputs)) or len(inputs) != len(targets):
        raise ValueError(
            f"inputs of shape {tuple(inputs.shape)} do not go with targets of shape "
            f"{tuple(targets.shape)}: pass one target for each of at least one input"
        )
    if loss.batchnorm not in ("train", "eval"):
        raise ValueError(f"batchnorm must be 'train' or 'eval', not {loss.batchnorm!r}")
    whole("chunk", loss.chunk, least=1)
    ranks = distributed.ranks()
    if min(loss.chunk, len(inputs)) < ranks:
        raise ValueError(
            f"{ranks} ranks cannot share {min(loss.chunk, len(inputs))} pictures: start fewer, or "
            "choose a larger chunk"
        )
    if ranks > 1 and any(isinstance(m, nn.SyncBatchNorm) for m in loss.model.modules()):
        raise ValueError(
            "SyncBatchNorm cannot be differentiated twice: keep BatchNorm, which sees the pictures "
            "of all ranks here"
        )
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if tensor.device != like.device:
            raise ValueError(
                f"the model is on {like.device}, its {name} on {tensor.device}: "
                "move one with .to(...)"
            )
        if tensor.is_floating_point() and tensor.dtype != like.dtype:
            raise ValueError(
                f"the model is {like.dtype}, its {name} {tensor.dtype}: convert one with .to(...)"
            )
        if not tensor.isfinite().all():
            raise ValueError(f"the {name} hold nan or infinite numbers: leave those rows out")


def _check_fit(loss):
    """Try a few rows: outputs must fit the targets, and the criterion must be their mean."""
    n = len(loss.inputs)
    few = torch.linspace(0, n - 1, min(n, 8), dtype=torch.float64).long()  # of several classes
    inputs, targets = loss.inputs[few], loss.targets[few]
    with loss._modes(), torch.no_grad():
        with _explained(f"the model cannot take inputs of shape {tuple(inputs.shape)}"):
            outputs, again = (loss._forward(loss.point, inputs) for _ in range(2))
        if (n - 1) % loss.chunk == 0:
            with _explained("the last chunk is one picture, too few here: choose another chunk"):
                loss._forward(loss.point, loss.inputs[-1:])
    if not isinstance(outputs, torch.Tensor) or outputs.shape[:1] != inputs.shape[:1]:
        raise ValueError("the model must return one tensor with a row of outputs for each input")
    if not outputs.isfinite().all():
        raise ValueError(
            "the model's outputs are not finite: check its inputs and parameters for nan and inf"
        )
    rounding = 1e-3 * float(outputs.abs().max())
    if not torch.allclose(outputs, again, atol=rounding, equal_nan=True):
        raise ValueError(
            "the model answers the same inputs differently each time: switch off what is random "
            "in it, such as dropout that ignores model.eval()"
        )
    if targets.is_floating_point():
        if outputs.shape != targets.shape:
            raise ValueError(
                f"outputs of shape (N, {', '.join(map(str, outputs.shape[1:]))}) do not fit "
                f"targets of shape {tuple(loss.targets.shape)}: give both the same shape"
            )
    elif outputs.ndim < 2 or targets.shape != outputs.shape[:1] + outputs.shape[2:]:
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit integer targets of shape "
            f"{tuple(targets.shape)}: outputs need one column per class, targets one class per row"
        )
    elif int(loss.targets.max()) >= outputs.shape[1] or int(loss.targets.min()) < 0:
        raise ValueError(
            f"the targets name classes {int(loss.targets.min())} to {int(loss.targets.max())}, "
            f"but the model has {outputs.shape[1]} outputs: widen its last layer or relabel"
        )
    with _explained(f"the criterion cannot take these outputs and {targets.dtype} targets"):
        whole = loss.criterion(outputs, targets)
        single = [loss.criterion(outputs[i, None], targets[i, None]) for i in range(len(few))]
    if not isinstance(whole, torch.Tensor) or whole.ndim != 0:
        raise ValueError("the criterion must return one number, the mean over the pictures")
    rtol = max(1e-3, 8 * torch.finfo(whole.dtype).eps)
    if not torch.allclose(whole, torch.stack(single).mean(), rtol=rtol, equal_nan=True):
        raise ValueError(
            "the criterion is not a plain mean over the pictures (a sum, or classes that weigh "
            "differently): pass one that is, such as half_squared_error or CrossEntropyLoss()"
        )


@contextmanager
def _explained(what):
    """Put torch's own words behind ours, as one clear sentence."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{what} ({str(error).splitlines()[0]})") from error
