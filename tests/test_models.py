"""The networks of the experiments."""

import pytest

torch = pytest.importorskip("torch")

from mslbook.models import ACTIVATIONS, fully_connected  # noqa: E402


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
    bend = {"tanh": torch.tanh, "relu": torch.relu, "gelu": torch.nn.functional.gelu}[activation]
    torch.testing.assert_close(model(x), bend(x @ w1.T + b1) @ w2.T + b2)


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


@pytest.mark.parametrize("widths", [[], [4], [4, 0], [4, 2.0], ["4", 3], [4, -1, 2]])
def test_widths_that_make_no_network_are_refused(widths):
    with pytest.raises(ValueError, match="two or more positive whole numbers"):
        fully_connected(widths)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="no activation 'swish': choose one of tanh, relu, gelu"):
        fully_connected([4, 3], activation="swish")
