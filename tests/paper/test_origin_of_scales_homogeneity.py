"""Section 6's identities of deep ReLU networks, on the package's own networks and losses."""

import pytest

torch = pytest.importorskip("torch")

from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import fully_connected  # noqa: E402
from mslbook.probes import sharpness  # noqa: E402

K = 7.3
WIDTHS = (12, 30, 30, 30, 30, 4)


def losses(depth, k, bias, activation="relu"):
    """The losses of x and of k x with the same target, and a point with parameters of size one."""
    generator = torch.Generator().manual_seed(depth)
    x, y = (torch.randn(3, n, generator=generator, dtype=torch.float64) for n in (12, 4))
    model = fully_connected([*WIDTHS[:depth], 4], activation, seed=depth, bias=bias).double()
    one, other = (NetworkLoss(model, (inputs, y), half_squared_error) for inputs in (x, k * x))
    return one, other, 2 * one.theta


@pytest.fixture(params=[2, 3, 4, 5])
def depth(request):
    return request.param


def test_without_bias_all_layers_share_the_scale(depth):
    one, other, theta = losses(depth, K, bias=False)
    scale = K ** (-1 / depth)
    torch.testing.assert_close(other.value(scale * theta), one.value(theta), rtol=1e-13, atol=0)
    torch.testing.assert_close(scale * other.grad(scale * theta), one.grad(theta), rtol=1e-11,
                               atol=1e-13)  # fmt: skip


def test_the_curvature_changes_by_the_square_of_the_scale(depth):
    one, other, theta = losses(depth, K, bias=False)
    v = torch.randn(len(theta), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scale = K ** (-1 / depth)
    ours = scale**2 * other.hvp(scale * theta, v)
    torch.testing.assert_close(ours, one.hvp(theta, v), rtol=1e-11, atol=1e-12)
    top = sharpness(other, scale * theta, tol=1e-8).values / sharpness(one, theta, tol=1e-8).values
    assert top[0] == pytest.approx(K ** (2 / depth), rel=1e-6)


@pytest.mark.parametrize("k", [-K, K])
def test_the_identity_fails_for_negative_k_and_with_bias(depth, k):
    one, other, theta = losses(depth, k, bias=k > 0)
    scale = abs(k) ** (-1 / depth)
    for sign in (1, -1):
        assert abs(other.value(sign * scale * theta) / one.value(theta) - 1) > 1e-3


def test_biases_that_scale_along_mend_it(depth):
    """The bias of layer j is multiplied by k^(1 - j/L): that of the last layer stays as it is."""
    one, other, theta = losses(depth, K, bias=True)
    powers = [p for j in range(1, depth + 1) for p in (-1 / depth, 1 - j / depth)]  # W1, b1, W2 ...
    sizes = [parameter.numel() for parameter in one.model.parameters()]
    pieces = zip(powers, theta.split(sizes), strict=True)
    scaled = torch.cat([K**power * piece for power, piece in pieces])
    torch.testing.assert_close(other.value(scaled), one.value(theta), rtol=1e-12, atol=0)


@pytest.mark.parametrize("k", [K, -K])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_first_layer_alone_can_take_the_scale(depth, k, bias, activation):
    one, other, theta = losses(depth, k, bias, activation)
    first = one.model[1].weight.numel()
    scaled = torch.cat([theta[:first] / k, theta[first:]])
    torch.testing.assert_close(other.value(scaled), one.value(theta), rtol=1e-13, atol=0)
