"""One and the same function: what NetworkLoss makes right, and what it refuses in a sentence."""

import copy
import warnings
import weakref
from collections import deque, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import StraightThrough, layer  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from mslbook.losses._conformance import HALF, _precision_error, elsewhere  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.probes import sharpness  # noqa: E402

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3
TOKENS = torch.randint(1, 10, (12, 5), generator=torch.Generator().manual_seed(1))
ENTROPY = nn.CrossEntropyLoss()


def mlp(*between):
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(4, 6), *between, nn.Linear(6, 3))


def check_by_differences(loss, rtol=1e-6):
    """Gradient and product against differences of values in double precision, at another point."""
    loss = loss.to(dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    theta, v = 1.1 * loss.theta, torch.randn(loss.dimension, generator=generator).double()
    h = 1e-6
    slope = (loss.value(theta + h * v) - loss.value(theta - h * v)) / (2 * h)
    torch.testing.assert_close(loss.grad(theta) @ v, slope, rtol=rtol, atol=1e-9)
    change = (loss.grad(theta + h * v) - loss.grad(theta - h * v)) / (2 * h)
    torch.testing.assert_close(loss.hvp(theta, v), change, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(loss.hessian(theta)(v), change, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(loss.value_and_grad(theta)[0], loss.value(theta))


# --- models that compute something else now and then ----------------------------------------------


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Sequential(nn.Linear(4, 6), nn.Tanh()), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(checkpoint(self.first, x, use_reentrant=False))


class CheckpointedFunction(nn.Module):
    """Without a layer that the backward pass could be seen to call again."""

    def __init__(self):
        super().__init__()
        self.weight, self.last = nn.Parameter(torch.randn(4, 6)), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(checkpoint(lambda x: (x @ self.weight).tanh(), x, use_reentrant=False))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.embed, self.head = nn.Embedding(10, 8), nn.Linear(8, 3)
        self.body = nn.TransformerEncoder(layer, 2)

    def forward(self, tokens):
        hidden = self.body(self.embed(tokens), src_key_padding_mask=tokens == 0)
        return self.head(hidden.mean(1))


class AsksForGradients(nn.Module):
    def forward(self, x):
        return x.tanh() if torch.is_grad_enabled() else x.sin()


class Physics(nn.Module):
    """The residual of u' + u, with a derivative in the forward pass."""

    def __init__(self):
        super().__init__()
        self.u = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        x = x.requires_grad_()
        u = self.u(x)
        return torch.autograd.grad(u.sum(), x, create_graph=True)[0] + u


def padded():
    tokens = TOKENS.clone()
    for i in range(12):
        tokens[i, 2 + i % 4 :] = 0
    return tokens


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body, self.head = kind(4, 5, 2, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.body(x[:, None] * torch.ones(1, 3, 1).to(x))[0][:, -1])


RIGHT = {
    "checkpointed": lambda: (Checkpointed(), X, ENTROPY),
    "checkpointed function": lambda: (CheckpointedFunction(), X, ENTROPY),
    "padded encoder": lambda: (Encoder(), padded(), ENTROPY),
    "asks for gradients": lambda: (mlp(AsksForGradients()), X, ENTROPY),
    "physics": lambda: (Physics(), X[:, :1].clone(), lambda outputs, _: outputs.square().mean()),
    "compiled": lambda: (torch.compile(mlp(nn.Tanh()), backend="aot_eager"), X, ENTROPY),
    "compiled inside": lambda: (
        mlp(torch.compile(nn.Tanh(), backend="aot_eager")), X, ENTROPY,
    ),
    "data parallel": lambda: (nn.DataParallel(mlp(nn.Tanh())), X, ENTROPY),
    "sparse embedding": lambda: (
        nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Flatten(), nn.Linear(20, 3)),
        TOKENS, ENTROPY,
    ),
    "spectral norm": lambda: (mlp(parametrizations.spectral_norm(nn.Linear(6, 6))), X, ENTROPY),
    "LSTM": lambda: (Recurrent(nn.LSTM), X, ENTROPY),
    "GRU": lambda: (Recurrent(nn.GRU), X, ENTROPY),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RIGHT)
def test_value_gradient_and_product_are_of_one_function(name):
    torch.manual_seed(4)
    model, inputs, criterion = RIGHT[name]()
    before = inputs.clone()
    loss = NetworkLoss(model, (inputs, Y), criterion)
    check_by_differences(loss)
    assert sharpness(loss, loss.theta).converged
    assert torch.equal(inputs, before)
    assert not inputs.requires_grad


@pytest.mark.parametrize("inplace", [nn.ReLU(inplace=True), layer(lambda x: x.sub_(x.mean()))])
def test_inputs_that_a_model_writes_to_stay_as_they_are(inplace):
    inputs = X.clone()
    loss = NetworkLoss(nn.Sequential(inplace, mlp(nn.Tanh())), (inputs, Y), ENTROPY)
    first = loss.value(loss.theta)
    assert torch.equal(loss.value(loss.theta), first)
    assert torch.equal(inputs, X)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_attributes_that_a_forward_pass_sets_are_as_they_were():
    class Remembers(nn.Module):
        calls, last = 0, None

        def __init__(self):
            super().__init__()
            self.cache = {}

        def forward(self, x):
            self.calls, self.last = self.calls + 1, x
            self.cache[len(x)] = x
            return x.tanh()

    module, spectral = Remembers(), nn.utils.spectral_norm(nn.Linear(6, 6))
    before = spectral.weight, spectral.weight.clone()
    loss = NetworkLoss(mlp(module, spectral), (X, Y), ENTROPY)
    loss.hvp(loss.theta, loss.theta)
    assert (module.calls, module.last, module.cache) == (0, None, {})
    assert spectral.weight is before[0]
    assert torch.equal(spectral.weight, before[1])


def test_random_numbers_of_the_caller_are_not_used_up():
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="differ from call to call"):
        NetworkLoss(mlp(layer(functional.dropout)), (X, Y), ENTROPY)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_random_numbers_of_the_caller_are_as_they_were_though_the_model_draws_some():
    def seeded(x):
        torch.manual_seed(0)
        return x + torch.randn(x.shape).to(x)

    loss = NetworkLoss(mlp(layer(seeded), nn.Tanh()), (X, Y), ENTROPY)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    loss.hvp(loss.theta, loss.grad(loss.theta))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("seed", range(5))
def test_dropout_that_seldom_drops_anything_is_seen(seed):
    torch.manual_seed(seed)
    with pytest.raises(ValueError, match="differ from call to call"):
        NetworkLoss(mlp(layer(lambda x: functional.dropout(x, 0.005))), (X, Y), ENTROPY)


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
def test_contexts_without_gradients_change_nothing(context):
    expected = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY)
    expected = sharpness(expected, expected.theta).values
    with context():
        model, inputs = mlp(nn.Tanh()), X.clone()
        loss = NetworkLoss(model, (inputs, Y), ENTROPY)
        np.testing.assert_allclose(sharpness(loss, loss.theta).values, expected, rtol=1e-5)
    loss = NetworkLoss(model, (inputs, Y), ENTROPY)
    np.testing.assert_allclose(sharpness(loss, loss.theta).values, expected, rtol=1e-5)


def test_theta_decides_the_precision():
    loss = NetworkLoss(mlp(nn.Tanh()), (X, Y), nn.CrossEntropyLoss(weight=torch.ones(3)))
    theta = loss.theta.double()
    double = loss.to(dtype=torch.float64)
    assert loss.value(theta).dtype == loss.hvp(theta, theta).dtype == torch.float64
    torch.testing.assert_close(loss.hvp(theta, theta), double.hvp(theta, theta))


# --- what torch cannot differentiate, or differentiates wrongly -----------------------------------


class OnceOnly(torch.autograd.Function):
    """The exponential, with a backward pass that hides what it depends on."""

    @staticmethod
    def forward(ctx, x):
        ctx.value = x.exp()
        return ctx.value.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope * ctx.value


class HalfInside(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.linear, self.dtype = nn.Linear(4, 3), dtype

    def forward(self, x):
        with torch.autocast("cpu", dtype=self.dtype):
            return self.linear(x).float()


class Captured(nn.Module):
    """A model that reads a parameter from a list, or from a view made once."""

    def __init__(self, kept):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.kept = kept(self.first.weight)

    def forward(self, x):
        return self.last((x @ self.kept[0].T + self.first.bias).tanh())


class WritesToItself(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        with torch.no_grad():
            self.linear.weight.clamp_(-0.1, 0.1)
        return self.linear(x)


def with_a_penalty_on(parameters):
    return lambda o, t: functional.cross_entropy(o, t) + sum(p.square().sum() for p in parameters)


BAG = nn.Sequential(nn.EmbeddingBag(10, 6), nn.Linear(6, 3))
PENALISED = mlp(nn.Tanh())
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    JITTED = torch.jit.trace(nn.Linear(4, 3), X)
LONG = nn.Sequential(nn.Embedding(10, 6, max_norm=1.0), nn.Flatten(), nn.Linear(30, 3))
WRONG = {
    "straight through": (mlp(layer(StraightThrough.apply)), X, ENTROPY,
                         r"layer '1' \(Identity\) has a gradient that is not the derivative"),
    "detached": (mlp(layer(lambda x: x / x.norm().detach())), X, ENTROPY, "layer '1'.*detach"),
    "hidden dependence": (mlp(layer(OnceOnly.apply)), X, ENTROPY,
                          "layer '1' .*second derivatives that are not those of its gradient"),
    "weight norm": (mlp(parametrizations.weight_norm(nn.Linear(6, 6))), X, ENTROPY,
                    "_WeightNorm.*second derivatives that are not those"),
    "half precision": (HalfInside(torch.bfloat16), X, ENTROPY, "computes in half precision"),
    "float16": (HalfInside(torch.float16), X, ENTROPY, "computes in half precision"),
    "in a list": (Captured(lambda weight: [weight]), X, ENTROPY,
                  r"parameter 'first.weight' is read from a list.*get_parameter\('first.weight'\)"),
    "in a view": (Captured(lambda weight: weight[None]), X, ENTROPY,
                  "'first.weight' is read from a list, a closure or a view"),
    "in a closure": (PENALISED, X, with_a_penalty_on([PENALISED[0].weight]),
                     "parameter '0.weight' is read from a list, a closure"),
    "torch.jit": (nn.Sequential(JITTED, nn.Tanh()), X, ENTROPY,
                  "layer '0' is a program of torch.jit"),
    "written to": (WritesToItself(), X, ENTROPY, "the forward pass writes to its own parameters"),
    "hardsigmoid": (mlp(nn.Hardsigmoid()), X, ENTROPY, "layer '1' .*hardsigmoid_backward"),
    "embedding bag": (BAG, TOKENS, ENTROPY, "layer '0' .*embedding_bag"),
    "max norm": (LONG, TOKENS, ENTROPY, "layer '0' .*set its max_norm to None"),
    "criterion": (mlp(nn.Tanh()), X, nn.MultiMarginLoss(), "the criterion MultiMarginLoss cannot"),
    "lazy": (nn.LazyLinear(3), X, ENTROPY, "no values yet"),
    "meta": (nn.Linear(4, 3, device="meta"), X, ENTROPY, "no values yet"),
    "complex": (nn.Linear(4, 3, dtype=torch.cfloat), X, ENTROPY, "one real dtype"),
    "random": (mlp(layer(functional.dropout)), X, ENTROPY, "differ from call to call"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRONG)
def test_what_torch_gets_wrong_is_refused_by_the_name_of_the_layer(name):
    model, inputs, criterion, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        NetworkLoss(model, (inputs, Y), criterion)


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize("kind", [list, DataLoader])
def test_batches_are_the_data_in_one(kind, chunk):
    whole = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY)
    if kind is list:
        data = [(X[:5], Y[:5]), (X[5:6], Y[5:6]), (X[6:], Y[6:])]
    else:
        data = DataLoader(TensorDataset(X, Y), 5)
    loss = NetworkLoss(whole.model, data, ENTROPY, chunk=chunk)
    assert loss.rows == 12
    theta = whole.theta.double()
    for ours, theirs in (
        (loss.value(theta), whole.value(theta)),
        (loss.grad(theta), whole.grad(theta)),
        (loss.hvp(theta, theta), whole.hvp(theta, theta)),
        (loss.hessian(theta)(theta), whole.hvp(theta, theta)),
        (loss.outputs(theta), whole.outputs(theta)),
    ):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(TypeError, match="come in batches"):
        loss.subset([0])


class Keywords(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(10, 6), nn.Linear(6, 3)

    def forward(self, ids, mask):
        hidden = self.embed(ids).tanh() * mask[..., None]
        return {"logits": self.head(hidden.mean(1)), "hidden": hidden}


def test_inputs_are_passed_on_as_forward_takes_them():
    def criterion(outputs, targets):
        return functional.cross_entropy(outputs["logits"], targets)

    model, mask = Keywords(), (TOKENS > 3).float()
    whole_dict = layer(lambda batch: model(**batch))
    whole_dict.inner = model
    values = [
        NetworkLoss(one, (inputs, Y), criterion, chunk=5).hvp
        for one, inputs in (
            (model, {"mask": mask, "ids": TOKENS}),
            (model, (TOKENS, mask)),
            (whole_dict, {"ids": TOKENS, "mask": mask}),
        )
    ]
    theta = torch.cat([p.detach().flatten() for p in model.parameters()])
    first, *others = [hvp(theta, theta) for hvp in values]
    for other in others:
        torch.testing.assert_close(other, first)


WEIGHTED = {
    "class weights": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 20.0])), Y),
    "a rare class": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 50.0, 1.0])),
                     (torch.arange(12) == 7).long()),
    "ignored": (nn.CrossEntropyLoss(ignore_index=0), torch.tensor([0] * 5 + [1, 2, 0, 2, 1, 1, 0])),
    "sum": (nn.CrossEntropyLoss(reduction="sum"), Y),
    "a function": (
        lambda o, t: functional.cross_entropy(o, t, torch.tensor([1.0, 0.0, 3.0])), Y,
    ),
}  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 2, 5, 11])
@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("zero_head", [False, True])
def test_rows_that_weigh_differently_are_exact_for_every_chunk(name, chunk, zero_head):
    criterion, targets = WEIGHTED[name]
    model = mlp(nn.Tanh())
    if zero_head:
        nn.init.zeros_(model[2].weight)
    whole = NetworkLoss(model, (X, targets), criterion)
    loss = NetworkLoss(model, (X, targets), criterion, chunk=chunk)
    theta = whole.theta
    torch.testing.assert_close(loss.value(theta), whole.value(theta))
    torch.testing.assert_close(loss.grad(theta), whole.grad(theta), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        loss.hvp(theta, theta), whole.hvp(theta, theta), rtol=1e-4, atol=1e-6
    )
    rows = [0, 5, 6, 7, 9]
    torch.testing.assert_close(
        loss.subset(rows).value(theta), whole.subset(rows).value(theta), rtol=1e-5, atol=1e-6
    )


def test_a_plain_mean_keeps_its_exact_shares():
    loss = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY, chunk=5)
    parts = [ENTROPY(loss.model(X[rows]), Y[rows]) for rows in torch.arange(12).split(5)]
    expected = sum(p * n / 12 for p, n in zip(parts, (5, 5, 2), strict=True))
    torch.testing.assert_close(loss.value(loss.theta), expected.detach(), rtol=1e-6, atol=0)


def test_a_weight_for_each_batch_can_be_given():
    batches = [(X[:5], Y[:5]), (X[5:], Y[5:])]
    loss = NetworkLoss(mlp(nn.Tanh()), batches, ENTROPY, weights=[3, 1])
    parts = [NetworkLoss(loss.model, batch, ENTROPY) for batch in batches]
    theta = loss.theta
    first, second = (part.grad(theta) for part in parts)
    torch.testing.assert_close(loss.grad(theta), 0.75 * first + 0.25 * second)
    for wrong in ([1], [1, -1], [0, 0], [1, float("nan")]):
        with pytest.raises(ValueError, match="weights must be 2 numbers"):
            NetworkLoss(loss.model, batches, ENTROPY, weights=wrong)


def between_rows(outputs, targets):
    return functional.cross_entropy(outputs @ outputs.T, torch.arange(len(outputs)))


def with_a_term_in_the_parameters(model):
    return lambda o, t: (
        functional.cross_entropy(o, t, reduction="sum")
        + sum(p.square().sum() for p in model.parameters())
    )


def over_active_rows(outputs, targets):
    losses = (1 - outputs[:, 0] * (targets - 1)).relu()
    return losses[losses > 0].mean()


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_chunk_whose_rows_all_meet_a_hinge_counts(chunk):
    targets, model = torch.sign(X[:, :1]), nn.Linear(4, 1)

    def hinge(outputs, targets):
        return (0.05 - outputs * targets).relu().square().mean()

    whole, loss = (NetworkLoss(model, (X, targets), hinge, chunk=c) for c in (None, chunk))
    torch.testing.assert_close(loss.value(loss.theta), whole.value(loss.theta))
    torch.testing.assert_close(loss.grad(loss.theta), whole.grad(loss.theta))


@pytest.mark.parametrize("name", ["a term of every piece", "active rows"])
def test_what_only_looks_like_a_sum_or_a_mean_is_refused_in_chunks(name):
    model = mlp(nn.Tanh())
    criterion = with_a_term_in_the_parameters(model) if "term" in name else over_active_rows
    NetworkLoss(model, (X, Y), criterion)
    with pytest.raises(ValueError, match="no mean or sum over the rows"):
        NetworkLoss(model, (X, Y), criterion, chunk=3)


def test_state_of_a_criterion_is_its_own_after_every_call():
    class Counting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, outputs, targets):
            self.calls += 1
            self.seen += 1
            targets[targets == 0] = 1
            return functional.cross_entropy(outputs, targets)

    criterion, targets = Counting(), Y.clone()
    loss = NetworkLoss(mlp(nn.Tanh()), (X, targets), criterion, chunk=5)
    loss.hvp(loss.theta, loss.theta)
    assert (criterion.calls, float(criterion.seen)) == (0, 0)
    assert torch.equal(targets, Y)


class Faint(nn.Module):
    """A model with a branch of weight 1e-4."""

    def __init__(self, branch):
        super().__init__()
        self.main, self.first, self.branch = mlp(nn.Tanh()), nn.Linear(4, 3), layer(branch)

    def forward(self, x):
        return self.main(x) + 1e-4 * self.branch(self.first(x))


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        (OnceOnly.apply, "layer 'branch' .*second derivatives that are not those"),
        (StraightThrough.apply, "layer 'branch' .*gradient that is not the derivative"),
        (lambda x: x * x.detach(), "layer 'branch' .*gradient that is not the derivative"),
        (lambda x: x + 1e-2 * torch.randn_like(x), "differ from call to call"),
    ],
)
def test_a_fault_in_a_faint_branch_is_seen(branch, words):
    with pytest.raises(ValueError, match=words):
        NetworkLoss(Faint(branch), (X, Y), ENTROPY)
    NetworkLoss(Faint(torch.tanh), (X, Y), ENTROPY)


class Cached(nn.Module):
    squares = None

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))

    def forward(self, x):
        if self.squares is None:
            self.squares = self.weight.square()
        return x * self.squares


def test_a_cache_within_a_forward_pass_is_made_anew_for_every_chunk():
    check_by_differences(NetworkLoss(mlp(Cached()), (X, Y), ENTROPY, chunk=5))


@pytest.mark.parametrize("context", [torch.enable_grad, torch.no_grad])
def test_a_cache_of_an_earlier_forward_pass_is_refused(context):
    model = mlp(Cached())
    with context():
        model(X)
    kept = model[1].squares
    with pytest.raises(ValueError, match="layer '1' keeps 'squares' .*set it to None"):
        NetworkLoss(model, (X, Y), ENTROPY)
    assert model[1].squares is kept
    model[1].weight, model[1].squares = None, torch.ones(6)  # now a constant
    NetworkLoss(model, (X, Y), ENTROPY)


def test_nested_state_and_tensors_are_put_back():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.recent, self.tables = deque([1], maxlen=3), {"inner": {"calls": [0]}}
            self.seen, self.names = torch.zeros(2), {"one"}

        def forward(self, x):
            self.recent.append(len(x))
            self.tables["inner"]["calls"][0] += 1
            self.seen += 1
            self.names.add("two")
            return x * self.seen[0]

    module = Remembers()
    recent, seen = module.recent, module.seen
    check_by_differences(NetworkLoss(mlp(module), (X, Y), ENTROPY, chunk=5))
    assert (module.recent, module.tables) == (deque([1]), {"inner": {"calls": [0]}})
    assert module.names == {"one"}
    assert module.recent is recent
    assert module.seen is seen
    assert not seen.any()


class Holder:
    """An object that is no module and holds what a forward pass writes."""

    def __init__(self):
        self.calls, self.seen, self.squares, self.itself = 0, [], None, self


class Holding(nn.Module):
    def __init__(self):
        super().__init__()
        self.holder, self.weight = Holder(), nn.Parameter(torch.ones(6))
        self.gone = weakref.proxy(Holder())  # as Lightning's trainer is after a training

    def forward(self, x):
        self.holder.calls += 1
        self.holder.seen.append(len(x))
        if self.holder.squares is None:
            self.holder.squares = self.weight.square()
        return x * self.holder.squares * self.holder.calls


def test_what_an_object_of_a_module_holds_is_put_back():
    module = Holding()
    check_by_differences(NetworkLoss(mlp(module), (X, Y), ENTROPY, chunk=5))
    assert (module.holder.calls, module.holder.seen) == (0, [])
    assert module.holder.squares is None
    assert module.holder.itself is module.holder


def test_a_stale_cache_in_an_object_or_beside_a_counter_is_refused():
    model = mlp(Holding())
    with torch.no_grad():
        model(X)
    with pytest.raises(ValueError, match="layer '1' keeps 'squares' .*set it to None"):
        NetworkLoss(model, (X, Y), ENTROPY)


def test_what_every_pass_makes_anew_is_no_cache_and_is_copied():
    """Such as the weight that pruning computes before every forward pass."""
    linear = prune.l1_unstructured(nn.Linear(4, 6), "weight", 0.3)
    model = nn.Sequential(linear, nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    loss = NetworkLoss(model, (X, Y), ENTROPY, chunk=6)
    check_by_differences(loss)  # of a copy in double precision
    theta = 1.1 * loss.theta
    frozen = loss.calibrated(theta)
    assert torch.equal(frozen.theta, theta)
    assert frozen.value(theta).isfinite()
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(model)  # what is made anew hangs on a graph


class Graph(nn.Module):
    """A network that takes all nodes of its graph at once, and no fewer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("edges", torch.rand(12, 12).softmax(1))
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return (self.edges @ self.linear(x)).tanh()


def test_a_model_that_takes_no_fewer_rows_is_tried_out_on_all():
    known = torch.arange(12) % 4 > 0
    loss = NetworkLoss(Graph(), (X, Y), lambda o, t: functional.cross_entropy(o[known], t[known]))
    check_by_differences(loss)
    with pytest.raises(ValueError, match=r"layer '1' .*has a gradient that is not the derivative"):
        NetworkLoss(nn.Sequential(Graph(), layer(StraightThrough.apply)), (X, Y), ENTROPY)


Both = namedtuple("Both", "first second")


@dataclass(frozen=True, slots=True)
class Slotted:
    both: Both


class States(nn.Module):
    """Logits, and what has no row for each input."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        hidden, (state, _) = self.body(x[:, None])
        return Slotted(Both(self.head(hidden[:, -1]), {"state": state, "size": hidden.sum()}))


def of_logits(outputs, targets):
    return functional.cross_entropy(outputs.both.first, targets)


@pytest.mark.parametrize("chunk", [4, 5])
def test_outputs_in_parts_are_joined_where_they_have_a_row_for_each_input(chunk):
    whole = NetworkLoss(States(), (X, Y), of_logits)
    loss = NetworkLoss(whole.model, (X, Y), of_logits, chunk=chunk)
    check_by_differences(loss)
    ours, theirs = (one.outputs(whole.theta).both for one in (loss, whole))
    torch.testing.assert_close(ours.first, theirs.first)
    assert ours.second == {"state": None, "size": None}
    assert theirs.second["state"].shape == (1, 12, 3)


def test_batches_of_sequences_of_other_lengths_need_weights():
    def per_token(outputs, targets):
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 10))
    batches = [(TOKENS[:7], TOKENS[:7]), (TOKENS[7:, :3], TOKENS[7:, :3])]
    with pytest.raises(ValueError, match="do not fit together .*differ in shape.* with weights="):
        NetworkLoss(model, batches, per_token)
    loss = NetworkLoss(model, batches, per_token, weights=[35, 15])
    values = [NetworkLoss(model, batch, per_token).value(loss.theta) for batch in batches]
    torch.testing.assert_close(loss.value(loss.theta), 0.7 * values[0] + 0.3 * values[1])


def test_one_batch_of_a_loader_is_a_pair():
    batch = next(iter(DataLoader(TensorDataset(X, Y), 12)))
    assert isinstance(batch, list)
    ours, theirs = (NetworkLoss(mlp(nn.Tanh()), data, ENTROPY) for data in (batch, (X, Y)))
    assert torch.equal(ours.value(ours.theta), theirs.value(ours.theta))
    packed = nn.utils.rnn.pack_sequence([X[:3], X[:2]])
    with pytest.raises(ValueError, match="a row for each target"):
        NetworkLoss(mlp(nn.Tanh()), (packed, Y[:2]), ENTROPY)


def test_a_unit_across_its_kink_in_single_precision_is_not_taken_for_half_precision():
    model, inputs = mlp(nn.ReLU()), X[:8].clone()
    probe = NetworkLoss(model, (inputs, Y[:8]), ENTROPY)
    there = elsewhere(probe.theta)  # where the check is made
    weight, bias = there[:24].view(6, 4), there[24:30]

    def before_the_kink(inputs, dtype):
        return functional.linear(inputs.to(dtype), weight.to(dtype), bias.to(dtype))[0, 0]

    rest = before_the_kink(inputs, torch.float64) - inputs[0, 0].double() * weight[0, 0].double()
    inputs[0, 0] = -rest / weight[0, 0]
    for _ in range(1000):  # the neighbours of the root
        single, double = (before_the_kink(inputs, d) for d in (torch.float32, torch.float64))
        if (single > 0) != (double > 0):
            break
        inputs[0, 0] = torch.nextafter(inputs[0, 0], torch.tensor(torch.inf))
    else:
        pytest.fail("no input found at which the two precisions differ in sign")
    loss = probe.with_data((inputs, Y[:8]))
    single, double = loss.grad(there), loss.grad(there.double())
    assert (single - double).norm() > 0.01 * double.norm()
    assert _precision_error(loss, there.double()) < HALF


def test_what_a_criterion_closes_over_follows_the_loss():
    model, weights = mlp(nn.Tanh()), torch.tensor([1.0, 2.0, 3.0])

    def criterion(outputs, targets):
        decay = sum(p.square().sum() for p in model.parameters())
        return functional.cross_entropy(outputs, targets, weights) + 0.1 * decay

    loss = NetworkLoss(model, (X, Y), criterion)
    theta = loss.theta.double()
    assert loss.value(theta).dtype == torch.float64
    check_by_differences(loss)
    moved = loss.to(dtype=torch.float64)
    torch.testing.assert_close(moved.hvp(theta, theta), loss.hvp(theta, theta))
    plain = NetworkLoss(model, (X, Y), nn.CrossEntropyLoss(weights))
    expected = plain.grad(theta) + 0.2 * theta
    torch.testing.assert_close(moved.grad(theta), expected)


def test_outputs_may_bring_a_loss_and_a_cache_along():
    class Output(dict):
        pass

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp(nn.Tanh())

        def forward(self, x):
            cache = SimpleNamespace(layers=[SimpleNamespace(keys=x[:, None, : 2 + len(x) % 2])])
            logits = self.inner(x)
            return Output(loss=logits.square().mean(), logits=logits, cache=cache)

    model = Model()
    batches = [(X[:5], Y[:5]), (X[5:], Y[5:])]
    loss = NetworkLoss(model, [*batches[:1], (X[5:11], Y[5:11])],
                       lambda o, t: ENTROPY(o["logits"], t))  # fmt: skip
    plain = NetworkLoss(model.inner, (X[:11], Y[:11]), ENTROPY)
    torch.testing.assert_close(loss.grad(plain.theta), plain.grad(plain.theta))
    with pytest.raises(ValueError, match="reads no real numbers of single rows"):
        NetworkLoss(model, batches, lambda o, t: o["loss"])


def test_a_forward_pass_may_take_a_tuple_as_a_whole():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp(nn.Tanh())

        def forward(self, pair, scale=1.0):
            first, second = pair
            return self.inner(scale * (first + second))

    model = Whole()
    loss = NetworkLoss(model, ((X, X), Y), ENTROPY, chunk=5)
    plain = NetworkLoss(model.inner, (2 * X, Y), ENTROPY)
    torch.testing.assert_close(loss.grad(plain.theta), plain.grad(plain.theta))


def test_a_loader_draws_no_random_numbers_of_its_generator():
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(X, Y), 5, generator=generator)
    state = generator.get_state()
    loss = NetworkLoss(mlp(nn.Tanh()), loader, ENTROPY)
    loss.value(loss.theta)
    assert torch.equal(generator.get_state(), state)


def test_a_loader_may_call_something_else_its_generator():
    class Batched:
        generator = "of batches"

        def __iter__(self):
            return iter([(X[:5], Y[:5]), (X[5:], Y[5:])])

    check_by_differences(NetworkLoss(mlp(nn.Tanh()), Batched(), ENTROPY))


def test_parameters_of_inference_mode_may_be_left_out():
    model = mlp(nn.Tanh())
    with torch.inference_mode():
        model[0].weight = nn.Parameter(model[0].weight.clone(), requires_grad=False)
    loss = NetworkLoss(model, (X, Y), ENTROPY, params="2.*")
    assert loss.dimension == 21


def test_a_loader_draws_no_random_numbers_of_the_caller():
    state = torch.random.get_rng_state()
    loss = NetworkLoss(mlp(nn.Tanh()), DataLoader(TensorDataset(X, Y), 5), ENTROPY)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    loss.value(loss.theta)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_padding_that_reaches_the_loss_has_its_derivative():
    model = nn.Sequential(nn.Embedding(10, 4, padding_idx=0), nn.Flatten(), nn.Linear(20, 3))
    with torch.no_grad():
        model[0].weight[0] = 0.5
    check_by_differences(NetworkLoss(model, (padded(), Y), ENTROPY))
    assert model[0].padding_idx == 0


def test_theta_is_that_of_parameters_which_were_assigned():
    loss = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY)
    other = {name: 2 * tensor for name, tensor in loss.model.state_dict().items()}
    loss.model.load_state_dict(other, assign=True)
    assert torch.equal(loss.theta, torch.cat([t.flatten() for t in other.values()]))


@pytest.mark.parametrize("seed", range(4))
def test_a_model_of_single_precision_alone_is_not_refused(seed):
    torch.manual_seed(seed)
    pictures = torch.randint(0, 256, (12, 16), dtype=torch.uint8)
    model = nn.Sequential(layer(lambda x: x.float() / 255), nn.Linear(16, 8), nn.ReLU(),
                          nn.Linear(8, 3))  # fmt: skip
    NetworkLoss(model, (pictures, Y), ENTROPY)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [8, 16])
def test_a_loss_of_single_precision_of_many_tokens_is_not_refused(width, dtype):
    """As language models with their labels in the batch have it, whatever their own dtype."""
    torch.manual_seed(0)
    tokens = torch.randint(0, 50, (6, 10))
    model = nn.Sequential(nn.Embedding(50, width), nn.Linear(width, width), nn.GELU(),
                          nn.Linear(width, 50))  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.1)
    model = model.to(dtype)
    NetworkLoss(model, (tokens, tokens), lambda o, t: ENTROPY(o.float().mT, t))


class AcrossRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        hidden = self.first(x)
        return self.last((hidden - hidden.mean(0)) / (hidden.var(0) + 1e-5).sqrt())


def test_a_model_that_looks_across_rows_is_refused_in_chunks_alone():
    with pytest.raises(ValueError, match="depends on the others.*leave out chunk"):
        NetworkLoss(AcrossRows(), (X, Y), ENTROPY, chunk=5)
    check_by_differences(NetworkLoss(AcrossRows(), (X, Y), ENTROPY))
    check_by_differences(NetworkLoss(AcrossRows(), [(X[:6], Y[:6]), (X[6:], Y[6:])], ENTROPY))


class OwnBatchNorm(AcrossRows):
    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden - hidden.mean(0) if self.training else hidden)


def test_an_own_batchnorm_is_refused_in_training_mode_alone():
    with pytest.raises(ValueError, match="other outputs in training mode.*model.eval"):
        NetworkLoss(nn.Sequential(OwnBatchNorm(), nn.Dropout()), (X, Y), ENTROPY)
    check_by_differences(NetworkLoss(OwnBatchNorm().eval(), (X, Y), ENTROPY))
    check_by_differences(NetworkLoss(OwnBatchNorm(), (X, Y), ENTROPY, batchnorm="eval"))


@pytest.mark.parametrize("across", [lambda x: x.cumsum(0), lambda x: x.flip(0).cumsum(0).flip(0)])
def test_a_model_whose_rows_look_one_way_is_refused_in_chunks(across):
    with pytest.raises(ValueError, match="depends on the others.*leave out chunk"):
        NetworkLoss(mlp(layer(across)), (X, Y), ENTROPY, chunk=5)


class MomentumEncoder(nn.Module):
    """Two networks, of which one follows the other while they are trained."""

    def __init__(self):
        super().__init__()
        self.online, self.target, self.calls = nn.Linear(4, 3), nn.Linear(4, 3), 0

    def forward(self, x):
        if self.training:
            self.calls += 1
            with torch.no_grad():
                self.target.weight.mul_(0.9).add_(self.online.weight, alpha=0.1)
        return self.online(x)


def test_what_a_model_does_in_training_alone_is_not_done():
    model = MomentumEncoder()
    before = model.target.weight.detach().clone()
    check_by_differences(NetworkLoss(model, (X, Y), ENTROPY, params="online.*"))
    assert torch.equal(model.target.weight, before)
    assert model.calls == 0


def test_writing_to_a_parameter_that_is_left_out_is_refused_and_undone():
    model = WritesToItself()
    model.head = nn.Linear(2, 2)
    before = model.linear.weight.detach().clone()
    with pytest.raises(ValueError, match="writes to parameter 'linear.weight', which params="):
        NetworkLoss(model, (X, Y), ENTROPY, params="linear.bias")
    assert torch.equal(model.linear.weight, before)


def test_a_model_that_needs_all_rows_says_so():
    graph = nn.Sequential(layer(lambda x: torch.ones(12, 12) @ x), nn.Linear(4, 3))
    with pytest.raises(ValueError, match="a chunk of rows fails .* leave out chunk"):
        NetworkLoss(graph, (X, Y), ENTROPY, chunk=5)


BAD_DATA = {
    "shuffled by workers": (lambda: DataLoader(TensorDataset(X, Y), 5, shuffle=True, num_workers=1),
                            ENTROPY, ValueError, "differ from pass to pass"),
    "accuracy": (lambda: (X, Y), lambda o, t: (o.argmax(1) == t).double().mean(),
                 ValueError, "cannot be differentiated by the outputs"),
    "one argument": (lambda: (X, Y), lambda o: o.mean(), ValueError, r"criterion\(outputs, t"),
    "shuffled": (lambda: DataLoader(TensorDataset(X, Y), 5, shuffle=True), ENTROPY,
                 ValueError, "differ from pass to pass"),
    "read once": (lambda: iter([(X, Y)]), ENTROPY, ValueError, "can be read only once"),
    "a generator": (lambda: ((X, Y) for _ in range(2)), ENTROPY, ValueError, "only once"),
    "dictionaries": (lambda: [{"x": X, "y": Y}], ENTROPY, TypeError, "a pair .*not a dict"),
    "one tensor": (lambda: X, ENTROPY, TypeError, "a pair"),
    "three things": (lambda: (X, Y, Y), ENTROPY, ValueError, "not 3 things"),
    "lists": (lambda: (X, Y.tolist()), ENTROPY, ValueError, "target, tensors as well"),
    "triples": (lambda: [(X, Y, Y)], ENTROPY, TypeError, "a pair .*not 3 things"),
    "labels of floats": (lambda: (X, Y.float()), ENTROPY, ValueError, "targets of the dtype"),
    "weights of rows": (lambda: [(X[:6], Y[:6]), (X[6:], Y[6:])],
                        lambda o, t: (o.sum(1) * torch.ones(12)).mean(),
                        ValueError, "weights of rows as a part of the targets"),
    "no batch": (list, ENTROPY, ValueError, "at least one input"),
    "vector": (lambda: (X, Y), nn.CrossEntropyLoss(reduction="none"), ValueError, "one number"),
    "a float": (lambda: (X, Y), lambda o, t: 1.0, ValueError, "one number, as a tensor, not 1.0"),
    "broadcast": (lambda: (X, torch.zeros(12)), nn.MSELoss(), ValueError, "differ in shape"),
    "between rows": (lambda: [(X[:6], Y[:6]), (X[6:], Y[6:])], between_rows, ValueError, "no mean"),
    "largest": (lambda: [(X[:6], Y[:6]), (X[6:], Y[6:])],
                lambda o, t: functional.cross_entropy(o, t, reduction="none").max(),
                ValueError, "no mean"),
    "all ignored": (lambda: (X, torch.full((12,), -100)), ENTROPY, ValueError, "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_evaluated_are_refused_before_any_work(name):
    make, criterion, error, words = BAD_DATA[name]
    with pytest.raises(error, match=words):
        NetworkLoss(mlp(nn.Tanh()), make(), criterion)


def test_a_row_is_not_compared_with_a_column():
    row = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    for model, targets in ((nn.Linear(4, 1), Y), (nn.Linear(4, 1), X[:, 0]), (row, X[:, :1])):
        with pytest.raises(ValueError, match="compared each with each"):
            NetworkLoss(model, (X, targets), lambda o, t: (o - t).square().mean())


def test_a_head_that_begins_at_zero_may_be_squeezed():
    model = nn.Linear(4, 1)
    nn.init.zeros_(model.weight)
    NetworkLoss(model, (X, X[:, 0]), lambda o, t: (o.squeeze(-1) - t).square().mean())


def test_a_batch_without_positives_does_not_speak_for_all():
    def of_positives(outputs, targets):
        some = outputs[targets > 0]
        return some.square().mean() if len(some) else torch.tensor(0.0)

    targets = torch.tensor([0.0] * 6 + [1.0] * 6)
    batches = [(X[:6], targets[:6]), (X[6:], targets[6:])]
    loss = NetworkLoss(nn.Linear(4, 1), batches, of_positives, weights=[0, 1])
    check_by_differences(loss)


def test_a_random_criterion_is_refused():
    def noisy(outputs, targets):
        return ENTROPY(functional.dropout(outputs, 0.01), targets)

    with pytest.raises(ValueError, match="or the criterion, differ from call to call"):
        NetworkLoss(mlp(nn.Tanh()), (X, Y), noisy)


def test_batches_of_other_sizes_later_on_are_refused():
    data = [(X[:5], Y[:5]), (X[5:], Y[5:])]
    loss = NetworkLoss(mlp(nn.Tanh()), data, ENTROPY)
    data[1] = (X[6:], Y[6:])
    with pytest.raises(ValueError, match="batch 1 had 7 rows on the first pass and has 6 now"):
        loss.value(loss.theta)
    data.pop()
    with pytest.raises(ValueError, match="batch 1 had 7 rows on the first pass and has 0 now"):
        loss.grad(loss.theta)


# --- some of the parameters -----------------------------------------------------------------------


def test_some_parameters_have_the_block_of_the_hessian():
    model = mlp(nn.Tanh()).double()
    whole = NetworkLoss(model, (X.double(), Y), ENTROPY)
    dense = torch.stack([whole.hvp(whole.theta, e) for e in torch.eye(51).double()])
    named = {"0.*": slice(0, 30), "2.weight": slice(30, 48), ("0.bias", "2.*"): slice(24, 51)}
    for params, part in named.items():
        loss = NetworkLoss(model, (X.double(), Y), ENTROPY, params=params)
        assert torch.equal(loss.theta, whole.theta[part])
        block = torch.stack([loss.hvp(loss.theta, e) for e in torch.eye(loss.dimension).double()])
        torch.testing.assert_close(block, dense[part, part])
        found = sharpness(loss, loss.theta, tol=1e-6).values[0]
        assert found == pytest.approx(float(torch.linalg.eigvalsh(block)[-1]), rel=1e-6)


def test_a_block_is_one_at_the_point_given():
    whole = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY)
    theta = 1.5 * whole.theta
    block = whole.block("2.*", theta)
    assert torch.equal(block.theta, theta[30:])
    assert torch.equal(block.value(block.theta), whole.value(theta))
    torch.testing.assert_close(block.grad(block.theta), whole.grad(theta)[30:])
    double = block.to(dtype=torch.float64)
    torch.testing.assert_close(double.value(double.theta), whole.value(theta).double())


def test_params_that_fit_none_are_refused():
    with pytest.raises(ValueError, match=r"no parameter fits params='head.\*': they are 0.weight"):
        NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY, params=["0.*", "head.*"])


def test_a_tied_parameter_goes_by_each_of_its_names():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    for params in ("0.weight", "2.weight"):
        loss = NetworkLoss(model, (X, X), nn.MSELoss(), params=params)
        assert loss.dimension == 16
        check_by_differences(loss)


@pytest.mark.filterwarnings("ignore")
def test_one_layer_of_an_encoder_is_the_encoder():
    loss = NetworkLoss(Encoder(), (padded(), Y), ENTROPY)
    for params in ("head.*", "body.layers.0.*"):
        block = loss.block(params)
        torch.testing.assert_close(block.value(block.theta), loss.value(loss.theta))


def test_theta_and_params_are_refused_in_words():
    loss = NetworkLoss(mlp(nn.Tanh()), (X, Y), ENTROPY)
    for call in (loss.value, loss.grad, loss.hessian, loss.outputs):
        with pytest.raises(ValueError, match=r"theta must have the shape \(51,\)"):
            call(loss.theta[:-1])
    for params in ([], None, list(loss.model.parameters())):
        with pytest.raises(ValueError, match="params must be patterns of names"):
            loss.block(params)
    with pytest.raises(TypeError, match="32 or 64 bits, not torch.float16"):
        loss.value(loss.theta.half())
    assert loss.value(loss.theta.tolist()).dtype == torch.float64
    assert torch.equal(loss.block("2.*", loss.theta.tolist()).theta, loss.theta[30:])
    for theta in (loss.theta.double().numpy(), loss.theta.tolist()):
        assert sharpness(loss, theta).vectors.dtype == torch.float64
    with pytest.raises(ValueError, match="weights must be 1 numbers"):
        NetworkLoss(loss.model, (X, Y), ENTROPY, weights="equal")


def test_arrays_are_data_and_outputs_may_be_nested():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp(nn.Tanh())

        def forward(self, x):
            return SimpleNamespace(deep=SimpleNamespace(logits=self.inner(x)))

    def criterion(outputs, targets):
        return ENTROPY(outputs.deep.logits, targets)

    model = Nested()
    nested = NetworkLoss(model, (X.numpy(), Y.numpy()), criterion, chunk=5)
    plain = NetworkLoss(model.inner, (X, Y), ENTROPY)
    torch.testing.assert_close(nested.grad(plain.theta), plain.grad(plain.theta))
    assert not nested.outputs(plain.theta).deep.logits.requires_grad


def test_a_value_builds_no_graph():
    asked = []
    model = mlp(layer(lambda x: asked.append(x.requires_grad) or x.tanh()))
    loss = NetworkLoss(model, (X, Y), ENTROPY)
    asked.clear()
    loss.value(loss.theta)
    assert asked == [False]


def test_inputs_that_are_written_to_for_some_rows_alone_stay_as_they_are():
    def forward(x):
        if len(x) > 8:
            x[10:].zero_()
        return x

    inputs = X.clone()
    loss = NetworkLoss(nn.Sequential(layer(forward), mlp(nn.Tanh())), (inputs, Y), ENTROPY)
    first = loss.value(loss.theta)
    assert torch.equal(loss.value(loss.theta), first)
    assert torch.equal(inputs, X)


def test_point_is_the_former_name_of_theta():
    loss = NetworkLoss(mlp(nn.Tanh()), (X, Y), half_squared_error)
    assert torch.equal(loss.point, loss.theta)
