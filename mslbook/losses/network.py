"""The loss of a torch model on data, as a function of one flat parameter vector."""

from contextlib import ExitStack, contextmanager
from copy import copy, deepcopy

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase  # every kind of BatchNorm and InstanceNorm

from mslbook import distributed
from mslbook._checks import check_int
from mslbook.loss import Loss


def half_squared_error(outputs, targets):
    """Half the squared distance to the one-hot target, summed over classes, mean over rows.

    Parameters
    ----------
    outputs : Tensor, shape (N, classes)
    targets : Tensor, shape (N,) or (N, classes)
        Integer classes, or rows of numbers.
    """
    if not targets.is_floating_point():
        targets = nn.functional.one_hot(targets.long(), outputs.shape[1]).to(outputs.dtype)
    if targets.shape != outputs.shape:  # which torch might broadcast
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit one-hot targets of shape "
            f"{tuple(targets.shape)}: give a target for each row"
        )
    return (outputs - targets).square().sum(dim=1).mean() / 2


class NetworkLoss(Loss):
    """The mean loss of a torch model over a data set, with exact derivatives.

    Parameters
    ----------
    model : torch.nn.Module
        Left unchanged by every call. Dropout is off; frozen parameters are coordinates too.
    inputs, targets : Tensor, shape (N, ...)
        On the model's device and, if floating, in its dtype.
    criterion : callable
        ``criterion(outputs, targets)``, a mean over the rows it is given.
    chunk : int, optional
        Rows per forward pass, over all ranks; by default all. The loss does not depend on it,
        unless BatchNorm in train mode does.
    batchnorm : {"train", "eval"}
        Whether BatchNorm and InstanceNorm normalise by the statistics of the chunk or by the
        running ones.

    Notes
    -----
    Under ``torchrun`` each rank computes its share of every chunk and has the results of all. Every
    rank must make the same calls; if one dies, the others raise ConnectionError.
    ``torch.nn.utils.vector_to_parameters`` writes theta back into the model.

    Examples
    --------
    >>> import torch
    >>> from mslbook.losses.network import NetworkLoss, half_squared_error
    >>> x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    >>> loss = NetworkLoss(torch.nn.Linear(3, 2), x, y, half_squared_error, chunk=2)
    >>> loss.hvp(loss.theta, torch.ones(loss.dimension)).shape
    torch.Size([8])
    """

    def __init__(self, model, inputs, targets, criterion, chunk=None, batchnorm="train"):
        self.model, self.inputs, self.targets, self.criterion = model, inputs, targets, criterion
        self._parameters = dict(model.named_parameters())
        self._sizes = [p.numel() for p in self._parameters.values()]
        self.dimension = sum(self._sizes)
        self.chunk = len(inputs) if chunk is None else check_int("chunk", chunk, least=1)
        self.batchnorm = batchnorm
        _check_arguments(self)
        _check_fit(self)
        distributed.check_same("parameters and pictures", self.theta, inputs, targets)

    @property
    def theta(self):
        """A copy of the current parameters, flat, in the order of ``model.parameters()``."""
        return torch.cat([p.detach().reshape(-1) for p in self._parameters.values()])

    @property
    def device(self):
        """The device of the model and its inputs."""
        return self.inputs.device

    def value(self, theta):
        """The mean loss at `theta`, a scalar tensor."""
        with self._modes(), torch.no_grad():
            return distributed.total(sum(self._loss(theta, part) for part in self._parts()))

    def value_and_grad(self, theta):
        """The mean loss and its gradient at `theta`, from one forward pass."""
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
        theta = theta.detach().requires_grad_()
        with self._modes():
            products = (_product(self._slope(theta, p), theta, v) for p in self._parts())
            return distributed.total(sum(products))

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v``; a single chunk's graph is kept."""
        theta = theta.detach().clone()  # the caller's may change before the last product
        if self.chunk < len(self.inputs):
            return lambda v: self.hvp(theta, v)
        theta.requires_grad_()
        with self._modes():
            (part,) = self._parts()
            slope = self._slope(theta, part)
        return lambda v: distributed.total(_product(slope, theta, v, retain_graph=True))

    def outputs(self, theta, inputs=None):
        """The model's outputs at `theta` for all inputs, or for others like them."""
        inputs = self.inputs if inputs is None else inputs
        with self._modes(), torch.no_grad():
            pieces = []
            for part in distributed.parts(len(inputs), self.chunk):
                with part.statistics():
                    pieces.append((part, self._forward(theta, inputs[part.rows])))
            return distributed.gather(pieces, len(inputs))

    def subset(self, rows):
        """The mean loss over some of the inputs, by a slice or a sequence of rows."""
        if not isinstance(rows, slice):  # on the CPU, since CUDA would not survive a row too many
            rows = torch.arange(len(self.inputs))[torch.as_tensor(rows).cpu()].reshape(-1)
        part = copy(self)  # what fits all inputs fits some: nothing to check again
        part.inputs, part.targets = self.inputs[rows], self.targets[rows]
        if not len(part.inputs):
            raise ValueError("a subset needs at least one input")
        part.chunk = min(self.chunk, len(part.inputs))
        return part

    def to(self, device=None, dtype=None):
        """The same loss with a copy of its model on another device or in another dtype."""
        model = deepcopy(self.model).to(device=device, dtype=dtype)
        data = (self.inputs, self.targets)
        data = [x.to(device=device, dtype=dtype if x.is_floating_point() else None) for x in data]
        return NetworkLoss(model, *data, self.criterion, self.chunk, self.batchnorm)

    def calibrated(self, theta):
        """The loss of a copy of the model with fixed BatchNorm statistics, those at `theta`.

        They are averaged over the chunks. ``loss.calibrated(theta).outputs(theta, inputs)`` tests
        the network on new inputs.
        """
        if not theta.isfinite().all():
            raise ValueError("theta holds nan or infinite numbers, where BatchNorm has none")
        model = deepcopy(self.model).eval()
        nn.utils.vector_to_parameters(theta, model.parameters())
        norms = [module for module in model.modules() if isinstance(module, _NormBase)]
        tracking = [module for module in norms if module.track_running_stats]
        for module in tracking:
            module.reset_running_stats()  # which may be nan
            module.train()
        with torch.no_grad(), full_precision(self.device):
            for k, part in enumerate(self._parts()):
                for module in tracking:
                    module.momentum = 1 / (k + 1)  # a plain mean over the chunks
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
        pieces = zip(self._parameters.items(), theta.split(self._sizes), strict=True)
        state = {name: piece.view(p.shape) for (name, p), piece in pieces}
        # BatchNorm in train mode writes to its running statistics: hand it copies to write to.
        state |= {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        return functional_call(self.model, state, (inputs,))

    def _loss(self, theta, part):
        with part.statistics():
            outputs = self._forward(theta, self.inputs[part.rows])
        return part.weight * self.criterion(outputs, self.targets[part.rows])

    def _slope(self, theta, part):
        return torch.autograd.grad(self._loss(theta, part), theta, create_graph=True)[0]

    def _parts(self):
        return distributed.parts(len(self.inputs), self.chunk)

    @contextmanager
    def _modes(self):
        """Context with BatchNorm in the mode asked for and everything else in eval mode."""
        flags = [(module, module.training) for module in self.model.modules()]
        try:
            for module, _ in flags:
                module.training = isinstance(module, _NormBase) and self.batchnorm == "train"
            with torch.enable_grad(), full_precision(self.device):
                yield
        finally:
            for module, flag in flags:
                module.training = flag


@contextmanager
def full_precision(device):
    """Context without autocast on this device, and without TF32 or bfloat16 for float32."""
    backends = torch.backends
    switches = (  # an operation without a precision of its own follows its backend, and that all
        *(backends, backends.cudnn),
        *(backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul),
        *(backends.mkldnn.conv, backends.mkldnn.rnn, backends.mkldnn.matmul),
    )
    with ExitStack() as restored, torch.autocast(device.type, enabled=False):
        for switch in switches:
            # What follows another reads "ieee" by now; it must not be given a value of its own.
            if (precision := switch.fp32_precision) != "ieee":
                restored.callback(setattr, switch, "fp32_precision", precision)
                switch.fp32_precision = "ieee"
        yield


@torch.enable_grad()
def _product(slope, theta, v, retain_graph=False):
    """The derivative of `slope` along `v`; zero where the loss is linear in `theta`."""
    if not slope.requires_grad:
        return torch.zeros_like(v)
    with full_precision(v.device):
        # Passing v to autograd.grad would be the same, but makes torch import sympy first.
        return torch.autograd.grad(slope @ v.detach(), theta, retain_graph=retain_graph)[0]


def _check_arguments(loss):
    inputs, targets = loss.inputs, loss.targets
    if not loss.dimension:
        raise ValueError("the model has no parameters: there is nothing to differentiate")
    if not len(inputs) or inputs.shape[:1] != targets.shape[:1]:
        raise ValueError("there must be one target for each of at least one input")
    if loss.batchnorm not in ("train", "eval"):
        raise ValueError(f"batchnorm must be 'train' or 'eval', not {loss.batchnorm!r}")
    synced = any(isinstance(module, nn.SyncBatchNorm) for module in loss.model.modules())
    if synced and distributed.ranks() > 1:
        raise ValueError("SyncBatchNorm cannot be differentiated twice: use BatchNorm")


def _check_fit(loss):
    """Try a few rows: the model must be a function, and the criterion a mean."""
    n = len(loss.inputs)
    few = torch.linspace(0, n - 1, min(n, 8), dtype=torch.float64).long()  # of several classes
    inputs, targets = loss.inputs[few], loss.targets[few]
    with loss._modes(), torch.no_grad():
        outputs, again = (loss._forward(loss.theta, inputs) for _ in range(2))
        if (n - 1) % loss.chunk == 0:  # is the last row alone too few for BatchNorm?
            loss._forward(loss.theta, loss.inputs[-1:])
    if not isinstance(outputs, torch.Tensor) or outputs.shape[:1] != inputs.shape[:1]:
        raise ValueError("the model must return one tensor with a row of outputs for each input")
    if not torch.allclose(outputs, again, atol=1e-3 * float(outputs.abs().max()), equal_nan=True):
        raise ValueError("the model's outputs differ from call to call: switch off what is random")
    if targets.is_floating_point():
        if targets.shape != outputs.shape:  # which torch might broadcast
            raise ValueError(
                f"outputs of shape {tuple(outputs.shape)} do not fit targets of shape "
                f"{tuple(targets.shape)}: give both the same shape"
            )
    else:
        least, most = int(loss.targets.min()), int(loss.targets.max())
        if least < 0 or most >= outputs.shape[1]:  # where CUDA would end the process
            raise ValueError(
                f"the targets name classes {least} to {most}, the model has {outputs.shape[1]} "
                "outputs: widen its last layer or relabel"
            )
    mean = loss.criterion(outputs, targets)
    single = [loss.criterion(outputs[i, None], targets[i, None]) for i in range(len(few))]
    rtol = max(1e-3, 8 * torch.finfo(outputs.dtype).eps)
    if mean.ndim or not torch.allclose(mean, sum(single) / len(few), rtol=rtol, equal_nan=True):
        raise ValueError("the criterion must be a plain mean over the rows, without class weights")
