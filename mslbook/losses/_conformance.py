"""Whether value, gradient and Hessian-vector product are those of one and the same function."""

import torch
from torch.func import functional_call

from mslbook.loss import FunctionLoss
from mslbook.losses._batches import map_tensors, tensors

RTOL = 1e-3  # of derivatives against differences: a wrong derivative is off by more
HALF = 2e-3  # error of a gradient that single precision never has
STEPS = [10.0**-k for k in range(8, 0, -1)]  # of differences, in units of the typical parameter
SPREAD = 0.1  # of the typical parameter: how far the check is made from the model's own point


def check_network(loss):
    """Raise ValueError unless a `NetworkLoss` of a few rows has the derivatives of its value."""
    outputs, again = (tensors(loss.outputs(loss.theta)) for _ in range(2))
    if not all(map(_alike, outputs, again)):
        raise ValueError("the model's outputs differ from call to call: switch off what is random")
    own = elsewhere(loss.theta)
    theta = _in_double(loss, own)
    if derivative_fault(loss, theta):
        raise ValueError(_fault_of_a_layer(loss, theta))
    error = _length(loss.grad(own) - loss.grad(theta)) / max(_length(loss.grad(theta)), 1e-300)
    if error > HALF:
        raise ValueError(
            f"the model computes in half precision: its gradient is off by {error:.1%}; switch off "
            "autocast and .bfloat16() in its forward pass"
        )


def elsewhere(theta):
    """A point near theta, where no parameter is 0."""
    random = torch.randn(theta.shape, generator=torch.Generator().manual_seed(0)).to(theta)
    return theta + SPREAD * _typical(theta) * random


def derivative_fault(loss, theta):
    """What is wrong with the derivatives of a loss at theta, in words; None if nothing is."""
    u, v = directions(theta)
    try:
        grad = loss.grad(theta)
        image, other = loss.hvp(theta, v), loss.hvp(theta, u)
    except (RuntimeError, NotImplementedError) as error:
        return f"cannot be differentiated twice by torch: {str(error).splitlines()[0]}"
    coarse = False
    error, _ = _slope_error(loss, theta, grad, v)
    if error > RTOL:  # or values are too coarse for this direction: look along the gradient, too
        error_along, step = _slope_error(loss, theta, grad, v + grad * (v.norm() / grad.norm()))
        coarse = error_along <= RTOL and step > STEPS[3]
    if error > RTOL and not coarse:
        return (
            f"has a gradient that is not the derivative of its value (by {error:.0%}): take out "
            "what cuts or replaces derivatives, such as detach() or a straight-through estimator, "
            "or computes in half precision"
        )
    error, _ = difference_error(lambda t: loss.grad(theta + t * v), image)
    skew = abs(float(u @ image - v @ other)) / max(float(u.norm() * image.norm()), 1e-300)
    if max(skew, 0.0 if coarse else error) > RTOL:
        return (
            "has second derivatives that are not those of its gradient "
            f"(by {max(error, skew):.0%}): replace it by one written in differentiable operations"
        )
    return None


def _slope_error(loss, theta, grad, v):
    floor = 0.1 * float(grad.norm() * v.norm()) / len(v) ** 0.5
    return difference_error(lambda t: loss.value(theta + t * v), grad @ v, floor)


def difference_error(function, derivative, floor=0.0):
    """The relative error of a derivative against differences of ``function(t)``, and their step.

    The best of several steps: the smallest ones meet no kink, larger ones serve functions that
    compute in single precision, whatever the dtype of their values.
    """
    best = float("inf"), STEPS[0]
    for h in STEPS:
        slope = (function(h) - function(-h)) / (2 * h)
        scale = max(_length(slope), _length(derivative), floor, 1e-300)
        best = min(best, (_length(slope - derivative) / scale, h))
        if best[0] <= RTOL:
            break
    return best


def layer_losses(loss, theta):
    """Every layer of a network at theta, as it is called first: a dict of name to `Layer`."""
    found, hooks = {}, []

    def note(name):
        def hook(module, args, kwargs):
            if name not in found:
                found[name] = Layer(module, args, kwargs)

        return hook

    for name, module in loss.model.named_modules():
        hooks.append(module.register_forward_pre_hook(note(name), with_kwargs=True))
    try:
        loss.outputs(theta)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: layer for name, layer in found.items() if layer.dimension}


class Layer(FunctionLoss):
    """A random combination of a layer's outputs as a loss of its inputs and parameters."""

    def __init__(self, module, args, kwargs):
        self.module, self._called = module, map_tensors(_copy, (args, kwargs))
        self._buffers = {name: _copy(buffer) for name, buffer in module.named_buffers()}
        parameters = {name: _copy(one) for name, one in module.named_parameters()}
        inputs = [x for x in tensors(self._called) if x.is_floating_point()]
        self._names, start = list(parameters), [*parameters.values(), *inputs]
        self._shapes = [x.shape for x in start]
        self.theta = torch.cat([x.reshape(-1) for x in start]) if start else torch.zeros(0)
        self.f, self.dimension = self._combination, len(self.theta)

    def _combination(self, theta):
        pieces = theta.split([shape.numel() for shape in self._shapes])
        views = iter([x.view(shape) for x, shape in zip(pieces, self._shapes, strict=True)])
        state = {name: next(views) for name in self._names}
        state |= {name: buffer.clone() for name, buffer in self._buffers.items()}
        called = map_tensors(
            lambda x: next(views).clone() if x.is_floating_point() else x, self._called
        )
        outputs = tensors(functional_call(self.module, state, *called))
        generator = torch.Generator().manual_seed(2)
        return sum(
            (torch.randn(x.shape, generator=generator).to(x) * (x + x * x / 2)).sum()
            for x in outputs
            if x.is_floating_point()
        )


def directions(theta):
    """Two random directions in which theta changes by about as much as its entries are large."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *theta.shape, generator=generator).to(theta) * _typical(theta)


def _fault_of_a_layer(loss, theta):
    """The fault of the smallest layer that has one; of the criterion, if the model has none."""
    layers = layer_losses(loss, theta)
    for name in reversed([name for name, _ in loss.model.named_modules() if name in layers]):
        with loss.modes():
            try:
                fault = derivative_fault(layers[name], layers[name].theta)
            except ValueError:  # nothing to differentiate
                continue
        if fault:
            kind = type(layers[name].module).__name__
            return f"layer {name!r} ({kind}) {fault}" if name else f"the model ({kind}) {fault}"
    kind = getattr(loss.criterion, "__name__", type(loss.criterion).__name__)
    return f"the criterion {kind} {derivative_fault(loss, theta)}"


def _in_double(loss, theta):
    """Theta in double precision if the loss can be computed there, else as it is."""
    try:
        loss.value(theta.double())
    except Exception:  # noqa: BLE001  (whatever keeps the model from it)
        return theta
    return theta.double()


def _typical(theta):
    size = theta.square().mean().sqrt()
    return torch.where(size > 0, size, torch.ones_like(size))


def _alike(one, other):
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, atol=1e-3 * float(one.abs().max()), equal_nan=True)


def _copy(tensor):
    return tensor.detach().clone()


def _length(tensor):
    return float(torch.linalg.vector_norm(tensor))
