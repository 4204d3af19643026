"""What recipes share: the loss of a network on pictures, and what a run says of itself."""

from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from mslbook.data import colour_32, standardise_channels
from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.paper.recording import fingerprint

LOSSES = {"cross-entropy": nn.CrossEntropyLoss(), "half squared error": half_squared_error}


def identify(recipe, version, pictures, count, size, chosen, device, tests=0):
    """Which run this is, as a dictionary of plain values, the first part of its provenance.

    It uses the first `count` training pictures and the first `tests` test pictures of `pictures`,
    with the settings `chosen`. Raises ``ValueError`` if there are too few.
    """
    if len(pictures.train_images) < count:
        raise ValueError(
            f"{pictures.name} has {len(pictures.train_images)} training pictures, this run needs "
            f"{count}: choose a larger data set"
            + (", or a smaller --size" if size != "small" else "")
        )
    images, labels = pictures.train_images[:count], pictures.train_labels[:count]
    data, arrays = f"{pictures.name}, training rows 0-{count - 1}", [images, labels]
    if tests:
        data += f", test rows 0-{tests - 1}"
        arrays += [pictures.test_images[:tests], pictures.test_labels[:tests]]
    return {
        "recipe": recipe,
        "version": version,
        "data": data,
        "data_hash": fingerprint(*arrays),
        "size": size,
        "settings": asdict(chosen),
        "device": device.type,
        "precision": "float32",
    }


def convolutional_loss(model, pictures, count, device, criterion, chunk=None):
    """The loss of a network for 32 x 32 colour pictures on the first `count` training pictures.

    They are standardised per channel; `criterion` is a key of `LOSSES`, `chunk` that of
    :class:`~mslbook.losses.network.NetworkLoss`.
    """
    images = standardise_channels(colour_32(pictures.train_images[:count]))
    targets = _labels(pictures.train_labels[:count], device)
    return NetworkLoss(model.to(device), _inputs(images, device), targets, LOSSES[criterion], chunk)


def held_out(pictures, count, device):
    """All test pictures, standardised like the first `count` training pictures, and their labels.

    They go with `convolutional_loss`.
    """
    like = pictures.train_images[:count]
    images = standardise_channels(colour_32(pictures.test_images), like=colour_32(like))
    return _inputs(images, device), _labels(pictures.test_labels, device)


def _inputs(images, device):
    # With channels last, convolutions on a CPU are half as fast again. (Torch 2.15 then writes
    # beyond its memory in 1 x 1 convolutions of stride 2 with fewer than 8 channels, as ResNet18
    # has below width 1/8.)
    return torch.tensor(images, device=device).contiguous(memory_format=torch.channels_last)


def _labels(labels, device):
    return torch.tensor(labels.astype(np.int64), device=device)
