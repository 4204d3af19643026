"""What a module keeps: its attributes, its caches, its parameters, all as the caller has them."""

from collections import deque
from contextlib import contextmanager
from copy import deepcopy
from types import ModuleType
from weakref import ProxyTypes

import torch
from torch import nn


class Attributes:
    """The attributes of a module as they are now, with what its containers and tensors hold."""

    def __init__(self, module):
        self.module, self._kept = module, _kept(vars(module))

    @property
    def changed(self):
        """Whether the module has others by now."""
        return not _same(self._kept)

    def restore(self):
        """Give them back to the module."""
        _put_back(self._kept)


def _kept(value, objects=True):
    """A value and what is in it, of which parameters are never written to.

    The attributes of objects are in it, but not those of the objects that they hold in turn.
    """
    if type(value) in ProxyTypes:  # such as Lightning's trainer, which may be gone
        return value, None
    if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
        return value, value.detach().clone()
    if isinstance(value, dict) or objects and _is_object(value):
        objects = objects and isinstance(value, dict)
        return value, {key: _kept(item, objects) for key, item in _table(value).items()}
    if isinstance(value, list | deque | set):
        return value, [_kept(item, objects) for item in value]
    return value, None


def _is_object(value):
    if type(value) in ProxyTypes or isinstance(value, torch.Tensor | ModuleType):
        return False
    return hasattr(value, "__dict__") and not callable(value)


def _table(value):
    return value if isinstance(value, dict) else vars(value)


def _same(kept):
    value, content = kept
    if content is None:
        return True
    if isinstance(value, torch.Tensor):
        return torch.equal(value, content)
    if isinstance(content, dict):
        if list(_table(value)) != list(content):
            return False
        value, content = _table(value).values(), content.values()
    pairs = zip(value, content, strict=False)
    return len(value) == len(content) and all(v is c[0] and _same(c) for v, c in pairs)


def _put_back(kept):
    value, content = kept
    if _same(kept):
        return
    if isinstance(value, torch.Tensor):
        with torch.no_grad():
            value.copy_(content)
        return
    is_table = isinstance(content, dict)
    for item in content.values() if is_table else content:
        _put_back(item)
    holder = _table(value) if is_table else value
    holder.clear()
    if is_table:
        holder.update((key, item) for key, (item, _) in content.items())
    else:
        (value.update if isinstance(value, set) else value.extend)(item for item, _ in content)


def random_numbers_kept(model):
    """A context that leaves random numbers as they were, on the CPU and where the model is."""
    return torch.random.fork_rng({p.device for p in model.parameters() if p.is_cuda})


@contextmanager
def left_alone(parameters):
    """Context in which these parameters stay as they are; ValueError if they are written to."""
    # Tensors of inference mode have no version, and cannot be written to outside of it.
    parameters = [(name, p) for name, p in parameters if not p.is_inference()]
    before = [(name, p, p._version, p.detach().clone()) for name, p in parameters]
    try:
        yield
    finally:
        written = [(name, p, copy) for name, p, version, copy in before if p._version != version]
        for _, p, copy in written:
            p.data.copy_(copy)
    if written:
        raise ValueError(
            f"the forward pass writes to parameter {written[0][0]!r}, which params= leaves out: "
            "let it write to a clone"
        )


def watched(modules, run):
    """What ``run()`` returns, and which of the modules it changed, which are as they were."""
    attributes = [Attributes(module) for module in modules]
    try:
        return run(), [k for k, one in enumerate(attributes) if one.changed]
    finally:
        for one in attributes:
            one.restore()


def check_caches(model, run):
    """Raise ValueError if a module keeps what ``run()`` computes otherwise where there is none."""
    attributes = [Attributes(module) for module in model.modules()]

    def after(table, name, value):
        """What is there after a run that begins with a value, and whether it is the same."""
        table[name] = value
        kept = _kept(value)
        try:
            run()
            return _stored(table[name]), table[name] is value and _same(kept)
        except Exception:  # noqa: BLE001  (the forward pass does not fill it)
            return [], False
        finally:
            for one in attributes:
                one.restore()

    for layer, module in model.named_modules():
        for table, name in _stores(module):
            value = table[name]
            empty = type(value)() if isinstance(value, dict | list) else None
            found, _ = after(table, name, empty)
            stale = found and not all(map(torch.equal, found, _stored(value)))
            if stale and after(table, name, value)[1]:  # or every pass makes it anew
                raise ValueError(
                    f"layer {layer!r} keeps {name!r} from an earlier forward pass, though it "
                    f"depends on the parameters: set it to {empty!r}"
                )


def _stores(module):
    """Where a module keeps tensors of its own, also in an object: tables and names in them."""
    own = vars(module)
    tables = [own, *(vars(value) for value in own.values() if _is_object(value))]
    names = [(table, name) for table in tables for name in table if name not in vars(nn.Module())]
    return [(table, name) for table, name in names if _stored(table[name])]


def _stored(value):
    """The tensors that a value is, or holds in containers, without parameters."""
    if type(value) in ProxyTypes:
        return []
    if isinstance(value, torch.Tensor):
        return [] if isinstance(value, nn.Parameter) else [value]
    items = value.values() if isinstance(value, dict) else value
    holds = isinstance(value, dict | list | tuple | deque)
    return [tensor for item in items for tensor in _stored(item)] if holds else []


def copied(model, memo):
    """A deep copy of a model, in which what hangs on a graph hangs on none."""
    for module in model.modules():
        memo.update((id(one), one) for one in vars(module).values() if type(one) in ProxyTypes)
        for table, name in _stores(module):
            for tensor in _stored(table[name]):
                if tensor.grad_fn is not None:  # which torch refuses to copy
                    memo[id(tensor)] = tensor.detach().clone()
    return deepcopy(model, memo)
