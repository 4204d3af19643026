"""The networks of the experiments."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import (  # noqa: E402
    ACTIVATIONS,
    densenet121,
    fully_connected,
    resnet18,
    vgg11,
)


def test_layers_are_those_asked_for():
    model = fully_connected([3072, 200, 200, 10])
    shapes = [tuple(p.shape) for p in model.parameters()]
    assert shapes == [(200, 3072), (200,), (200, 200), (200,), (10, 200), (10,)]
    assert isinstance(model[-1], torch.nn.Linear)  # outputs are not squashed
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_function_is_that_of_the_formula(activation):
    model = fully_connected([4, 5, 3], activation)
    x = torch.linspace(-2, 2, 8).reshape(2, 4)
    w1, b1, w2, b2 = model.parameters()
    functions = {"tanh": torch.tanh, "relu": torch.relu, "gelu": torch.nn.functional.gelu}
    torch.testing.assert_close(model(x), functions[activation](x @ w1.T + b1) @ w2.T + b2)


def test_the_seed_decides_and_nothing_else():
    state = torch.random.get_rng_state()
    first, again, other = (fully_connected([4, 5, 3], seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    late = fully_connected([4, 5, 3], seed=1)
    for a, b, c in zip(first.parameters(), again.parameters(), late.parameters(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
    assert not torch.equal(first[1].weight, other[1].weight)


def test_initialisation_is_that_of_pytorch():
    torch.manual_seed(5)
    expected = torch.nn.Linear(4, 5).weight
    assert torch.equal(fully_connected([4, 5, 3], seed=5)[1].weight, expected)


@pytest.mark.parametrize("width", ["1", None, 0, float("nan"), 1j])
@pytest.mark.parametrize("make", [vgg11, resnet18, densenet121])
def test_a_width_that_cannot_be(make, width):
    with pytest.raises(ValueError, match="width must be at least 0.03125 and finite, not"):
        make(width=width)


@pytest.mark.parametrize("widths", [[], [4], [4, 0], [4, 2.0], ["4", 3], [4, -1, 2]])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="each width must be a whole|at least the inputs and the"):
        fully_connected(widths)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="no activation 'swish': choose one of tanh, relu, gelu"):
        fully_connected([4, 3], activation="swish")


# --- convolutional networks -----------------------------------------------------------------------

# Each of ours beside torchvision's of the same name, whose blocks it is put together from.
PAIRS = {
    "vgg11": (vgg11, lambda: torchvision.models.vgg11(num_classes=10)),
    "vgg11 with BatchNorm": (
        partial(vgg11, batchnorm=True),
        lambda: torchvision.models.vgg11_bn(num_classes=10),
    ),
    "resnet18": (resnet18, lambda: torchvision.models.resnet18(num_classes=10)),
    "densenet121": (
        partial(densenet121, classes=10),
        lambda: torchvision.models.densenet121(num_classes=10),
    ),
}
SMALL = 1 / 32


def convolutions(model):
    return [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]


@pytest.mark.parametrize("name", PAIRS)
def test_at_width_one_only_the_stem_and_the_head_differ_from_torchvision(name):
    with torch.device("meta"):  # shapes alone, for a VGG11 of torchvision has 130 million numbers
        ours, theirs = (make() for make in PAIRS[name])
    shapes = [[tuple(c.weight.shape) for c in convolutions(model)] for model in (ours, theirs)]
    assert sorted(shapes[0][1:]) == sorted(shapes[1][1:])  # shortcuts stand elsewhere in the order
    assert shapes[0][0] == (64, 3, 3, 3)
    norms = [
        sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
        for model in (ours, theirs)
    ]
    assert norms[0] == norms[1]
    assert not any(isinstance(m, torch.nn.Dropout) for m in ours.modules())


def test_the_three_sizes_are_those_of_the_field():
    with torch.device("meta"):
        networks = vgg11(), resnet18(), densenet121()
        full = torchvision.models.densenet121(num_classes=50)
    stem = 64 * 3 * (7 * 7 - 3 * 3)
    expected = [9_225_610, 11_173_962, sum(p.numel() for p in full.parameters()) - stem]
    assert [sum(p.numel() for p in f.parameters()) for f in networks] == expected


def test_resnet_computes_what_torchvisions_stages_compute():
    ours = resnet18(width=SMALL, seed=3).double().eval()
    theirs = torchvision.models.resnet18(num_classes=10).double().eval()
    blocks = [b for b in ours if isinstance(b, torchvision.models.resnet.BasicBlock)]
    reference = [b for stage in range(1, 5) for b in getattr(theirs, f"layer{stage}")]
    assert [b.stride for b in blocks] == [b.stride for b in reference]
    assert [b.downsample is None for b in blocks] == [b.downsample is None for b in reference]
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    assert ours[:-3](x).shape == (2, 16, 4, 4)  # three strides of 2: 32 to 4 pixels


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("width", [SMALL, 1 / 16])
def test_every_width_takes_small_images_and_depends_on_every_parameter(name, width):
    model = PAIRS[name][0](width=width)
    outputs = model(torch.randn(4, 3, 32, 32))
    assert outputs.shape == (4, 10)
    outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("make", [vgg11, resnet18, densenet121])
def test_convolutional_networks_follow_their_seed_and_leave_the_global_state(make):
    state = torch.random.get_rng_state()
    one, again, other = (
        torch.nn.utils.parameters_to_vector(make(width=SMALL, seed=seed).parameters())
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("make", [vgg11, resnet18])
def test_convolutions_start_as_he_et_al_drew_them(make):
    for layer in convolutions(make(width=0.5))[1:]:
        fan_out = layer.weight.shape[0] * layer.kernel_size[0] ** 2
        assert float(layer.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


@pytest.mark.parametrize("make", [vgg11, resnet18, densenet121])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"width": 0}, "width must be at least 0.03125"),
        ({"width": float("nan")}, "width must be at least 0.03125"),
        ({"width": float("inf")}, "width must be at least 0.03125"),
        ({"classes": 0}, "classes must be a whole number of at least 1"),
        ({"classes": 2.5}, "classes must be a whole number of at least 1"),
    ],
)
def test_impossible_networks_are_refused(make, wrong, words):
    with pytest.raises(ValueError, match=words):
        make(**wrong)


@pytest.mark.parametrize(
    "make",
    [partial(vgg11, batchnorm=True), resnet18, densenet121],
    ids=["vgg11", "resnet", "dense"],
)
def test_between_its_kinks_the_hessian_is_the_derivative_of_the_gradient(make):
    """However little of that a whole step meets: chapter 3.1 says so of ResNet18."""
    images = torch.randn((8, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    model = make(10, width=1 / 8, seed=0).double()
    loss = NetworkLoss(model, (images.double(), torch.arange(8)), half_squared_error)
    direction = loss.grad(loss.theta)
    direction /= direction.norm()
    curvature = direction @ loss.hvp(loss.theta, direction)
    ahead, behind = (loss.grad(loss.theta + away * direction) for away in (1e-8, -1e-8))
    torch.testing.assert_close(direction @ (ahead - behind) / 2e-8, curvature, rtol=1e-4, atol=0)
