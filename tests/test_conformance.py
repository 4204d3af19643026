"""The report on every derivative of a network: what is right, what is wrong, what torch refuses."""

import re

import pytest

torch = pytest.importorskip("torch")
from models import StraightThrough, layer  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from mslbook.losses._conformance import directions, point  # noqa: E402
from mslbook.losses._layers import LayerLoss  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.probes import conformance  # noqa: E402

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(8) % 3
USED = ("gradient", "reverse over reverse", "symmetry")
FORWARD = ("forward over reverse", "forward over jacrev", "reverse over forward")


class WrittenOut(nn.LayerNorm):
    """A LayerNorm in operations of which torch has every derivative."""

    def forward(self, x):
        variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        return (x - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias


def mlp(*between):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), *between, nn.Linear(6, 3))


def right(error):
    return isinstance(error, float) and error < 1e-6


def test_a_right_network_is_right_in_every_mode():
    loss = NetworkLoss(mlp(WrittenOut(6), nn.Tanh()), (X, Y), nn.CrossEntropyLoss())
    report = conformance(loss)
    assert list(report.errors) == ["the whole loss", "Sequential", "Linear 0", "WrittenOut 1",
                                   "Tanh 2"]  # fmt: skip
    assert all(right(error) for row in report.errors.values() for error in row.values())
    assert report.ok
    assert report.refused is None


@pytest.mark.parametrize("make", [
    lambda: nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2, padding=1), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3)),
    lambda: mlp(nn.ReLU(), nn.ReLU()),  # zeros go into the second one
    lambda: mlp(nn.BatchNorm1d(6), nn.Dropout(0.5), nn.GELU()),
])  # fmt: skip
def test_kinks_random_layers_and_batch_statistics_are_no_faults(make):
    model = make().train()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    report = conformance(NetworkLoss(model, (X, Y), half_squared_error))
    assert report.ok, report
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(module.training for module in model.modules())


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.func uses torch.jit
def test_errors_of_layer_norm_are_those_beside_a_norm_written_out():
    """Whatever they are in this torch: measured here by derivatives, not by differences."""
    inputs = torch.randn(3, 6, generator=torch.Generator().manual_seed(2)).double()
    torchs, exact = (
        LayerLoss(norm(6).double(), (inputs,), {}) for norm in (nn.LayerNorm, WrittenOut)
    )
    theta = point(torchs)
    _, v = directions(theta)

    def f(x):
        return torchs.evaluate(x, lambda value, _: value)

    def along(value, x):
        return torch.autograd.grad(value, x, create_graph=True)[0] @ v

    def third(value, x):
        return torch.autograd.grad(along(along(value, x), x), x)[0]

    def error(one, other):
        return pytest.approx(float((one - other).norm() / max(one.norm(), other.norm())), abs=1e-6)

    row = conformance((nn.LayerNorm(6).double(), inputs)).errors["LayerNorm"]
    right_product = exact.hvp(theta, v)
    product = torch.func.grad(lambda x: torch.func.jvp(f, (x,), (v,))[1])(theta)
    assert row["reverse over forward"] == error(product, right_product)
    product = torch.func.jvp(torch.func.jacrev(f), (theta,), (v,))[1]
    assert row["forward over jacrev"] == error(product, right_product)
    thirds = (loss.evaluate(theta.clone().requires_grad_(), third) for loss in (torchs, exact))
    assert row["third derivative"] == error(*thirds)
    assert all(right(row[one]) for one in (*USED, "forward over reverse"))
    if torch.__version__.startswith("2.15."):
        assert min(row["reverse over forward"], row["forward over jacrev"]) > 0.05
        assert row["third derivative"] > 0.1


@pytest.mark.filterwarnings("ignore")
def test_a_module_that_a_loss_refuses_is_reported_with_the_reason():
    for module, quantity, words in (
        (parametrizations.weight_norm(nn.Linear(4, 3)), "reverse over reverse", "_WeightNorm"),
        (layer(StraightThrough.apply), "gradient", "has a gradient that is not the derivative"),
        (layer(lambda x: x / x.norm().detach()), "reverse over reverse", "detach"),
    ):
        report = conformance((module, X))
        assert not report.ok
        assert words in report.refused
        row = next(iter(report.errors.values()))
        assert row[quantity] > 1e-3
        assert row["third derivative"].startswith("not compared")


def test_what_torch_has_not_is_text():
    report = conformance((mlp(nn.Hardsigmoid()), X))
    row = report.errors["Hardsigmoid 1"]
    assert row["reverse over reverse"] == (
        "not implemented: derivative for aten::hardsigmoid_backward is not implemented"
    )
    assert not report.ok


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Sequential(nn.Linear(4, 6), nn.Tanh()), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(checkpoint(self.first, x, use_reentrant=False))


def test_checkpointed_activations_are_right_in_reverse_alone():
    report = conformance(NetworkLoss(Checkpointed(), (X, Y), nn.CrossEntropyLoss()))
    for name in ("the whole loss", "Checkpointed"):
        row = report.errors[name]
        assert all(right(row[one]) for one in (*USED, "third derivative"))
        assert all(row[one].startswith("not implemented") for one in FORWARD)
    assert report.ok


def test_inputs_are_passed_as_forward_takes_them():
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    x = torch.randn(2, 3, 4)
    padding = torch.tensor([[False, False, True]] * 2)
    keywords = {"query": x, "key": x, "value": x, "key_padding_mask": padding}
    for inputs in ((x, x, x), keywords):
        report = conformance((attention, inputs))
        assert report.ok, report
        assert "MultiheadAttention" in report.errors


def test_theta_is_where_the_loss_is_examined():
    class Kinked(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return torch.where(self.w > 0, self.w, self.w.detach()) * x

    loss = NetworkLoss(Kinked(), (X, X), nn.MSELoss())
    assert conformance(loss).errors["the whole loss"]["gradient"] < 1e-6
    far = conformance(loss, torch.tensor([-2.0]))
    assert far.errors["the whole loss"]["gradient"] > 0.9
    assert not far.ok
    with pytest.raises(ValueError, match="theta must be finite"):
        conformance(loss, torch.tensor([float("nan")]))


def test_a_module_that_is_no_function_is_refused_in_words():
    with pytest.raises(ValueError, match="set its max_norm to None"):
        conformance((nn.Embedding(5, 2, max_norm=1.0), torch.tensor([1, 2])))


def test_it_prints_as_a_table_that_is_markdown():
    report = conformance((mlp(nn.Hardsigmoid()), X))
    header, rule, *rows = repr(report).split("\n\n")[0].splitlines()
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells == ["layer", *USED[:2], *FORWARD, "symmetry", "third derivative"]
    assert re.fullmatch(r"(\| -+ )+\|", rule)
    assert len({len(line) for line in (header, rule, *rows)}) == 1
    assert [row.split()[1] for row in rows] == ["Sequential", "Linear", "Hardsigmoid"]
    assert "rounding" in rows[1]
    assert "not implemented" in rows[2]
    assert repr(report).endswith(f"NetworkLoss refuses it: {report.refused}")
    assert report._repr_markdown_() == repr(report)


def test_errors_read_as_rounding_orders_and_percentages():
    from mslbook.probes.conformance import _in_words

    told = {3e-12: "rounding", 2e-5: "2e-05", 0.6649: "66 %", 1.31: "130 %", 0.0123: "1.2 %"}
    assert {error: _in_words(error) for error in told} == told
