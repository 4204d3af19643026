"""The networks of the experiments."""

from itertools import pairwise

import torch
from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU}


def fully_connected(widths, activation="tanh", seed=0, bias=True):
    """A fully connected network with the given layer widths, inputs and outputs included.

    The parameters are PyTorch's default initialisation for this seed; the global random state is
    left as it was. `activation` is "tanh", "relu" or "gelu"; ``bias=False`` leaves out the biases.
    Pictures of any shape are flattened.

    >>> model = fully_connected([64, 200, 200, 10])
    >>> sum(p.numel() for p in model.parameters())
    55210
    >>> model(torch.zeros(7, 1, 8, 8)).shape
    torch.Size([7, 10])
    """
    widths = list(widths)
    if len(widths) < 2 or any(not isinstance(w, int) or w < 1 for w in widths):
        raise ValueError(f"widths must be two or more positive whole numbers, not {widths}")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"there is no activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Flatten()]
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out, bias), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])  # no activation behind the last layer
