"""Whether value, gradient and Hessian-vector product are those of one and the same function."""

from copy import copy
from math import inf

import torch
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from mslbook.losses._batches import tensors
from mslbook.losses._model import leaf, random_state
from mslbook.losses._state import copied

RTOL = 1e-3  # of derivatives against differences: a wrong derivative is off by more
COARSE = 0.05  # the same for a model that computes in single precision alone
HALF = 5e-5  # error of a gradient: that of single precision is below, of half precision above
STEPS = [10.0**-k for k in range(8, 0, -1)]  # of differences, in units of the typical parameter
LONG = STEPS[4:]  # those that values in single precision resolve
SHORT = [1e-10, 1e-9, *STEPS]  # of gradients, which jump at every kink of a deep network
WEAK = 1e-6  # of a block of the product, relative to all: below it, rounding is larger
SPREAD = 0.1  # of the typical parameter: how far the check is made from the model's own point


def check_network(loss):
    """Raise ValueError unless a `NetworkLoss` of a few rows has the derivatives of its value."""
    theta = point(loss)  # in double precision, where little is lost in rounding

    def seen():
        return [*tensors(loss.outputs(theta)), loss.value(theta)]

    before, first = random_state(loss.device), seen()
    times = 2 if torch.equal(before, random_state(loss.device)) else 30  # a few may come out alike
    if not all(all(map(_alike, first, seen())) for _ in range(times)):
        raise ValueError(
            "the model's outputs, or the criterion, differ from call to call: switch off what is "
            "random"
        )
    if name := _read_elsewhere(loss, theta):
        raise ValueError(
            f"parameter {name!r} is read from a list, a closure or a view that keeps it, where it "
            f"does not follow theta: read it as model.get_parameter({name!r}) on every call"
        )
    if fault := derivative_fault(loss, theta):
        kind = getattr(loss.criterion, "__name__", type(loss.criterion).__name__)
        raise ValueError(_fault_of_a_layer(loss) or f"the criterion {kind} {fault}")
    fixed = copy(loss)
    fixed.batchnorm = "eval"  # the statistics of few rows may lose all digits of single precision
    if (error := _precision_error(fixed, theta)) > HALF:
        raise ValueError(
            f"the model computes in half precision: its gradient is off by {error:.0e}; switch off "
            "autocast and .bfloat16(), in its forward pass, too"
        )


def check_rows(loss):
    """Raise ValueError if the outputs of some rows depend on other rows, save by BatchNorm."""
    norms = [module for module in loss.model.modules() if isinstance(module, BatchNorm)]
    if loss.rows < 2 or any(norm.running_mean is None for norm in norms):
        return  # without running statistics, BatchNorm leaves rows alone in no mode
    alone, theta, half = copy(loss), point(loss), loss.rows // 2
    alone.batchnorm = "eval"
    try:
        whole = tensors(alone.outputs(theta))
        for rows in (slice(half), slice(half, loss.rows)):  # rows may look back alone
            found = tensors(alone.subset(rows).outputs(theta))
            for own, part in zip(whole, found, strict=True):
                if own.shape[:1] == (loss.rows,) and part.shape[:1] == own[rows].shape[:1]:
                    scale = float(own.double().abs().nan_to_num().max())
                    if not torch.allclose(own[rows], part, RTOL, RTOL * scale, equal_nan=True):
                        raise ValueError("what it says of one depends on the others")
    except (RuntimeError, IndexError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(
            f"the model cannot be given its rows in parts ({why}): leave out chunk, and other ranks"
        ) from error


def check_modes(loss, theta):
    """Raise ValueError if a layer that is none of torch's acts otherwise in training."""
    before, trained = random_state(loss.device), copy(loss)
    try:
        trained.model = copied(loss.model, {})  # what it writes to in training is the caller's
        own = tensors(trained.outputs(theta))
        with trained.modes():
            for module in trained.model.modules():
                module.training |= not type(module).__module__.startswith("torch.")
            found = tensors(trained._forward(theta, loss.inputs))
    except Exception:  # noqa: BLE001  (it cannot be copied, or takes other things in training)
        return
    same_kind = [x.shape for x in own] == [x.shape for x in found]
    is_random = not torch.equal(before, random_state(loss.device))
    if same_kind and not is_random and not all(map(_alike, own, found)):
        raise ValueError(
            "a layer of the model's own has other outputs in training mode: call model.eval() if "
            "evaluation is meant, or make the layer a subclass of one of torch's BatchNorms"
        )


def _precision_error(loss, theta):
    """The relative error of the gradient in the dtype of the model, at the best of a few points.

    At one or the other, a unit comes to lie across its kink in single precision.
    """
    errors = []
    for place in (theta, elsewhere(theta, 1), elsewhere(theta, 2)):
        grad, own = loss.grad(place), loss.grad(place.to(loss.theta.dtype))
        errors.append(_length(own - grad) / max(_length(grad), 1e-300))
        if errors[-1] <= HALF:
            break
    return min(errors)


def recomputes(loss):
    """Whether a backward pass reads the model again, as activation checkpointing does."""
    theta, kept = elsewhere(loss.theta), copy(loss)
    kept._recomputes = False  # its products are made while the model holds its own parameters
    try:
        v = directions(theta)[0]
        return not _alike(kept.value_grad_and_hessian(theta)[2](v), loss.hvp(theta, v))
    except Exception:  # noqa: BLE001  (it may be of another dtype than theta)
        return True


def _read_elsewhere(loss, theta):
    """The name of a parameter of theta that a forward pass reads as the model's own; or None."""
    seen = {None}

    def search(value, _):
        nodes = {value.grad_fn} - seen
        while nodes:
            seen.update(nodes)
            nodes = {after for node in nodes for after, _ in node.next_functions} - seen
        return value.detach()

    loss.evaluate(leaf(theta), search)
    leaves = {id(getattr(node, "variable", None)) for node in seen}
    return next((name for name, p in loss.parameters.items() if id(p) in leaves), None)


def elsewhere(theta, seed=0):
    """A point near theta, where no parameter is 0."""
    random = torch.randn(theta.shape, generator=torch.Generator().manual_seed(seed)).to(theta)
    return theta + SPREAD * _typical(theta) * random


def point(loss, theta=None):
    """Theta, in double precision if the model allows that; else a point near the loss's own.

    At that point no parameter is 0, which may lie on a kink, unless the loss is not finite there.
    """
    own, apart = loss.theta, elsewhere(loss.theta)
    points = (apart.double(), own.double(), apart) if theta is None else (theta.double(),)
    for one in points:
        try:
            if loss.value(one).isfinite():
                return one
        except Exception:  # noqa: BLE001  (whatever keeps the model from it)
            continue
    return own if theta is None else theta


def derivative_fault(loss, theta):
    """What is wrong with the derivatives of a loss at theta, in words; None if nothing is."""
    u, v = directions(theta)
    try:
        grad = loss.grad(theta)
        image, other = loss.hvp(theta, v), loss.hvp(theta, u)
    except (RuntimeError, NotImplementedError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        return f"cannot be differentiated twice by torch ({why}): replace it by what can be"
    error, coarse = gradient_error(loss, theta, grad, v)
    sizes = None if coarse else [p.numel() for p in loss.parameters.values()]
    if not coarse:
        even = _even(grad, v, sizes)
        floor = float(_lengths(grad * even, sizes).norm()) / 10
        along = difference_error(lambda t: loss.value(theta + t * even), grad @ even, floor)
        error = max(error, along[0])
    tolerance = COARSE if coarse else RTOL
    if error > tolerance:
        return (
            f"has a gradient that is not the derivative of its value (by {error:.1%}): take out "
            "what cuts or replaces derivatives (detach(), straight-through estimators) or computes "
            "in half precision, and choose by params= what is not under no_grad()"
        )
    error, _ = difference_error(lambda t: loss.grad(theta + t * v), image, sizes=sizes, steps=SHORT)
    error = max(skew(u, v, image, other), 0.0 if coarse else error)
    if error > tolerance:
        return (
            "has second derivatives that are not those of its gradient "
            f"(by {error:.1%}): replace it by one written in differentiable operations"
        )
    return None


def gradient_error(loss, theta, grad, v, enough=RTOL):
    """The relative error of a gradient against values, and whether these are too coarse for v."""
    value = loss.value(theta)
    rounded = torch.equal(value.double(), value.float().double())

    def along(v):
        floor = 0.1 * float(grad.norm() * v.norm()) / len(v) ** 0.5
        steps = LONG if rounded else STEPS
        return difference_error(lambda t: loss.value(theta + t * v), grad @ v, floor, enough,
                                steps=steps)  # fmt: skip

    error, scatter = along(v)
    single = rounded or scatter > COARSE
    if error <= RTOL:
        return error, single
    uphill, _ = along(v + grad * (v.norm() / grad.norm()))
    coarse = single and uphill <= COARSE
    return uphill if coarse else error, coarse


def skew(u, v, image, other):
    """How far a matrix with images of v and u is from being symmetric, relative to its size."""
    return abs(float(u @ image - v @ other)) / max(float(u.norm() * image.norm()), 1e-300)


def difference_error(function, derivative, floor=0.0, enough=RTOL, sizes=None, steps=STEPS):
    """The relative error of a derivative against differences of ``function(t)``, and their scatter.

    With `sizes`, the largest of its blocks of these sizes, unless rounding may hide a block.
    The scatter is that of the two smallest steps, 0 in double precision. The first step that is
    good `enough`: the smallest ones meet no kink, larger ones serve functions that compute in
    single precision, whatever the dtype of their values. Of a wrong derivative, the step from which
    to the next the difference changes least.
    """
    errors, changes, before = [], [], derivative * inf
    for h in steps:
        slope = (function(h) - function(-h)) / (2 * h)
        scale = max(_length(slope), _length(derivative), floor, 1e-300)
        off = _lengths(slope - derivative, sizes)
        most = torch.maximum(_lengths(slope, sizes), _lengths(derivative, sizes))
        errors.append(min(inf, float((off / most.clamp(max(WEAK * scale, floor))).max())))
        changes.append(min(inf, _length(slope - before)))
        before = slope
        if errors[-1] <= enough:
            break
    ranked = errors if min(errors) <= RTOL else changes
    scatter = changes[1] / scale if len(changes) > 1 else 0.0
    return errors[ranked.index(min(ranked))], scatter


def _lengths(vector, sizes):
    blocks = [vector] if sizes is None else vector.split(sizes)
    return torch.stack([torch.linalg.vector_norm(block) for block in blocks])


def _even(grad, v, sizes):
    """The direction with weaker steps where the gradient is strong, so that no block is drowned."""
    lengths = _lengths(grad, sizes)
    weakest = lengths[lengths > 0].min() if lengths.any() else lengths.max()
    weakest = torch.maximum(weakest, 1e-4 * lengths.max())
    scales = torch.where(lengths > weakest, weakest / lengths, torch.ones_like(lengths))
    return v * scales.repeat_interleave(torch.tensor(sizes, device=v.device))


def directions(theta):
    """Two random directions in which theta changes by about as much as its entries are large."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *theta.shape, generator=generator).to(theta) * _typical(theta)


def _fault_of_a_layer(loss):
    """The fault of the smallest layer that has one; None if none has."""
    layers = loss.layers()
    for name in reversed(layers):
        if fault := derivative_fault(layers[name], point(layers[name])):
            kind = layers[name].kind
            return f"layer {name!r} ({kind}) {fault}" if name else f"the model ({kind}) {fault}"
    return None


def _typical(theta):
    size = theta.square().mean().sqrt()
    return torch.where(size > 0, size, torch.ones_like(size))


def _alike(one, other):
    if not one.is_floating_point():
        return torch.equal(one, other)
    atol = 30 * torch.finfo(one.dtype).eps * float(one.abs().nan_to_num().max())
    return torch.allclose(one, other, rtol=0, atol=atol, equal_nan=True)


def _length(tensor):
    return float(torch.linalg.vector_norm(tensor))
