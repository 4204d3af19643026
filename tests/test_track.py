"""The tracker against dense effective Hessians, at the edge of torch, and in plain loops."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import build, by_definition, dense  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from mslbook import SharpnessTracker  # noqa: E402
from mslbook.losses.network import half_squared_error  # noqa: E402
from mslbook.probes import batch_sharpness, critical_sharpness, sharpness  # noqa: E402

# --- the effective Hessian, from the gradients of the loop ----------------------------------------


def mean_of(gradients, beta):
    """The running mean that begins at 0."""
    mean = 0 * gradients[0]
    for gradient in gradients:
        mean = beta * mean + (1 - beta) * gradient
    return mean


def rmsprop(gradients, eps=1e-8, centered=False, alpha=0.9):
    square = mean_of([g * g for g in gradients], alpha)
    return (square - (mean_of(gradients, alpha) ** 2 if centered else 0)).sqrt() + eps


def adam(gradients, beta1=0.9, beta2=0.99, eps=1e-8, largest=False):
    steps = len(gradients)
    squares = [mean_of([g * g for g in gradients[: t + 1]], beta2) for t in range(steps)]
    square = torch.stack(squares).amax(0) if largest else squares[-1]
    return (1 - beta1**steps) * ((square / (1 - beta2**steps)).sqrt() + eps)


BETAS = {"betas": (0.9, 0.99)}
# Name: the optimizer, its P from the gradients that it was given, D / P^0 and D / P of its weight
# decay, and its edge.
CASES = {
    "SGD": (lambda p: torch.optim.SGD(p, 0.1), None, 0, 0, 20),
    "momentum": (lambda p: torch.optim.SGD(p, 0.1, 0.5), None, 0, 0, 30),
    "dampening": (lambda p: torch.optim.SGD(p, 0.1, 0.5, dampening=0.2), None, 0, 0, 37.5),
    "no momentum": (lambda p: torch.optim.SGD(p, 0.1, dampening=0.2), None, 0, 0, 20),
    "Nesterov": (lambda p: torch.optim.SGD(p, 0.1, 0.5, nesterov=True), None, 0, 0, 15),
    "decay": (lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.3), None, 0.3, 0, 20),
    "RMSprop": (lambda p: torch.optim.RMSprop(p, 0.01, 0.9), rmsprop, 0, 0, 200),
    "RMSprop centered": (
        lambda p: torch.optim.RMSprop(p, 0.01, 0.9, 1e-3, 0.2, 0.5, centered=True),
        lambda g: rmsprop(g, 1e-3, centered=True),
        *(0.2, 0, 300),
    ),
    "Adam": (lambda p: torch.optim.Adam(p, 0.01, **BETAS), adam, 0, 0, 3800),
    "Adam, decay": (
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), weight_decay=0.1),
        lambda g: adam(g, 0.8),
        *(0.1, 0, 1800),
    ),
    "AMSGrad": (
        lambda p: torch.optim.Adam(p, torch.tensor(0.01), (0.9, 0.5), amsgrad=True),
        lambda g: adam(g, beta2=0.5, largest=True),
        *(0, 0, 3800),
    ),
    "AdamW": (
        lambda p: torch.optim.AdamW(p, 0.01, (0.5, 0.99), eps=1e-2, weight_decay=0.1),
        lambda g: adam(g, 0.5, eps=1e-2),
        *(0, 0.3, 600),
    ),
}


def hessian(model, data):
    theta = nn.utils.parameters_to_vector(model.parameters()).detach()
    return dense(by_definition(model, *data, "half squared", None, "train"), theta)[1]


def update(model, data, optimizer, criterion=half_squared_error):
    optimizer.zero_grad()
    criterion(model(data[0]), data[1]).backward()
    optimizer.step()


def flat(model, attribute):
    return torch.cat([attribute(p).detach().reshape(-1) for p in model.parameters()]).clone()


def top(matrix):
    return float(torch.linalg.eigvalsh(matrix)[-1])


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_top_of_the_effective_hessian(name):
    make, preconditioner, coupled, decoupled, edge = CASES[name]
    model, *data, _ = build("tanh")
    optimizer, gradients = make(model.parameters()), []
    tracker = SharpnessTracker(
        model, tuple(data), half_squared_error, optimizer, every=1, probe=precise
    )
    for _ in range(3):
        before = flat(model, lambda p: p)
        update(model, data, optimizer)
        gradients.append(flat(model, lambda p: p.grad) + coupled * before)
        row = tracker.step()
    matrix = hessian(model, data) + coupled * torch.eye(len(before))
    if preconditioner:
        root = preconditioner(gradients) ** -0.5
        matrix = root[:, None] * matrix * root
    matrix = matrix + decoupled * torch.eye(len(before))
    assert row.sharpness == pytest.approx(top(matrix), rel=1e-6)
    assert row.edge == pytest.approx(edge)
    assert row.distance == row.edge - row.sharpness


def precise(loss, theta, **options):
    return sharpness(loss, theta, tol=1e-6, max_hvps=500, **options)


def test_rates_and_decays_of_groups_and_what_stays_fixed():
    model, *data, _ = build("tanh")
    first, last = model[0], model[2]
    last.bias.requires_grad_(False)
    groups = [
        {"params": last.parameters(), "lr": 0.2, "weight_decay": 0.5, "dampening": 0.5},
        {"params": [first.weight], "lr": 0.02},
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    tracker = SharpnessTracker(model, tuple(data), half_squared_error, optimizer, probe=precise)
    update(model, data, optimizer)
    row = tracker.step()
    sizes = [p.numel() for p in model.parameters()]
    rates = torch.tensor([0.02, 0.0, 0.1, 0.0]).double().repeat_interleave(torch.tensor(sizes))
    decay = torch.tensor([0.0, 0.0, 0.5, 0.0]).double().repeat_interleave(torch.tensor(sizes))
    root = (rates / 0.1).sqrt()
    expected = top(root[:, None] * (hessian(model, data) + decay.diag()) * root)
    assert row.sharpness == pytest.approx(expected, rel=1e-6)
    assert row.edge == pytest.approx(2 * 1.9 / 0.1)
    assert len(tracker.last.vectors[0]) == sizes[0] + sizes[2]  # without both biases


def test_some_parameters_alone():
    model, *data, _ = build("tanh")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = SharpnessTracker(
        model, tuple(data), half_squared_error, optimizer, probe=precise, params="2.*"
    )
    expected = top(hessian(model, data)[25:, 25:])
    assert tracker.step().sharpness == pytest.approx(expected, rel=1e-6)


# --- on either side of the edge -------------------------------------------------------------------

SLOW = 1 - 1e-12  # the decay of a mean of squares that stays as it is


def settle(model, optimizer):
    """Put the model close to its minimum, without momentum, at P as after many updates."""
    for number, p in enumerate(model.parameters()):
        p.data.fill_(START)
        state = optimizer.state[p]
        for name, value in (("square_avg", 4.0), ("exp_avg_sq", 4e-3), ("grad_avg", 1.0)):
            if name in state:
                state[name].fill_(value * (1 + number))
        if "exp_avg" in state:
            state["step"].fill_(1e9)
            state["exp_avg"].zero_()
        if state.get("momentum_buffer") is not None:
            state["momentum_buffer"].zero_()


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.1),
    "dampening": lambda p: torch.optim.SGD(p, 0.1, 0.8, dampening=0.5),
    "Nesterov": lambda p: torch.optim.SGD(p, 0.1, 0.8, nesterov=True),
    "decay": lambda p: torch.optim.SGD(p, 0.1, 0.5, weight_decay=4.0),
    "Nesterov, decay": lambda p: torch.optim.SGD(p, 0.1, 0.5, nesterov=True, weight_decay=4.0),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 0.1, SLOW, weight_decay=1.0, momentum=0.5),
    "centered": lambda p: torch.optim.RMSprop(p, 0.1, SLOW, centered=True),
    "Adam": lambda p: torch.optim.Adam(p, 0.1, (0.8, SLOW), weight_decay=3.0),
    "AdamW": lambda p: torch.optim.AdamW(p, 0.1, (0.8, SLOW), weight_decay=4.0),
}
OTHER = {"lr": 0.03, "weight_decay": 0.1}  # of a second group


class Parabola(nn.Module):
    """Half of c x·A x for the curvature c that is the input."""

    A = torch.tensor([[2.0, 0.9], [0.9, 1.0]]).double()

    def __init__(self):
        super().__init__()
        self.x, self.y = (nn.Parameter(torch.full((1,), 1e-9).double()) for _ in range(2))

    def forward(self, c):
        x = torch.cat([self.x, self.y])
        return c * (x @ self.A @ x) / 2


def first(outputs, targets):
    return outputs.sum()


START = 1e-90  # so small that no gradient on the way changes a mean of squares


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_below_the_edge_torch_converges_and_above_it_diverges(name):
    model, curvature = Parabola(), torch.ones(1).double()
    data = curvature, torch.zeros(1)
    optimizer = OPTIMIZERS[name]([{"params": [model.x]}, {"params": [model.y]} | OTHER])
    tracker = SharpnessTracker(model, data, first, optimizer, every=1, probe=precise)
    update(model, data, optimizer, first)
    for _ in range(12):  # until the tracker says that this curvature is at the edge
        settle(model, optimizer)
        row = tracker.step()
        curvature *= row.edge / row.sharpness
    assert abs(row.distance) < 1e-3 * row.edge
    edge = curvature.clone()
    for factor, grows in ((0.97, False), (1.03, True)):
        curvature.copy_(factor * edge)
        settle(model, optimizer)
        sizes = []
        for _ in range(200):
            update(model, data, optimizer, first)
            sizes.append(flat(model, torch.abs).sum())
        growth = max(sizes[-10:]) / max(sizes[100:110])
        assert growth > 2 if grows else growth < 1 / 2


# --- in a loop ------------------------------------------------------------------------------------


def moon(dtype=torch.float32):
    """A few points of two kinds, a model with dropout and BatchNorm, and what trains it."""
    torch.manual_seed(0)
    x = torch.randn(24, 4, dtype=dtype)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 2)
    )
    return model.to(dtype), x, y


def train(model, loader, optimizer, tracker=None, updates=5):
    """The losses of a plain loop."""
    values = []
    while len(values) < updates:
        for batch in loader:
            optimizer.zero_grad()
            value = nn.functional.cross_entropy(model(batch[0]), batch[1])
            value.backward()
            optimizer.step()
            if tracker:
                tracker.step(batch)
            values.append(value.item())
    return values[:updates]


def shuffled(x, y):
    return DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)


def loader_that_draws(x, y):
    return DataLoader(TensorDataset(x, y), batch_size=12)  # a seed on every pass


@pytest.mark.parametrize("probe", [sharpness, critical_sharpness, batch_sharpness])
@pytest.mark.parametrize("own", [True, False])
def test_the_training_is_what_it_is_without(own, probe):
    ends = []
    for tracked in (False, True):
        model, x, y = moon()
        optimizer = torch.optim.AdamW(model.parameters(), 0.01)
        tracker, data = None, None if own else loader_that_draws(x, y)
        if tracked:
            tracker = SharpnessTracker(
                model, data, nn.functional.cross_entropy, optimizer, every=2, probe=probe
            )
        values = train(model, shuffled(x, y), optimizer, tracker)
        state = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
        state += [value for one in optimizer.state.values() for value in one.values()]
        modes = [module.training for module in model.modules()]
        ends.append((values, modes, len(optimizer.state), [*state, torch.get_rng_state()]))
    for one, other in zip(ends[0][:3], ends[1][:3], strict=True):
        assert one == other
    for one, other in zip(ends[0][3], ends[1][3], strict=True):
        assert torch.equal(one, other)
    assert tracker.history.step.tolist() == [1, 3, 5]
    assert np.isfinite(tracker.history.sharpness).all()


def tracked(every=1, model=None, make=torch.optim.SGD, lr=0.1, probe=sharpness, **options):
    """A tracker of a small network, and a function that makes a full-batch update."""
    built, x, y, _ = build("tanh")
    model = model or built
    optimizer = make(model.parameters(), lr)
    tracker = SharpnessTracker(
        model, (x, y), half_squared_error, optimizer, every, probe, **options
    )
    return tracker, lambda: (update(model, (x, y), optimizer), tracker.step())[1]


def test_it_measures_at_the_first_update_and_then_at_every_third():
    tracker, step = tracked(every=3)
    assert len(tracker.history) == 0
    assert tracker.history.dtype.names == ("step", "sharpness", "edge", "distance")
    rows = [step() for _ in range(8)]
    assert [row is not None for row in rows] == [True, False, False] * 2 + [True, False]
    history = tracker.history
    assert history.step.tolist() == [1, 4, 7]
    assert history[1] == rows[3]
    assert history["converged"].all()
    assert (history.residual <= 1e-3).all()
    assert history.products.sum() > 0
    assert rows[-2].sharpness == tracker.last.values[0]


def test_a_warm_start_saves_products():
    tracker, step = tracked()
    warm = [int(step().products) for _ in range(6)]
    tracker, step = tracked(probe=lambda loss, theta: cold.append(sharpness(loss, theta).hvps) or 0)
    cold = []
    for _ in range(6):
        step()
    assert warm[0] == cold[0]
    assert max(warm[1:]) < min(cold)


def test_it_reaches_the_edge_and_stays_there():
    tracker, step = tracked(lr=0.7, every=20)
    for _ in range(300):
        step()
    late = tracker.history[-8:]
    assert tracker.history.sharpness[0] < late.sharpness.min()
    assert late.sharpness.mean() == pytest.approx(late.edge[0], rel=0.05)


@pytest.mark.parametrize("probe", [sharpness, critical_sharpness])
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam])
def test_it_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(make, probe, tmp_path):
    whole, step = tracked(every=3, make=make, probe=probe)
    for _ in range(6):
        step()
    saved = {"model": whole.model.state_dict(), "optimizer": whole.optimizer.state_dict()}
    torch.save(saved | {"tracker": whole.state_dict()}, tmp_path / "checkpoint.pt")
    for _ in range(7):
        step()

    resumed, step = tracked(every=3, make=make, probe=probe)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    resumed.model.load_state_dict(saved["model"])
    resumed.optimizer.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["tracker"])
    for _ in range(7):
        step()
    assert resumed.updates == whole.updates == 13
    assert resumed.history.dtype == whole.history.dtype
    np.testing.assert_array_equal(resumed.history, whole.history)


def test_a_checkpoint_before_the_first_row():
    tracker, step = tracked()
    other, _ = tracked()
    other.load_state_dict(tracker.state_dict())
    assert len(other.history) == 0
    assert step().step == 1


def test_the_table_is_read_back(tmp_path):
    tracker, step = tracked()
    for _ in range(3):
        step()
    tracker.save(tmp_path / "table.csv")
    table = np.genfromtxt(tmp_path / "table.csv", delimiter=",", names=True, dtype=None)
    assert table.dtype.names == tracker.history.dtype.names
    np.testing.assert_array_equal(table["sharpness"], tracker.history.sharpness)
    np.testing.assert_array_equal(table["converged"], tracker.history["converged"])


@pytest.mark.parametrize("probe", [sharpness, critical_sharpness])
def test_the_figure_has_sharpness_and_edge(probe):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    tracker, step = tracked(probe=probe)
    assert tracker.plot().get_yscale() == "linear"  # without a row, too
    for _ in range(3):
        step()
    axes = tracker.plot()
    assert tracker.plot(axes) is axes
    curve, edge = axes.lines[:2]
    np.testing.assert_array_equal(curve.get_ydata(), tracker.history.sharpness)
    np.testing.assert_array_equal(edge.get_ydata(), 20.0)
    assert len(axes.collections) == 2 * (probe is critical_sharpness)
    axes.figure.canvas.draw()
    tracker._rows[0]["sharpness"] *= 100
    assert tracker.plot().get_yscale() == "log"
    matplotlib.pyplot.close("all")


# --- what is measured on what ---------------------------------------------------------------------


def test_critical_sharpness_costs_a_few_values_and_is_below_the_sharpness():
    tracker, step = tracked(make=torch.optim.Adam, probe=critical_sharpness)
    other, other_step = tracked(make=torch.optim.Adam)
    for _ in range(4):
        row, sharp = step(), other_step()
        assert row.low < row.sharpness < row.high
        assert row.sharpness < sharp.sharpness
        assert row.edge == sharp.edge
    assert tracker.history["count"][1:].max() <= 8


def test_batch_sharpness_is_of_the_batches_of_the_data():
    model, x, y = moon(torch.float64)
    model = nn.Sequential(model[0], model[2], model[4])
    batches = list(zip(x.split(6), y.split(6), strict=True))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.2)
    cross_entropy = nn.functional.cross_entropy
    tracker = SharpnessTracker(model, batches, cross_entropy, optimizer, probe=batch_sharpness)
    row = tracker.step()

    def curvature(x, y):
        names, parameters = zip(*model.named_parameters(), strict=True)
        theta = flat(model, lambda p: p)

        def loss(theta):
            pieces = theta.split([p.numel() for p in parameters])
            state = {
                n: piece.view(p.shape)
                for n, p, piece in zip(names, parameters, pieces, strict=True)
            }
            outputs = torch.func.functional_call(model, state, (x,))
            return cross_entropy(outputs, y) + 0.1 * theta @ theta

        grad, matrix = dense(loss, theta)
        return float(grad @ matrix @ grad / (grad @ grad))

    values = [curvature(*batch) for batch in batches]
    assert row.sharpness == pytest.approx(np.mean(values))
    assert row["count"] == 4
    assert row.low < min(values) < max(values) < row.high


def test_the_loops_own_batch_is_the_last_one_and_batch_sharpness_of_the_last_ones():
    model, x, y = moon(torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    own = SharpnessTracker(model, None, nn.functional.cross_entropy, optimizer, every=4)
    mean = SharpnessTracker(
        model, None, nn.functional.cross_entropy, optimizer, 4, probe=batch_sharpness
    )
    batches = [[x[k : k + 3 + k], y[k : k + 3 + k]] for k in range(5)]  # of several sizes
    for batch in batches:
        row, other = own.step(batch), mean.step(batch)
    fixed = SharpnessTracker(model, tuple(batches[-1]), nn.functional.cross_entropy, optimizer)
    assert row.sharpness == pytest.approx(fixed.step().sharpness, rel=1e-5)
    assert other["count"] == 5


def test_inputs_by_name_and_a_model_inside_of_another(monkeypatch):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x, scale):
            return self.layer(x * scale)

    model, x, y = Named(), torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    data = {"x": x, "scale": torch.ones(6, 1)}, y
    compiled = torch.compile(model)
    optimizer = torch.optim.SGD(compiled.parameters(), 0.1)
    row = SharpnessTracker(compiled, data, half_squared_error, optimizer).step()
    plain = SharpnessTracker(model.layer, (x, y), half_squared_error, optimizer).step()
    assert row.sharpness == pytest.approx(plain.sharpness)


def test_a_learning_rate_of_zero_has_an_infinite_edge_and_a_schedule_moves_it():
    tracker, step = tracked(make=torch.optim.Adam)
    (group,) = tracker.optimizer.param_groups
    for lr, edge in ((0.0, np.inf), (0.01, 3800), (0.02, 1900)):
        group["lr"] = lr
        row = step()
        assert row.edge == pytest.approx(edge)
        assert np.isfinite(row.sharpness)
    assert tracker.history.distance[0] == np.inf


def test_an_unknown_optimizer_has_no_edge_and_says_so_once():
    tracker, step = tracked(make=torch.optim.NAdam, lr=1e-9)
    with pytest.warns(UserWarning, match="NAdam is not known here: its edge .* is nan") as warned:
        rows = [step() for _ in range(3)]
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert np.isnan([row.edge for row in rows]).all()
    _, step = tracked(lr=1e-9)
    assert rows[0].sharpness == pytest.approx(step().sharpness)


def test_where_the_training_has_diverged_there_is_no_row():
    tracker, step = tracked()
    assert step() is not None
    with torch.no_grad():
        tracker.model[0].weight.fill_(1e300)
        tracker.model[2].weight.fill_(1e300)
    assert tracker.step() is None
    with torch.no_grad():
        tracker.model[0].weight.fill_(np.nan)
    assert tracker.step() is None
    assert len(tracker.history) == 1


def test_before_its_first_update_adam_has_no_row():
    tracker, step = tracked(make=torch.optim.Adam)
    assert tracker.step() is None
    assert step() is not None
    for state in tracker.optimizer.state.values():
        state["step"].zero_()  # as where a scaler of gradients has held back the first updates
    assert tracker.step() is None


def refused(message, make=torch.optim.SGD, groups=None, **options):
    model, x, y, _ = build("tanh")
    optimizer = make(groups(model) if groups else model.parameters(), **options)
    update(model, (x, y), optimizer)
    with pytest.raises(ValueError, match=message):
        SharpnessTracker(model, (x, y), half_squared_error, optimizer).step()


def test_what_has_no_edge_is_refused():
    refused("maximize=True has no edge", lr=0.1, maximize=True)
    refused(
        r"groups differ in momentum or betas: .* params=",
        make=torch.optim.Adam,
        groups=lambda model: [
            {"params": model[0].parameters()},
            {"params": model[2].parameters(), "betas": (0.5, 0.999)},
        ],
    )
    refused("none of the parameters", groups=lambda model: nn.Linear(2, 2).parameters())


def test_what_is_missing_is_said():
    model, x, y, _ = build("tanh")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match="the tracker has no optimizer"):
        SharpnessTracker(model, (x, y), half_squared_error).step()
    for wrong in (torch.optim.SGD, 0.1):
        with pytest.raises(TypeError, match="the optimizer must be one of torch.optim"):
            SharpnessTracker(nn.Linear(3, 1), None, nn.MSELoss(), wrong)
    with pytest.raises(ValueError, match=r"give the tracker data, or, .* step\(batch\)"):
        SharpnessTracker(model, None, half_squared_error, optimizer).step()
    with pytest.raises(ValueError, match="every must be a whole number of at least 1"):
        SharpnessTracker(model, (x, y), half_squared_error, optimizer, every=0)
    with pytest.raises(ValueError, match="no parameter fits params='head'"):
        SharpnessTracker(model, (x, y), half_squared_error, optimizer, params="head")
    with pytest.raises(TypeError, match="every batch must be a pair|data must be a pair"):
        SharpnessTracker(model, None, half_squared_error, optimizer).step({"x": x})


@pytest.mark.gpu
def test_a_model_that_moves_to_a_gpu(cuda):
    tracker, step = tracked(make=torch.optim.AdamW)
    cpu = step().sharpness
    other, _ = tracked(make=torch.optim.AdamW)  # its loss is on the CPU
    other.model.cuda()
    _, x, y, _ = build("tanh")
    state = torch.cuda.get_rng_state()
    update(other.model, (x.cuda(), y.cuda()), other.optimizer)
    assert other.step().sharpness == pytest.approx(cpu, rel=1e-6)
    assert torch.equal(torch.cuda.get_rng_state(), state)
