"""Small models, criteria and data for the tests of networks, and their losses by definition."""

import copy

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

from mslbook.losses.network import half_squared_error  # noqa: E402

N, CLASSES = 7, 3


class Counting(nn.Module):
    """Scales by a buffer that every forward pass changes, in place and by assignment."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, CLASSES)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x):
        y = self.linear(x).sigmoid() * self.scale
        self.calls.add_(1)
        self.scale = self.scale * 2
        return y


class Tied(nn.Module):
    """One weight used by two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.last = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.last(self.second(self.first(x).tanh()).tanh())


class Attention(nn.Module):
    """Two heads over four tokens of one number each, of which one is masked."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(1, 4), nn.Linear(4, CLASSES)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        tokens = self.embed(x[..., None])
        mask = torch.arange(4) == 3
        mixed, _ = self.attention(
            tokens, tokens, tokens, key_padding_mask=mask.expand(len(x), 4), need_weights=False
        )
        return self.head((tokens + mixed).mean(1))


class Tokens(nn.Module):
    """An embedding of signs, a weight that is not used, and LayerNorm."""

    def __init__(self):
        super().__init__()
        self.embed, self.unused = nn.Embedding(2, 3), nn.Linear(2, 2)
        self.norm, self.head = nn.LayerNorm(3), nn.Linear(3, CLASSES)

    def forward(self, x):
        return self.head(self.norm(self.embed((x > 0).long()).mean(1)).tanh())


class Recurrent(nn.Module):
    """An LSTM of two layers, both ways."""

    def __init__(self):
        super().__init__()
        self.body = nn.LSTM(1, 2, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.head(self.body(x[..., None])[0][:, -1])


class StraightThrough(torch.autograd.Function):
    """The sign, with a backward pass that is not its derivative."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, slope):
        return slope


def layer(function):
    """A module of a function of its input."""
    module = nn.Identity()
    module.forward = function
    return module


def mlp(*between):
    return nn.Sequential(nn.Linear(4, 5), *between, nn.Linear(5, CLASSES))


def convolutional(norm):
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 2, 2, padding=1),
        norm,
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(18, CLASSES),
    )


MODELS = {
    "linear": lambda: nn.Linear(4, CLASSES),
    "tanh": lambda: mlp(nn.Tanh()),
    "relu": lambda: mlp(nn.ReLU()),
    "dropout": lambda: mlp(nn.Tanh(), nn.Dropout(0.5)),
    "batchnorm": lambda: mlp(nn.BatchNorm1d(5), nn.Tanh()),
    "batchnorm relu": lambda: mlp(nn.BatchNorm1d(5, affine=False), nn.ReLU()),
    "batchnorm without memory": lambda: mlp(nn.BatchNorm1d(5, track_running_stats=False)),
    "batchnorm cumulative": lambda: convolutional(nn.BatchNorm2d(2, momentum=None)),
    "syncbatchnorm": lambda: convolutional(nn.SyncBatchNorm(2)),
    "instancenorm": lambda: convolutional(nn.InstanceNorm2d(2, track_running_stats=True)),
    "groupnorm": lambda: convolutional(nn.GroupNorm(1, 2)),
    "layernorm": lambda: mlp(nn.LayerNorm(5), nn.GELU()),
    "tied": Tied,
    "counting": Counting,
    "attention": Attention,
    "tokens": Tokens,
    "lstm": Recurrent,
}
CRITERIA = {
    "half squared": half_squared_error,
    "mean squared": nn.MSELoss(),
    "cross-entropy": nn.CrossEntropyLoss(label_smoothing=0.1),
}
BATCHNORM = [name for name in MODELS if "norm" in name and name not in ("groupnorm", "layernorm")]


def build(name, dtype=torch.float64):
    """A model with running statistics that are not the initial ones, and its data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = MODELS[name]().to(dtype)
        inputs = torch.randn(N, 4, dtype=dtype)
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.copy_(torch.rand_like(buffer) + 0.5)
        vectors = torch.randn(2, sum(p.numel() for p in model.parameters()), dtype=dtype)
    return model, inputs, torch.tensor([0, 2, 1, 1, 0, 2, 2]), vectors


def by_definition(model, inputs, labels, criterion, chunk, mode):
    """The loss as a function of the flat vector, from the mathematics of each criterion."""
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.train(mode == "train")
    one_hot = torch.eye(CLASSES, dtype=inputs.dtype)[labels]
    shapes = [(name, p.shape, p.numel()) for name, p in model.named_parameters()]

    def loss(theta):
        state, at = {}, 0
        for name, shape, size in shapes:
            state[name] = theta[at : at + size].reshape(shape)
            at += size
        total = 0.0
        for rows in torch.arange(N).split(chunk or N):
            fresh = copy.deepcopy(model)  # the running statistics as they were
            out = torch.func.functional_call(fresh, state, (inputs[rows],))
            if criterion == "cross-entropy":
                smooth = 0.9 * one_hot[rows] + 0.1 / CLASSES
                total = total + (out.logsumexp(1) * smooth.sum(1) - (out * smooth).sum(1)).sum()
            else:
                share = 0.5 if criterion == "half squared" else 1 / CLASSES
                total = total + share * ((out - one_hot[rows]) ** 2).sum()
        return total / N

    return loss


def dense(function, theta):
    """The gradient and the whole Hessian, by torch's own reference routines."""
    derivatives = torch.autograd.functional
    with sdpa_kernel(SDPBackend.MATH):  # the one that can be differentiated twice
        return derivatives.jacobian(function, theta), derivatives.hessian(function, theta)


def targets_for(criterion, labels, dtype=torch.float64):
    if criterion == "mean squared":
        return torch.eye(CLASSES, dtype=dtype)[labels]
    return labels
