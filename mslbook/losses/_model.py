"""A torch model as a function: its modes, its attributes, and what it is called with."""

import inspect
import sys
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase as Norm  # all kinds of BatchNorm and InstanceNorm

from mslbook import distributed
from mslbook.losses._batches import map_tensors, tensors
from mslbook.losses._state import Attributes, random_numbers_kept

MEANINGS = {  # of what torch says in a forward pass
    "more than 1 value per channel": "a chunk is too small for BatchNorm ({}): choose a chunk that "
    "leaves no row alone, or batchnorm='eval'",
    "has been modified inplace": "the forward pass writes to its own parameters, or to views that "
    "it must not write to ({}): let it write to a clone",
}


@contextmanager
def as_function(model, batchnorm, draws=False):
    """Context in which a model is one differentiable function, and its flags are kept.

    So is the state of the random numbers, of a model that draws some.

    BatchNorm is in the mode asked for and all else in eval mode; attention has second derivatives
    in its MATH kernel alone; what was compiled runs as written, since compiled code cannot be
    differentiated twice; gradients of embeddings are dense, and those of padding not left out.
    """
    with ExitStack() as stack:
        for module in model.modules():
            _set(stack, module, "training", isinstance(module, Norm) and batchnorm == "train")
            if isinstance(module, nn.Embedding | nn.EmbeddingBag):
                _set(stack, module, "sparse", False)
                _set(stack, module, "scale_grad_by_freq", False)
            if isinstance(module, nn.Embedding):  # of which no value depends on it
                _set(stack, module, "padding_idx", None)
        fast = torch.backends.mha.get_fastpath_enabled()
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(full_precision(next(model.parameters()).device))
        if draws:
            stack.enter_context(random_numbers_kept(model))
        yield


def random_state(device):
    """The state of the random numbers on the CPU and on a device."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def _set(stack, module, name, value):
    """Change an attribute of a module until the stack of contexts is left."""
    stack.callback(setattr, module, name, getattr(module, name))
    setattr(module, name, value)


@contextmanager
def holding(modules, tensors, convert, changing):
    """Context in which modules hold other tensors, by the ids of their own.

    It yields a function that begins a forward pass: what is in no theta is copied for the model to
    write to, and modules that change their attributes have them as they were.
    """
    own = [(table, dict(table)) for m in modules for table in (m._parameters, m._buffers) if table]
    attributes = [Attributes(module) for module in changing]

    def renew():
        for one in attributes:
            one.restore()
        copies = dict(tensors)
        for table, values in own:
            for name, tensor in values.items():
                if tensor is not None:
                    if id(tensor) not in copies:
                        copies[id(tensor)] = convert(tensor.detach()).clone()
                    table[name] = copies[id(tensor)]

    try:
        yield renew
    finally:
        for one in attributes:
            one.restore()
        for table, values in own:
            table.clear()
            table.update(values)


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


def unwrapped(model):
    """The module inside of torch.compile, DataParallel or DistributedDataParallel."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            return model


def apply(model, inputs, whole=False):
    """Call a model, with inputs as its arguments or keywords if its forward pass takes them so."""
    if isinstance(inputs, Mapping | tuple | list) and not whole:
        keywords = inputs if isinstance(inputs, Mapping) else {}
        arguments = () if keywords else inputs
        try:
            inspect.signature(model.forward).bind(*arguments, **keywords)
        except TypeError:
            arguments, keywords = (inputs,), {}
    else:
        arguments, keywords = (inputs,), {}
    try:
        return model(*arguments, **keywords)
    except (RuntimeError, ValueError) as error:
        for words, meaning in MEANINGS.items():
            if words in str(error):
                raise ValueError(meaning.format(str(error).splitlines()[0])) from error
        raise


def of_a_chunk(error):
    """What a model says of a chunk of rows, with the hint that it may need all of them."""
    if not isinstance(error, RuntimeError | IndexError):
        return error
    why = str(error).splitlines()[0]
    return ValueError(f"a chunk of rows fails ({why}): if the model needs all, leave out chunk")


class Called(nn.Module):
    """A module and what it is called with, as parameters where these are real numbers."""

    def __init__(self, module, args, kwargs):
        super().__init__()
        self.module, self._inputs = module, (args, kwargs)
        self._leaves = nn.ParameterList(filter(_varies, tensors(self._inputs)))

    def forward(self, _):
        """The module's outputs."""
        leaves = iter(self._leaves)
        args, kwargs = map_tensors(
            lambda x: (next(leaves) if _varies(x) else x).clone(), self._inputs
        )
        return self.module(*args, **kwargs)


def _varies(tensor):
    return tensor.is_floating_point() and bool(tensor.isfinite().all())  # no mask of -inf


def first_calls(model, run):
    """What ``run()`` calls the modules with first, in order: name to module, args and kwargs."""
    calls, hooks = {}, []
    for name, module in model.named_modules():

        def note(module, args, kwargs, name=name):
            copies = map_tensors(lambda x: x.detach().clone(), (args, kwargs))
            calls.setdefault(name, (module, *copies))

        hooks.append(module.register_forward_pre_hook(note, with_kwargs=True))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def random_quadratic(outputs, _):
    """A random quadratic function of all outputs that are real numbers."""
    generator = torch.Generator().manual_seed(2)
    return sum(
        (torch.randn(x.shape, generator=generator).to(x) * (x + x * x / 2)).sum()
        for x in filter(torch.is_floating_point, tensors(outputs))
    )


def check_model(model, batchnorm):
    """Raise ValueError for a model that cannot be a function of its parameters."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, not a {type(model).__name__}")
    if batchnorm not in ("train", "eval"):
        raise ValueError(f"batchnorm must be 'train' or 'eval', not {batchnorm!r}")
    for parameter in model.parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter) or parameter.is_meta:
            raise ValueError("the parameters have no values yet: call the model once, or load them")
        if type(parameter).__name__ in ("DTensor", "FlatParameter"):
            raise ValueError("parameters are sharded (FSDP): pass the model unsharded")
    for name, module in model.named_modules():
        if getattr(module, "max_norm", None) is not None:
            raise ValueError(
                f"layer {name!r} ({type(module).__name__}) rescales its weights in every forward "
                "pass, so that the loss is no function of them: set its max_norm to None"
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"layer {name!r} is a program of torch.jit, which holds no other parameters than "
                "its own: pass the module that it was made from"
            )
        if isinstance(module, nn.SyncBatchNorm) and distributed.ranks() > 1:
            raise ValueError("SyncBatchNorm cannot be differentiated twice: use BatchNorm")


def chosen(model, patterns):
    """The parameters whose names fit one of the patterns, by name."""
    if not (patterns and all(isinstance(one, str) for one in patterns)):
        raise ValueError('params must be patterns of names, "blocks.3.*", or "*" for all')
    named = list(model.named_parameters(remove_duplicate=False))  # with all names of one
    for pattern in patterns:
        if named and not any(fnmatchcase(name, pattern) for name, _ in named):
            known = ", ".join(name for name, _ in named)
            raise ValueError(f"no parameter fits params={pattern!r}: they are {known:.400}")
    ids = {id(p) for name, p in named if any(fnmatchcase(name, one) for one in patterns)}
    return {name: p for name, p in model.named_parameters() if id(p) in ids}


def check_parameters(parameters):
    """Raise ValueError unless there are parameters, of one real dtype on one device."""
    kinds = {(p.dtype, p.device) for p in parameters}
    if not kinds:
        raise ValueError("the model has no parameters: there is nothing to differentiate")
    if len(kinds) > 1 or not next(iter(kinds))[0].is_floating_point:
        found = ", ".join(f"{dtype} on {device}" for dtype, device in sorted(kinds, key=str))
        raise ValueError(f"parameters must be of one real dtype on one device, not {found}")
    if (dtype := next(iter(kinds))[0]).itemsize < 4:
        raise ValueError(f"parameters in half precision ({dtype}) are too coarse: use .float()")


def averaging_statistics(model, pieces):
    """Yield the pieces, and average what BatchNorm layers see of each into their statistics."""
    norms = [module for module in model.modules() if isinstance(module, Norm)]
    tracking = [module for module in norms if module.track_running_stats]
    for module in tracking:
        module.reset_running_stats()  # which may be nan
        module.train()
    for k, piece in enumerate(pieces):
        for module in tracking:
            module.momentum = 1 / (k + 1)  # a plain mean
        yield piece
    model.eval()


def leaf(theta):
    """A copy of theta, so that nothing written to it is the caller's, to be differentiated by."""
    theta = torch.as_tensor(theta, dtype=None if hasattr(theta, "dtype") else torch.float64)
    if not theta.is_floating_point() or theta.dtype.itemsize < 4:
        raise TypeError(f"theta must hold real numbers of 32 or 64 bits, not {theta.dtype}")
    with torch.inference_mode(False):
        return theta.detach().clone().requires_grad_()


def gradient(loss, theta, **options):
    """The gradient of a loss by theta, zero where it does not depend on it."""
    if not loss.requires_grad:
        return torch.zeros_like(theta)
    return torch.autograd.grad(loss, theta, materialize_grads=True, **options)[0]


slope = partial(gradient, create_graph=True)


def product(slope, theta, v, **options):
    """The derivative of `slope` along `v`; zero where the loss is linear in `theta`."""
    v = torch.as_tensor(v)
    if v.shape != theta.shape:
        raise ValueError(f"v must have the shape {tuple(theta.shape)}, not {tuple(v.shape)}")
    v = v.detach().to(theta, copy=True)
    if not slope.requires_grad:
        return torch.zeros_like(v)
    # Passing v to autograd.grad would be the same, but makes torch import sympy first.
    return gradient(slope @ v, theta, **options)
