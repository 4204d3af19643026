"""Networks: fully connected ones, and torchvision's VGG, ResNet and DenseNet for small images."""

from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn

from mslbook._checks import check_int, check_real

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU}
MIN_WIDTH = 1 / 32  # DenseNet121 then grows by one channel a layer


def fully_connected(widths, activation="tanh", seed=0, bias=True):
    """A fully connected network, with PyTorch's default initialisation.

    Parameters
    ----------
    widths : sequence of int
        The widths of the layers, inputs and outputs included; images are flattened.
    activation : {"tanh", "relu", "gelu"}
        After every layer but the last.
    seed : int
        Of the parameters; the global random state is unchanged.
    bias : bool

    Examples
    --------
    >>> from mslbook.networks import fully_connected
    >>> sum(p.numel() for p in fully_connected([64, 200, 200, 10]).parameters())
    55210
    """
    widths = [check_int("each width", width, least=1) for width in widths]
    if len(widths) < 2:
        raise ValueError(f"widths must name at least the inputs and the outputs, not {widths}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"no activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}")
    with seeded(seed):
        layers = [nn.Flatten()]
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out, bias), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])  # no activation behind the last layer


def vgg11(classes=10, width=1.0, batchnorm=False, seed=0):
    """VGG11 for colour images of 32 x 32 pixels, with one linear layer in place of three.

    Parameters
    ----------
    classes, seed : int
    width : float
        Scales the channels of every layer (64 to 512 at 1), at least 1/32.
    batchnorm : bool
        Whether a BatchNorm follows each convolution.

    Examples
    --------
    >>> from mslbook.networks import vgg11
    >>> sum(p.numel() for p in vgg11().parameters())
    9225610
    """
    from torchvision.models import vgg  # slower to import than torch, here and below

    channels = _channels(classes, width)
    plan = [c if c == "M" else channels(c) for c in vgg.cfgs["A"]]
    with seeded(seed):
        with torch.device("meta"):  # torchvision's classifier has 120 million numbers, for nothing
            model = vgg.VGG(nn.Identity(), init_weights=False)
        model.features, model.avgpool = vgg.make_layers(plan, batchnorm), nn.Identity()
        model.classifier = nn.Linear(plan[-2], classes)
        _he_initialise(model)
    return model


def resnet18(classes=10, width=1.0, seed=0):
    """ResNet18 that starts with a 3 x 3 convolution of stride 1; parameters as for :func:`vgg11`.

    Examples
    --------
    >>> from mslbook.networks import resnet18
    >>> sum(p.numel() for p in resnet18().parameters())
    11173962
    """
    from torchvision.models.resnet import BasicBlock

    channels = _channels(classes, width)
    stages = [channels(c) for c in (64, 128, 256, 512)]
    with seeded(seed):
        stem = nn.Sequential(_conv(3, stages[0], 3), nn.BatchNorm2d(stages[0]), nn.ReLU())
        blocks = [BasicBlock(stages[0], stages[0]) for _ in range(2)]
        for before, after in pairwise(stages):
            shortcut = nn.Sequential(_conv(before, after, 1, stride=2), nn.BatchNorm2d(after))
            blocks += [BasicBlock(before, after, 2, shortcut), BasicBlock(after, after)]
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(stages[-1], classes)
        model = nn.Sequential(stem, *blocks, *head)
        _he_initialise(model)
    return model


def densenet121(classes=50, width=1.0, seed=0):
    """DenseNet121 that starts as :func:`resnet18`; parameters as for :func:`vgg11`.

    The width scales the growth rate and the stem (32 and 64 at 1).

    Examples
    --------
    >>> from mslbook.networks import densenet121
    >>> sum(p.numel() for p in densenet121().parameters())
    6997426
    """
    from torchvision.models.densenet import DenseNet

    channels = _channels(classes, width)
    with seeded(seed):
        model = DenseNet(channels(32), num_init_features=channels(64), num_classes=classes)
        stem = _conv(3, channels(64), 3)
        nn.init.kaiming_normal_(stem.weight)
        model.features.conv0, model.features.pool0 = stem, nn.Identity()
    return model


@contextmanager
def seeded(seed):
    """A context in which random numbers come from a seed; afterwards they are as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _channels(classes, width):
    """The number of channels of a layer as a function of its number at width 1."""
    check_int("classes", classes, least=1)
    check_real("width", width, least=MIN_WIDTH)
    return lambda channels: round(channels * width)


def _conv(before, after, size, stride=1):
    return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)


def _he_initialise(model):  # as torchvision does in its own VGG and ResNet
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
