"""Criteria: a squared error, and what is asked of the one that a loss is given."""

import warnings
from copy import deepcopy
from functools import partial
from types import CellType, FunctionType

import torch
from torch import nn

from mslbook.losses._batches import map_tensors, tensors

NOT_FINITE = "the loss is not finite at the parameters of the model: start elsewhere"
FLAT = (
    "the criterion cannot be differentiated by the outputs: take out argmax, rounding, detach() "
    "and no_grad()"
)


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


def rebound(criterion, change, copies=None):
    """A function with ``change(tensor)`` for the tensors that it closes over or finds globally.

    With `copies`, those of ``copy.deepcopy``, it has copies of the modules and parameters, too.
    """

    def changed(value):
        if isinstance(value, nn.Module | nn.Parameter):
            return value if copies is None else deepcopy(value, copies)
        if isinstance(value, FunctionType):
            return value if value is criterion else rebound(value, change, copies)
        return map_tensors(change, value) if tensors(value) else value

    if isinstance(criterion, partial):
        keywords = {name: changed(value) for name, value in criterion.keywords.items()}
        return partial(changed(criterion.func), *map(changed, criterion.args), **keywords)
    if not isinstance(criterion, FunctionType):
        return criterion
    names = set(criterion.__code__.co_names) & criterion.__globals__.keys()
    found = {name: criterion.__globals__[name] for name in names}
    found = {n: x for n, x in found.items() if isinstance(x, nn.Module | torch.Tensor)}
    if not (found or criterion.__closure__ or criterion.__defaults__):
        return criterion
    new = FunctionType(
        criterion.__code__,
        criterion.__globals__ | {name: changed(value) for name, value in found.items()},
        criterion.__name__,
        tuple(map(changed, criterion.__defaults__ or ())),
        tuple(CellType(changed(cell.cell_contents)) for cell in criterion.__closure__ or ()),
    )
    new.__kwdefaults__ = criterion.__kwdefaults__
    return new


def checked_value(criterion, call, outputs, targets, all_targets):
    """The criterion of a few rows, which must be one number, of targets that fit the outputs."""
    if isinstance(criterion, type) or not callable(criterion):
        raise TypeError(
            f"the criterion must be a function of outputs and targets: {criterion!r:.60}"
        )
    if isinstance(outputs, torch.Tensor) and isinstance(all_targets, torch.Tensor):
        _check_classes(criterion, outputs, all_targets)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Using a target size")  # that torch broadcasts
        try:
            with torch.inference_mode(False), torch.enable_grad():
                leaves = map_tensors(_to_be_differentiated, outputs)
                value = call(leaves, map_tensors(torch.clone, targets))
        except UserWarning as warning:
            raise ValueError(f"outputs and targets differ in shape: {warning}") from warning
        except (AttributeError, LookupError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"the criterion fails on a few rows ({str(error).splitlines()[0]}): give targets "
                "of the dtype it takes, and weights of rows as a part of the targets, to a "
                "criterion(outputs, targets)"
            ) from error
    if getattr(value, "shape", None) != () or not value.is_floating_point():
        what = f"a tensor of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise ValueError(f"the criterion must return one number, as a tensor, not {what:.80}")
    _check_broadcast(call, outputs, targets, value.detach())
    return value


def _to_be_differentiated(tensor):
    """A copy that a gradient can be asked of, and that may be written to."""
    real = tensor.is_floating_point() or tensor.is_complex()
    return tensor.detach().requires_grad_().clone() if real else tensor


def _check_broadcast(criterion, outputs, targets, value):
    """A column and a row would be compared each with each."""
    if not all(isinstance(one, torch.Tensor) for one in (outputs, targets)):
        return
    fewer, more = sorted((outputs.shape, targets.shape), key=len)
    if more != (*fewer, 1):
        return
    if not any(torch.equal(one.flip(0), one) for one in (outputs, targets)):
        turned, none = (criterion(outputs, one) for one in (targets.flip(0), 0 * targets))
        if torch.isclose(turned, value, rtol=1e-5) and not torch.isclose(none, value, rtol=1e-5):
            raise ValueError(
                f"outputs of shape {tuple(outputs.shape)} and targets of shape "
                f"{tuple(targets.shape)} are compared each with each: give both the same shape"
            )


def _check_classes(criterion, outputs, targets):
    """Where labels must be classes, those that are none would end the process on CUDA."""
    functions = (half_squared_error, nn.functional.cross_entropy, nn.functional.nll_loss)
    modules = (nn.CrossEntropyLoss, nn.NLLLoss)
    known = criterion in functions or isinstance(criterion, modules)
    if not known or targets.shape == outputs.shape:
        return
    labels = targets[targets != getattr(criterion, "ignore_index", -100)]
    if not labels.numel():
        return
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= outputs.shape[1]:
        raise ValueError(
            f"the targets name classes {least} to {most}, the model has {outputs.shape[1]} "
            "outputs: widen its last layer or relabel"
        )
