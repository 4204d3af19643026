"""What the experiments on images share: the loss of a network on them."""

import numpy as np
import torch
from torch import nn

from mslbook.data import colour_32, standardise_channels
from mslbook.losses.network import NetworkLoss, half_squared_error

LOSSES = {"cross-entropy": nn.CrossEntropyLoss(), "half squared error": half_squared_error}


def convolutional_loss(model, images, count, device, criterion, chunk=None):
    """The `NetworkLoss` of a model on the first `count` images, 32 x 32, standardised per channel.

    `criterion` is a key of `LOSSES`; `chunk` images are evaluated at a time, all by default.
    """
    inputs = standardise_channels(colour_32(images.train_images[:count]))
    targets = labels_of(images.train_labels[:count], device)
    return NetworkLoss(
        model.to(device), (_inputs(inputs, device), targets), LOSSES[criterion], chunk=chunk
    )


def held_out(images, count, device):
    """All test images, standardised like the first `count` training images, and their labels."""
    like = colour_32(images.train_images[:count])
    inputs = standardise_channels(colour_32(images.test_images), like=like)
    return _inputs(inputs, device), labels_of(images.test_labels, device)


def labels_of(labels, device):
    """Labels (N,) as a tensor of integers on a device."""
    return torch.tensor(labels.astype(np.int64), device=device)


def accuracy(outputs, targets):
    """The share of images whose largest output (N, classes) is that of their class (N,)."""
    if targets.shape != outputs.shape[:1]:  # which torch might broadcast
        raise ValueError(f"give the class of each image, not {tuple(targets.shape)} classes")
    return float((outputs.argmax(dim=1) == targets).float().mean())


def _inputs(images, device):
    # With channels last, convolutions on a CPU are half as fast again. (Torch 2.15 then writes
    # beyond its memory in 1 x 1 convolutions of stride 2 with fewer than 8 channels, as ResNet18
    # has below width 1/8.)
    return torch.tensor(images, device=device).contiguous(memory_format=torch.channels_last)
