"""The networks of the experiments.

The convolutional ones are put together from torchvision's own blocks. These were made for pictures
of 224 x 224 pixels and shrink them by 32, most of it in the first layers; of a picture of 32 x 32
nothing would be left. So the first layer is a 3 x 3 convolution of stride 1 without pooling, and
VGG's three wide fully connected layers, nine tenths of its parameters, become a single one.
Each function imports the blocks it needs, since torchvision takes longer to import than torch.
"""

from contextlib import contextmanager
from itertools import pairwise
from numbers import Real

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
    with _seeded(seed):
        layers = [nn.Flatten()]
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out, bias), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])  # no activation behind the last layer


def vgg11(classes=10, width=1.0, batchnorm=False, seed=0):
    """VGG11 for colour pictures of 32 x 32 pixels.

    `width` scales the channels of every layer (64 to 512 at 1). The eight convolutions come from
    torchvision, as do their initial parameters (He et al.'s normal distribution, fan-out);
    ``batchnorm=True`` puts a BatchNorm behind each. What is adapted is the head: after five
    poolings a picture is one pixel, so a single linear layer reads it out, in place of three that
    expect 7 x 7. Raises ``ValueError`` for a width or a number of classes that cannot be.

    >>> sum(p.numel() for p in vgg11().parameters())
    9225610
    >>> vgg11(width=0.25)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    from torchvision.models import vgg

    channels = _scaled(classes, width)
    plan = [c if c == "M" else channels(c) for c in vgg.cfgs["A"]]
    with _seeded(seed):
        with torch.device("meta"):  # torchvision's classifier has 120 million numbers, for nothing
            model = vgg.VGG(nn.Identity(), init_weights=False)
        model.features, model.avgpool = vgg.make_layers(plan, batchnorm), nn.Identity()
        model.classifier = nn.Linear(plan[-2], classes)
        _he_initialise(model)
    return model


def resnet18(classes=10, width=1.0, seed=0):
    """ResNet18 for colour pictures of 32 x 32 pixels.

    `width` scales the channels of every layer (64 to 512 at 1). The basic blocks and their initial
    parameters are torchvision's; the stem is a 3 x 3 convolution of stride 1 without pooling.
    Raises ``ValueError`` for a width or a number of classes that cannot be.

    >>> sum(p.numel() for p in resnet18().parameters())
    11173962
    >>> resnet18(width=0.25)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    from torchvision.models import resnet

    channels = _scaled(classes, width)
    stages = [channels(c) for c in (64, 128, 256, 512)]
    with _seeded(seed):
        stem = nn.Sequential(_conv(3, stages[0], 3), nn.BatchNorm2d(stages[0]), nn.ReLU())
        blocks = [resnet.BasicBlock(stages[0], stages[0]), resnet.BasicBlock(stages[0], stages[0])]
        for before, after in pairwise(stages):
            shortcut = nn.Sequential(_conv(before, after, 1, stride=2), nn.BatchNorm2d(after))
            blocks += [
                resnet.BasicBlock(before, after, stride=2, downsample=shortcut),
                resnet.BasicBlock(after, after),
            ]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(stages[-1], classes)]
        model = nn.Sequential(stem, *blocks, *head)
        _he_initialise(model)
    return model


def densenet121(classes=50, width=1.0, seed=0):
    """DenseNet121 for colour pictures of 32 x 32 pixels.

    `width` scales the growth rate and the channels of the stem (32 and 64 at 1). Everything is
    torchvision's but the stem, a 3 x 3 convolution of stride 1 without pooling. Raises
    ``ValueError`` for a width or a number of classes that cannot be.

    >>> sum(p.numel() for p in densenet121().parameters())
    6997426
    >>> densenet121(width=0.25)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 50])
    """
    from torchvision.models import densenet

    channels = _scaled(classes, width)
    with _seeded(seed):
        model = densenet.DenseNet(channels(32), num_init_features=channels(64), num_classes=classes)
        stem = _conv(3, channels(64), 3)
        nn.init.kaiming_normal_(stem.weight)
        model.features.conv0, model.features.pool0 = stem, nn.Identity()
    return model


@contextmanager
def _seeded(seed):
    """Random numbers of this seed, the global random state left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _scaled(classes, width):
    """The number of channels of a layer as a function of its number at width 1."""
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise ValueError(f"classes must be a positive whole number, not {classes!r}")
    if not (isinstance(width, Real) and 1 / 32 <= width < float("inf")):
        raise ValueError(f"width must be at least 1/32 and finite, not {width!r}: 1 is full size")
    return lambda channels: round(channels * width)


def _conv(before, after, size, stride=1):
    return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)


def _he_initialise(model):
    """What torchvision does to the convolutions of its own VGG and ResNet."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
