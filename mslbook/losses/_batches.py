"""Data as people have them: one pair of inputs and targets, or batches that can be read again."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from math import isclose, isfinite
from typing import Any, NamedTuple

import numpy as np
import torch

from mslbook import distributed
from mslbook._checks import check_int


def map_tensors(function, tree):
    """The same structure with ``function(tensor)`` in the place of every tensor or array."""
    if isinstance(tree, torch.Tensor):
        return function(tree)
    if isinstance(tree, np.ndarray):
        return function(torch.as_tensor(tree))
    if isinstance(tree, tuple | list):
        items = [map_tensors(function, item) for item in tree]
        return tree._make(items) if hasattr(tree, "_fields") else type(tree)(items)
    if callable(tree):
        return tree
    if not isinstance(tree, Mapping):
        return _map_attributes(function, tree)
    new = copy.copy(tree)  # of its own kind, such as the outputs of a Hugging Face model
    for key, item in tree.items():
        new[key] = map_tensors(function, item)
    return new


def _map_attributes(function, tree):
    if hasattr(tree, "__dict__"):
        names = tuple(vars(tree))
    elif is_dataclass(tree):  # with slots
        names = [field.name for field in fields(tree)]
    else:
        return tree
    new = copy.copy(tree)
    for name in names:
        item = map_tensors(function, getattr(tree, name))
        object.__setattr__(new, name, item)  # in a frozen dataclass, too
    return new


def tensors(tree):
    """All tensors of a structure, in order."""
    found = []
    map_tensors(found.append, tree)
    return found


def take(tree, rows):
    """Some rows of every tensor."""
    return map_tensors(lambda tensor: tensor[rows] if tensor.ndim else tensor, tree)


def join(first, second):
    """The rows of two structures of one kind, one after the other, where their shapes fit."""
    others = iter(tensors(second))

    def both(tensor):
        other = next(others)
        fit = tensor.ndim and tensor.shape[1:] == other.shape[1:]
        return torch.cat([tensor, other]) if fit else tensor

    return map_tensors(both, first)


def count_rows(inputs, targets):
    """The length of the first axis that all tensors of a batch share."""
    rows = [tensor for tensor in tensors(inputs) if tensor.ndim] + tensors(targets)
    found = {tensor.shape[:1] for tensor in rows}
    if len(found) != 1 or not tensors(inputs) or not (targets is None or tensors(targets)):
        raise ValueError(
            "inputs must be tensors (one, or a tuple or dictionary of them) with a row for each "
            f"target, tensors as well, not rows of {sorted(map(tuple, found))}"
        )
    return found.pop()[0]


class Piece(NamedTuple):
    """The rows of a chunk that one rank evaluates at a time."""

    inputs: Any
    targets: Any
    rows: slice  #: of all data
    share: float  #: of the rows of all data; 0 if another rank's answer counts
    part: distributed.Part


class Batches:
    """A data set in pieces of at most `chunk` rows, the same on every pass."""

    def __init__(self, data, chunk, device):
        self.chunk = None if chunk is None else check_int("chunk", chunk, least=1)
        self._device = device
        if isinstance(data, list) and len(data) == 2 and not isinstance(data[1], tuple | list):
            data = tuple(data)  # as a DataLoader gives one batch
        if isinstance(data, tuple):
            if len(data) != 2:
                raise ValueError(f"data must be a pair (inputs, targets), not {len(data)} things")
            data = [self._moved(data)]
        elif isinstance(data, torch.Tensor | Mapping) or not isinstance(data, Iterable):
            raise TypeError(
                f"data must be a pair (inputs, targets), or batches of such pairs to be read again "
                f"and again, not a {type(data).__name__}"
            )
        self._data, self.unwritten = data, set()  # first rows of chunks that no pass writes to
        if self._read() is data:
            raise ValueError(
                "these data can be read only once, and every value, gradient and product reads "
                "them: give a list of batches, or a DataLoader"
            )
        self.sizes, seen = [], []
        for number, batch in enumerate(self._read()):
            self.sizes.append(self._size(number, batch))
            if self.pair is None:
                seen.append(distributed.checksum(tensors(batch)))
        if not sum(self.sizes):
            raise ValueError("there must be one target for each of at least one input")
        if self.pair is None and seen != self._checksums():
            raise ValueError(
                "the batches differ from pass to pass: switch off what is random in the data (a "
                "DataLoader with shuffle=True, augmentation), or give a list of batches"
            )

    @property
    def rows(self):
        """How many rows there are."""
        return sum(self.sizes)

    @property
    def pair(self):
        """The inputs and the targets, where the data are one pair; otherwise None."""
        return self._data[0] if isinstance(self._data, list) and len(self._data) == 1 else None

    def pieces(self):
        """Yield this rank's `Piece` of every chunk of every batch."""
        first = 0
        for inputs, targets, size in self.batches():
            for part in distributed.parts(size, self.chunk or size):
                rows = slice(first + part.rows.start, first + part.rows.stop)
                share = part.weight * size / self.rows
                yield Piece(take(inputs, part.rows), take(targets, part.rows), rows, share, part)
            first += size

    def samples(self, most):
        """Yield `most` rows at a time, or a chunk for None, with all targets of their batch."""
        for inputs, targets, size in self.batches():
            count = most or self.chunk or size
            for first in range(-(-size // count)):
                rows = torch.arange(first, size, max(size // count, 1))[:count]
                few = self.with_pair(take((inputs, targets), rows))
                few.chunk = None
                yield few, targets

    def chunks(self):
        """Yield the inputs and the targets of every chunk, the same on each rank."""
        for inputs, targets, size in self.batches():
            for first in range(0, size, self.chunk or size):
                rows = slice(first, first + (self.chunk or size))
                yield take(inputs, rows), take(targets, rows)

    @property
    def are_whole(self):
        """Whether every batch is one chunk."""
        return self.count_chunks() == len(self.sizes)

    def count_chunks(self):
        """How many chunks there are in all."""
        return sum(-(-size // (self.chunk or size)) for size in self.sizes)

    def with_pair(self, pair):
        """Other data in the same place, of which nothing has to be checked again."""
        new = copy.copy(self)
        new._data, new.unwritten = [new._moved(pair)], set()
        new.sizes = [count_rows(*new.pair)]
        return new

    def to(self, device):
        """The same data on another device."""
        new = copy.copy(self)
        new._device = device
        return new if self.pair is None else new.with_pair(self.pair)

    def normalised(self, weights):
        """The weights of the batches, adding up to 1."""
        try:
            weights = torch.as_tensor(weights, dtype=torch.float64)
        except (TypeError, ValueError):  # they are no numbers
            weights = torch.tensor(torch.nan)
        if self.chunk or distributed.ranks() > 1:
            raise ValueError("weights are those of whole batches: leave out chunk, and other ranks")
        fine = weights.shape == (len(self.sizes),) and bool((weights >= 0).all())
        if not (fine and 0 < float(weights.sum()) < float("inf")):
            raise ValueError(
                f"weights must be {len(self.sizes)} numbers, one for each batch, none of them "
                f"negative and not all 0, not {weights.tolist()!r:.60}"
            )
        return (weights / weights.sum()).tolist()

    def checksums(self):
        """A tensor of a checksum for each batch, if there are other ranks that have the same."""
        if distributed.ranks() == 1:
            return []
        return [torch.tensor(self._checksums())]

    def batches(self):
        """Yield the inputs, the targets and the rows of every batch."""
        batches = self._read()
        for number, size in enumerate(self.sizes):
            batch = self._moved(next(batches, (None, None)))
            found = count_rows(*batch) if batch[0] is not None else 0
            if found != size:
                raise ValueError(
                    f"batch {number} had {size} rows on the first pass and has {found} now: give "
                    "the same batches on every pass"
                )
            yield *batch, size

    def _read(self):
        """Begin a pass, of whose random numbers a DataLoader draws one."""
        if isinstance(self._data, list):
            return iter(self._data)
        own = getattr(self._data, "generator", None)
        own = own if isinstance(own, torch.Generator) else torch.default_generator
        state = own.get_state()
        with torch.random.fork_rng(devices=[]):
            batches = iter(self._data)
        own.set_state(state)
        return batches

    def _size(self, number, batch):
        if not (isinstance(batch, tuple | list) and len(batch) == 2):
            many = isinstance(batch, tuple | list)
            found = f"{len(batch)} things" if many else f"a {type(batch).__name__}"
            raise TypeError(
                f"every batch must be a pair (inputs, targets), not {found}: wrap the loader in a "
                "class whose __iter__ yields pairs"
            )
        rows = count_rows(*batch)
        if not rows and number:
            raise ValueError(f"batch {number} has no rows: leave it out")
        return rows

    def _moved(self, batch):
        def usable(tensor):
            tensor = tensor.to(self._device)
            with torch.inference_mode(False):  # whose own tensors cannot be differentiated
                return tensor.clone() if tensor.is_inference() else tensor

        return map_tensors(usable, tuple(batch))

    def _checksums(self):
        with torch.random.fork_rng(devices=[]):
            torch.rand(1)  # workers and shuffling draw their seeds from another place than before
            return [distributed.checksum(tensors(batch)) for batch in self._read()]


def piece_weights(batches, outputs_of, criterion):
    """The weight of this rank's pieces in the criterion of all data, None for their shares.

    A criterion with class weights or ignored targets is a mean in which rows weigh differently. Its
    gradient at the outputs of two pieces together is that of each of them times a weight, which
    gives the ratio of the two, or shows that the criterion is no mean over rows. All pieces are
    compared with the first one that has a gradient.
    """
    reference, ratios, sizes = None, [], []
    for chunk in batches.chunks():
        reference = _slopes(criterion, outputs_of(chunk[0]), chunk[1])
        if reference.known:
            break
    for piece in batches.pieces():
        other = _slopes(criterion, outputs_of(piece.inputs), piece.targets)
        ratios.append(_steady_weights(criterion, reference, other) if piece.share else (1.0, 0.0))
        sizes.append(piece.share)
    first, second = torch.tensor(ratios, dtype=torch.float64).T
    if _on_all_ranks((first + second - 1).abs() < RTOL):  # a mean
        weights = second / first
        weights = weights / distributed.total(weights.sum())
        shares = torch.tensor(sizes, dtype=torch.float64)
        return (
            None if _on_all_ranks((weights - shares).abs() <= RTOL * shares) else weights.tolist()
        )
    if _on_all_ranks(((first - 1).abs() < RTOL) & ((second - 1).abs() * second < RTOL)):
        return [float(size > 0) for size in sizes]  # a sum
    raise ValueError(NO_MEAN)


def _on_all_ranks(conditions):
    return distributed.total((~conditions).sum()) == 0


RTOL = 1e-5  # of weights; float32 gives them to about a tenth of that
ALL_AT_ONCE = "give all data at once, without chunk, or in batches with weights=, one for each"
NO_MEAN = (
    "the criterion is no mean or sum over the rows: the loss of all data is not made of that of "
    f"their chunks; {ALL_AT_ONCE}"
)


class _Slopes:
    """The gradient of the criterion at the outputs of some rows."""

    def __init__(self, criterion, outputs, targets):
        self.outputs, self.targets, leaves = outputs, targets, []

        def leaf(tensor):
            if not (tensor.is_floating_point() and tensor.ndim):
                return tensor.detach()
            leaves.append(tensor.detach().requires_grad_())
            return leaves[-1]

        value = criterion(map_tensors(leaf, outputs), map_tensors(torch.clone, targets))
        if not value.requires_grad:
            raise ValueError(f"the criterion reads no real numbers of single rows: {ALL_AT_ONCE}")
        slopes = torch.autograd.grad(value, leaves, materialize_grads=True, allow_unused=True)
        self.slopes, self.value = [slope.double() for slope in slopes], float(value.detach())
        self.finite = isfinite(self.value)
        self.known = self.finite and any(slope.any() for slope in self.slopes)

    def altered(self, criterion, factor):
        """The same at outputs of other rows and other size."""

        def other(tensor):
            rows = tensor.is_floating_point() and tensor.ndim
            return factor * tensor.detach().roll(1, 0) if rows else tensor

        return _Slopes(criterion, map_tensors(other, self.outputs), self.targets)


def _slopes(criterion, outputs, targets):
    """The `_Slopes` at these outputs; where these have none, as in a hinge, at others."""
    own = _Slopes(criterion, outputs, targets)
    if own.known or not own.finite:
        return own
    others = (_altered([own], criterion, factor) for factor in (1.0, -1.0, 30.0, -30.0))
    return next((one for found in others for one in found if one.known), own)


def _altered(pieces, criterion, factor):
    """The pieces at other outputs, or none where these leave the range of the criterion."""
    try:
        return [one.altered(criterion, factor) for one in pieces]
    except (RuntimeError, ValueError):
        return []


def _steady_weights(criterion, first, second):
    """The weights of two pieces; ValueError if they are others at other outputs."""
    found = _weights(criterion, first, second)
    for factor in (0.5, 30.0):
        others = _altered((first, second), criterion, factor)
        if others and all(one.known for one in others) and 0 not in found:
            again = _weights(criterion, *others)
            if not all(map(partial(isclose, rel_tol=1e-3), found, again)):
                raise ValueError(NO_MEAN)  # as of one over those rows that have a loss
    return found


def _weights(criterion, first, second):
    """The weights of two pieces in the criterion of both together."""
    try:
        outputs, targets = join(first.outputs, second.outputs), join(first.targets, second.targets)
        both = _Slopes(criterion, outputs, targets)
        if list(map(len, both.slopes)) == list(map(len, first.slopes)):  # none could be joined
            raise TypeError("they differ in shape")
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"the outputs or targets of two batches do not fit together ({error}): the criterion "
            f"must read tensors of one shape with a row for each input, or {ALL_AT_ONCE}"
        ) from error
    parts, rest = [], []
    for whole, own, other in zip(both.slopes, first.slopes, second.slopes, strict=True):
        joined = len(whole) == len(own) + len(other)  # or the criterion must not read it
        parts.append(whole[: len(own)] if joined else whole)
        rest.append(whole[len(own) :] if joined else torch.zeros_like(other))
    found = _ratio(parts, first), _ratio(rest, second)
    terms = [w * piece.value for w, piece in zip(found, (first, second), strict=True) if w]
    if not isclose(sum(terms), both.value, rel_tol=1e-4, abs_tol=1e-4 * max(map(abs, terms))):
        raise ValueError(NO_MEAN)  # as of a term in the parameters, which every piece has
    return found


def _ratio(slopes, piece):
    """The factor between two gradients; 0 for a piece of which every target is ignored."""
    if not piece.finite and not any(slope.any() for slope in slopes):
        return 0.0
    whole, own = (torch.cat([s.reshape(-1) for s in each]) for each in (slopes, piece.slopes))
    if not piece.known:
        raise ValueError(
            "the criterion has no gradient on some batch, so that nothing shows how much it weighs:"
            f" {ALL_AT_ONCE}"
        )
    ratio = whole @ own / (own @ own)
    if not (ratio > 0 and (whole - ratio * own).norm() <= 1e-3 * whole.norm()):
        raise ValueError(NO_MEAN)
    return float(ratio)
