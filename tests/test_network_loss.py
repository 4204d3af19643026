"""NetworkLoss against dense derivatives of the same losses, written down independently."""

import copy
import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import (  # noqa: E402
    BATCHNORM,
    CLASSES,
    CRITERIA,
    MODELS,
    N,
    build,
    by_definition,
    dense,
    mlp,
    targets_for,
)
from torch import nn  # noqa: E402

from mslbook import networks  # noqa: E402
from mslbook.loss import QuadraticModel, value_grad_and_hessian  # noqa: E402
from mslbook.losses import f1, valley  # noqa: E402
from mslbook.losses.network import NetworkLoss, full_precision, half_squared_error  # noqa: E402
from mslbook.probes import sharpness, spectral_density  # noqa: E402


@functools.cache
def dense_by_definition(name, criterion, chunk, mode):
    """A point, and the loss, its gradient and its Hessian there by definition."""
    model, inputs, labels, (u, _) = build(name)
    reference = by_definition(model, inputs, labels, criterion, chunk, mode)
    theta = nn.utils.parameters_to_vector(model.parameters()).detach() + 0.1 * u
    return theta, reference(theta), *dense(reference, theta)


def check_dense(name, criterion, chunk, mode):
    model, inputs, labels, (u, v) = build(name)
    loss = NetworkLoss(
        model,
        (inputs, targets_for(criterion, labels)),
        CRITERIA[criterion],
        chunk=chunk,
        batchnorm=mode,
    )
    parts = chunk if name in BATCHNORM else None  # other models see each row on its own
    theta, exact, grad, hessian = dense_by_definition(name, criterion, parts, mode)
    close = {"rtol": 1e-10, "atol": 1e-11}
    torch.testing.assert_close(loss.value(theta), exact, **close)
    torch.testing.assert_close(loss.grad(theta), grad, **close)
    value, again = loss.value_and_grad(theta)
    torch.testing.assert_close(value, exact, **close)
    torch.testing.assert_close(again, grad, **close)
    torch.testing.assert_close(loss.hvp(theta, v), hessian @ v, **close)
    product = loss.hessian(theta)
    for w in (u, v):
        torch.testing.assert_close(product(w), hessian @ w, **close)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("name", MODELS)
def test_derivatives_are_those_of_the_definition(name, criterion):
    check_dense(name, criterion, None, "train")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("name", ["tanh", "groupnorm", "counting", "attention", "tokens", "lstm"])
def test_the_answer_does_not_depend_on_the_chunk(name, chunk):
    check_dense(name, "cross-entropy", chunk, "train")


@pytest.mark.parametrize(("chunk", "mode"), [(4, "train"), (None, "eval"), (4, "eval")])
@pytest.mark.parametrize("name", BATCHNORM)
def test_batchnorm_takes_the_statistics_asked_for(name, chunk, mode):
    check_dense(name, "half squared", chunk, mode)


@pytest.mark.parametrize("name", BATCHNORM)
def test_train_mode_at_once_is_the_forward_pass_of_training(name):
    model, inputs, labels, _ = build(name)
    loss = NetworkLoss(model, (inputs, labels), nn.CrossEntropyLoss())
    torch.testing.assert_close(loss.outputs(loss.theta), copy.deepcopy(model).train()(inputs))
    evaluated = NetworkLoss(model, (inputs, labels), nn.CrossEntropyLoss(), batchnorm="eval")
    torch.testing.assert_close(evaluated.outputs(loss.theta), copy.deepcopy(model).eval()(inputs))


@pytest.mark.parametrize("chunk", [None, 3])
def test_weight_decay_in_the_criterion_is_part_of_the_loss(chunk):
    model, inputs, labels, (u, v) = build("tanh")

    def criterion(outputs, targets):
        squares = sum(p.square().sum() for p in model.parameters())
        return nn.functional.cross_entropy(outputs, targets) + 0.05 * squares

    plain = NetworkLoss(model, (inputs, labels), nn.CrossEntropyLoss())
    decayed = NetworkLoss(model, (inputs, labels), criterion, chunk=chunk)
    theta = plain.theta + 0.1 * u
    torch.testing.assert_close(decayed.value(theta), plain.value(theta) + 0.05 * theta @ theta)
    torch.testing.assert_close(decayed.grad(theta), plain.grad(theta) + 0.1 * theta)
    torch.testing.assert_close(decayed.hvp(theta, v), plain.hvp(theta, v) + 0.1 * v)


@pytest.mark.parametrize("name", ["batchnorm", "attention", "lstm", "tokens"])
def test_float32_agrees_with_float64(name):
    losses = []
    for dtype in (torch.float32, torch.float64):
        model, _, labels, _ = build(name)
        _, inputs, _, _ = build(name)
        losses.append(
            NetworkLoss(model.to(dtype), (inputs.to(dtype), labels), half_squared_error, chunk=4)
        )
    single, double = losses
    theta, v = double.theta, torch.ones_like(double.theta)
    for method in ("value", "grad"):
        answer = getattr(single, method)(theta.float())
        assert answer.dtype == torch.float32
        torch.testing.assert_close(answer.double(), getattr(double, method)(theta), **LOOSE)
    answer = single.hvp(theta.float(), v.float())
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer.double(), double.hvp(theta, v), **LOOSE)


LOOSE = {"rtol": 1e-4, "atol": 1e-5}


# --- the model is left as it was found ------------------------------------------------------------


def snapshot(model):
    return {
        "parameters": [p.detach().clone() for p in model.parameters()],
        "identity": [id(p) for p in model.parameters()] + [id(b) for b in model.buffers()],
        "buffers": [b.clone() for b in model.buffers()],
        "flags": [m.training for m in model.modules()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "grad": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
    }


def assert_same(before, after):
    for key in before:
        for a, b in zip(before[key], after[key], strict=True):
            same = torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
            assert same, key


def every_call(loss):
    theta, v = loss.theta, torch.ones_like(loss.theta)
    yield lambda: loss.value(theta)
    yield lambda: loss.grad(theta)
    yield lambda: loss.value_and_grad(theta)
    yield lambda: loss.hvp(theta, v)
    yield lambda: loss.hessian(theta)(v)
    yield lambda: loss.outputs(theta)


def mixed_flags(model):
    for index, module in enumerate(model.modules()):
        module.training = index % 2 == 0
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    parameters[1].grad = torch.full_like(parameters[1], 3.0)
    return model


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", ["batchnorm cumulative", "instancenorm", "dropout", "counting"])
def test_every_call_leaves_the_model_as_it_was(name, mode, chunk):
    model, inputs, labels, _ = build(name)
    before = snapshot(mixed_flags(model))
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk, batchnorm=mode)
    for call in every_call(loss):
        call()
        assert_same(before, snapshot(model))


class Fragile(nn.Module):
    """Passes its input on until it is told to fail."""

    broken = False

    def forward(self, x):
        if self.broken:
            raise KeyError("broken on purpose")
        return x


@pytest.mark.parametrize("where", ["model", "criterion"])
def test_an_exception_leaves_the_model_as_it_was(where):
    fragile = Fragile()
    model = mixed_flags(mlp(nn.BatchNorm1d(5), fragile).double())
    _, inputs, labels, _ = build("tanh")

    def criterion(outputs, targets):
        if where == "criterion":
            fragile(outputs)
        return half_squared_error(outputs, targets)

    loss = NetworkLoss(model, (inputs, labels), criterion)
    before = snapshot(model)
    fragile.broken = True
    calls = list(every_call(loss))[: None if where == "model" else -1]  # outputs has no criterion
    for call in calls:
        with pytest.raises(KeyError, match="on purpose"):
            call()
        assert_same(before, snapshot(model))


def test_frozen_parameters_are_coordinates_like_the_others():
    model, inputs, labels, (u, _) = build("tanh")
    free = NetworkLoss(model, (inputs, labels), half_squared_error)
    expected = free.hvp(free.theta, u)
    model[0].requires_grad_(False)
    frozen = NetworkLoss(model, (inputs, labels), half_squared_error)
    assert frozen.dimension == free.dimension
    torch.testing.assert_close(frozen.hvp(frozen.theta, u), expected)


def test_point_follows_model_parameters_and_comes_as_a_copy():
    model, inputs, labels, _ = build("tied")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    vector = torch.nn.utils.parameters_to_vector(model.parameters())
    assert torch.equal(loss.theta, vector)
    loss.theta.zero_()
    assert torch.equal(loss.theta, vector)
    torch.nn.utils.vector_to_parameters(2 * vector.detach(), model.parameters())
    assert torch.equal(loss.theta, 2 * vector)


def test_answers_carry_no_graph_and_ask_for_none():
    model, inputs, labels, (v, _) = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    theta = loss.theta.requires_grad_()
    with torch.no_grad():  # as inside an update of the parameters
        answers = [loss.value(theta), *loss.value_and_grad(theta), loss.hvp(theta, v)]
        answers += [loss.hessian(theta)(v), loss.outputs(theta)]
    assert not any(answer.requires_grad for answer in answers)
    assert theta.grad is None
    assert theta.requires_grad


def test_a_kept_hessian_stays_where_it_was_made():
    model, inputs, labels, (v, _) = build("tanh")
    for chunk in (None, 3):
        loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk)
        theta = loss.theta
        expected, product = loss.hvp(theta, v), loss.hessian(theta)
        theta += 1
        torch.testing.assert_close(product(v), expected)


@pytest.mark.parametrize("chunk", [None, 4])
@pytest.mark.parametrize("name", ["tanh", "batchnorm"])
def test_value_gradient_and_hessian_come_together(name, chunk):
    model, inputs, labels, (u, v) = build(name)
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk)
    theta = loss.theta + 0.1 * u
    value, grad, product = value_grad_and_hessian(loss, theta)
    assert not value.requires_grad
    assert not grad.requires_grad
    torch.testing.assert_close((value, grad), loss.value_and_grad(theta))
    torch.testing.assert_close(product(v), loss.hvp(theta, v))


def test_a_loss_linear_in_its_parameters_has_no_curvature():
    model, inputs, _, _ = build("linear")

    def hinge(outputs, targets):
        return (1 - outputs * targets).relu().mean()

    loss = NetworkLoss(model, (inputs, torch.ones(N, CLASSES).double()), hinge)
    v = torch.ones_like(loss.theta)
    assert not loss.hvp(loss.theta, v).any()
    assert not loss.hessian(loss.theta)(v).any()


def test_outputs_of_other_pictures():
    model, inputs, labels, _ = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=2)
    other = torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(loss.outputs(loss.theta, other), model(other).detach())


# --- bad input ------------------------------------------------------------------------------------


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.linear(x), x


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, CLASSES)

    def forward(self, x):
        return nn.functional.dropout(self.linear(x))


X, Y = torch.ones(N, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0])
ONE_HOT = torch.eye(CLASSES)[Y]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": nn.Flatten()}, ValueError, "has no parameters"),
        ({"model": nn.Linear(4, 3).double()}, RuntimeError, "same dtype"),
        ({"model": nn.Linear(5, 3)}, RuntimeError, r"shapes cannot be multiplied \(7x4 and 5x3\)"),
        ({"model": nn.Linear(4, 2)}, ValueError, "classes 0 to 2.*2 outputs.*widen"),
        ({"model": Noisy()}, ValueError, "differ from call to call: switch off"),
        ({"inputs": X[:0], "targets": Y[:0]}, ValueError, "at least one input"),
        ({"targets": Y[:-1]}, ValueError, "a row for each target"),
        ({"targets": torch.tensor(1)}, ValueError, "a row for each target"),
        ({"targets": Y - 1}, ValueError, "classes -1 to 1"),
        ({"targets": ONE_HOT[:, :2]}, ValueError, "do not fit one-hot targets"),
        ({"targets": ONE_HOT.long()}, ValueError, "do not fit one-hot targets"),
        ({"criterion": nn.MSELoss(reduction="none"), "targets": ONE_HOT}, ValueError, "one number"),
        ({"criterion": nn.MSELoss(), "targets": ONE_HOT[:, :1]}, ValueError, "differ in shape"),
        ({"chunk": 0}, ValueError, "chunk must be a whole number of at least 1"),
        ({"chunk": True}, ValueError, "chunk must be a whole number of at least 1"),
        ({"chunk": 2.0}, ValueError, "chunk must be a whole number of at least 1"),
        ({"batchnorm": "on"}, ValueError, "'train' or 'eval'"),
        (
            {"model": mlp(nn.BatchNorm1d(5)), "chunk": 3},
            ValueError,
            "more than 1 value per channel",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, error, words):
    torch.manual_seed(0)
    arguments = {"model": nn.Linear(4, 3), "inputs": X, "targets": Y}
    arguments |= {"criterion": half_squared_error} | change
    data = arguments.pop("inputs"), arguments.pop("targets")
    with pytest.raises(error, match=words):
        NetworkLoss(data=data, **arguments)


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (2,), (2, 2, 1)])
def test_targets_of_another_shape_are_not_broadcast(shape):
    with pytest.raises(ValueError, match="do not fit one-hot targets .*: give a target for each"):
        half_squared_error(torch.ones(2, 2), torch.zeros(shape))
    with pytest.raises(ValueError, match="do not fit one-hot targets"):
        half_squared_error(torch.ones(2, 2), torch.tensor([0]))


def test_every_place_of_a_picture_may_have_a_class_of_its_own():
    """As in segmentation: outputs (N, classes, d), integer targets (N, d)."""
    torch.manual_seed(0)
    model, inputs = nn.Conv1d(2, 3, 1), torch.randn(5, 2, 4)
    targets = torch.randint(3, (5, 4))
    loss = NetworkLoss(model, (inputs, targets), nn.CrossEntropyLoss())
    chances = model(inputs).softmax(dim=1).gather(1, targets[:, None])
    torch.testing.assert_close(loss.value(loss.theta), -chances.log().mean().detach())


@pytest.mark.parametrize("chunk", [None, 4])
def test_calibrated_takes_the_statistics_at_the_point_given(chunk):
    model, inputs, labels, (u, _) = build("batchnorm")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk)
    theta = loss.theta + 0.5 * u
    frozen = loss.calibrated(theta)
    hidden = inputs @ theta[:20].reshape(5, 4).T + theta[20:25]
    parts = hidden.split(chunk or N)
    mean = torch.stack([part.mean(0) for part in parts]).mean(0)
    variance = torch.stack([part.var(0) for part in parts]).mean(0)
    torch.testing.assert_close(frozen.model[1].running_mean, mean)
    torch.testing.assert_close(frozen.model[1].running_var, variance)
    with pytest.raises(ValueError, match="theta holds nan or infinite numbers"):
        loss.calibrated(theta * torch.nan)


@pytest.mark.parametrize("chunk", [None, 4])
def test_calibrated_takes_the_statistics_of_instancenorm_too(chunk):
    model, inputs, labels, _ = build("instancenorm")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk)
    frozen = loss.calibrated(loss.theta).model[2]
    parts = model[:2](inputs).detach().flatten(2).split(chunk or N)
    mean = torch.stack([part.mean((0, 2)) for part in parts]).mean(0)
    variance = torch.stack([part.var(2).mean(0) for part in parts]).mean(0)
    torch.testing.assert_close(frozen.running_mean, mean)
    torch.testing.assert_close(frozen.running_var, variance)


def test_one_picture_suffices_where_batchnorm_has_enough_of_it():
    model, inputs, labels, _ = build("batchnorm cumulative")
    NetworkLoss(model, (inputs, labels), half_squared_error, chunk=1)  # 9 positions to average over
    model, inputs, labels, _ = build("batchnorm")
    NetworkLoss(model, (inputs, labels), half_squared_error, chunk=1, batchnorm="eval")
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        NetworkLoss(model, (inputs, labels), half_squared_error, chunk=1)


@pytest.mark.parametrize("vector", [torch.zeros(14), torch.zeros(1, 15)])
def test_a_vector_that_does_not_fit_is_refused(vector):
    loss = NetworkLoss(nn.Linear(4, 3), (X, Y), half_squared_error)
    for call in (loss.value, loss.grad, loss.value_and_grad, loss.hessian, loss.outputs):
        with pytest.raises(ValueError, match=r"theta must have the shape \(15,\)"):
            call(vector)
    for call in (loss.hvp, lambda theta, v: loss.hessian(theta)(v)):
        with pytest.raises(ValueError, match=r"v must have the shape \(15,\)"):
            call(loss.theta, vector)


def test_vectors_of_another_kind_are_taken_and_integers_are_no_theta():
    loss = NetworkLoss(nn.Linear(4, 3), (X, Y), half_squared_error)
    theta, v = loss.theta, torch.arange(15.0)
    expected = loss.hvp(theta, v)
    for other in (v.double(), v.numpy(), v.tolist()):
        for call in (loss.hvp, lambda theta, v: loss.hessian(theta)(v)):
            torch.testing.assert_close(call(theta, other), expected)
    torch.testing.assert_close(loss.hvp(theta.numpy(), v), expected)
    assert torch.equal(loss.value(theta.numpy()), loss.value(theta))
    with pytest.raises(TypeError, match="theta must hold real numbers"):
        loss.grad(theta.long())


# --- the quadratic approximation ------------------------------------------------------------------


def test_quadratic_approximation_of_a_network():
    model, inputs, labels, (u, v) = build("tanh")
    reference = by_definition(model, inputs, labels, "half squared", None, "train")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    p = loss.theta
    q = QuadraticModel(loss, p)
    grad, hessian = dense(reference, p)
    torch.testing.assert_close(q.value(p + u), reference(p) + grad @ u + u @ hessian @ u / 2)
    torch.testing.assert_close(q.grad(p + u), grad + hessian @ u)
    torch.testing.assert_close(q.hvp(p + u, v), hessian @ v)
    value, slope = q.value_and_grad(p + u)
    assert (value, slope.tolist()) == (q.value(p + u), q.grad(p + u).tolist())


def test_quadratic_approximation_of_analytic_losses_takes_many_points():
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(QuadraticModel(f1, 0.0).value(x), x**2 / 2)
    np.testing.assert_allclose(QuadraticModel(f1, 1).grad(x), np.log(2) + (x - 1) / 2)
    points = np.random.default_rng(0).normal(size=(5, 2))
    q = QuadraticModel(valley, points[0])
    one_by_one = [q.value(point) for point in points]
    np.testing.assert_allclose(q.value(points), one_by_one)
    near = points[0] + 1e-4 * points
    np.testing.assert_allclose(q.value(near), valley.value(near), atol=1e-10)
    np.testing.assert_allclose(q.grad(near), valley.grad(near), atol=1e-6)


# --- rows and pictures that are not there ---------------------------------------------------------


def test_a_subset_is_of_a_list_or_a_slice_of_rows():
    model, inputs, labels, _ = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    for rows in ([5, 0, 2], (5, 0, 2), np.array([5, 0, 2]), torch.tensor([5, 0, -5])):
        assert torch.equal(loss.subset(rows).inputs, loss.inputs[[5, 0, 2]])
    assert torch.equal(loss.subset(slice(2, 4)).targets, loss.targets[2:4])
    assert torch.equal(loss.subset(loss.targets == 2).inputs, loss.inputs[[1, 5, 6]])
    for wrong in ([7], [-8], [True, False], [0.5]):
        with pytest.raises(IndexError):
            loss.subset(wrong)
    with pytest.raises(ValueError, match="a subset needs at least one input"):
        loss.subset(slice(0, 0))


# --- on a GPU -------------------------------------------------------------------------------------


def test_what_the_caller_has_switched_to_tf32_is_computed_in_full_precision():
    """TF32, which CUDA's convolutions use unless told otherwise, would drown second derivatives."""
    seen, switches = [], (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    switches += (torch.backends.mkldnn.matmul,)

    def now():
        return [switch.fp32_precision for switch in switches]

    model, inputs, labels, (v, _) = build("groupnorm")

    def criterion(outputs, targets):
        seen.extend(now())
        if outputs.requires_grad:
            outputs.register_hook(lambda slope: seen.extend(now()))
        return half_squared_error(outputs, targets)

    loss = NetworkLoss(model, (inputs, labels), criterion)
    seen.clear()
    asked = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        before = now()
        for call in every_call(loss):
            call()
            assert now() == before
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(asked)
    assert before == ["tf32", "tf32", "bf16"]
    assert set(seen) == {"ieee"}


def test_precision_switches_that_follow_another_follow_it_afterwards():
    everywhere, conv = torch.backends, torch.backends.cudnn.conv
    before, conv_before = everywhere.fp32_precision, conv.fp32_precision
    with full_precision(torch.device("cpu")):
        assert conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert (everywhere.fp32_precision, conv.fp32_precision) == (before, conv_before)
    try:
        for asked in ("tf32", "ieee"):
            everywhere.fp32_precision = asked
            assert conv.fp32_precision == asked
    finally:
        everywhere.fp32_precision = before


def test_precision_switches_are_restored_if_entering_fails(monkeypatch):
    matmul, before = torch.backends.cuda.matmul, torch.backends.cuda.matmul.fp32_precision

    class Locked:
        @property
        def fp32_precision(self):
            raise RuntimeError("not allowed")

    monkeypatch.setattr(torch.backends.mkldnn, "conv", Locked())
    matmul.fp32_precision = "tf32"
    try:
        with pytest.raises(RuntimeError, match="not allowed"), full_precision(torch.device("cpu")):
            pass
        assert matmul.fp32_precision == "tf32"
        assert torch.backends.fp32_precision == "none"
    finally:
        matmul.fp32_precision = before


@pytest.mark.parametrize("name", ["tanh", "batchnorm", "groupnorm"])
@pytest.mark.parametrize("chunk", [None, 4])
def test_autocast_changes_nothing(name, chunk):
    model, inputs, labels, _ = build(name, torch.float32)

    def answers():
        loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=chunk)
        found = [call() for call in every_call(loss)]
        frozen = loss.calibrated(loss.theta)
        top = sharpness(loss, loss.theta, tol=0.1)
        density = spectral_density(loss, loss.theta, steps=4, samples=1)
        return [*found, frozen.outputs(loss.theta), top.vectors, top.values, density.nodes]

    expected = answers()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = answers()
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    for one, other in zip(found, expected, strict=True):
        one, other = (x if isinstance(x, tuple) else (x,) for x in (one, other))
        for a, b in zip(one, other, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.gpu
@pytest.mark.parametrize("network", ["vgg11", "resnet18"])
def test_cpu_and_cuda_give_the_same_sharpness(network):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = []
    for device in ("cpu", "cuda"):
        model = getattr(networks, network)(classes=5, width=1 / 8)
        inputs = torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        loss = NetworkLoss(model, (inputs, torch.arange(40) % 5), half_squared_error).to(device)
        answer = sharpness(loss, loss.theta, k=2, tol=1e-2)
        assert answer.converged
        found.append(answer.values)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)


class Meta(nn.Module):
    """A model that takes a gradient step of its own within the forward pass."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, dtype=torch.float64))

    def forward(self, x):
        inner = (x @ self.weight).tanh().square().mean()
        (step,) = torch.autograd.grad(inner, self.weight, create_graph=True)
        return x @ (self.weight - step)


@pytest.mark.parametrize("name", ["batchnorm", "counting", "lstm", "meta"])
def test_many_points_have_the_values_of_each(name):
    model, inputs, labels, _ = build("linear" if name == "meta" else name)
    model = Meta() if name == "meta" else model
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    chunk = None if name == "meta" else 4  # whose rows belong together
    loss = NetworkLoss(model, (inputs, labels), nn.functional.cross_entropy, chunk=chunk)
    points = [loss.theta + shift for shift in (0.0, 0.1, -0.2)]
    values = list(loss.values(iter(points)))
    assert values == [loss.value(point) for point in points]
    torch.testing.assert_close(values[1], loss.value_and_grad(points[1])[0])
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert not any(value.requires_grad for value in values)
    assert list(loss.values([])) == []
