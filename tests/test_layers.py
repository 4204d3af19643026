"""The sharpness of layers against dense blocks of the Hessian."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import CLASSES, N, build, dense  # noqa: E402
from torch import nn  # noqa: E402

from mslbook import f1  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.probes import layer_sharpness, sharpness  # noqa: E402

TOKENS, LENGTH, WIDTH = 5, 6, 4


class Block(nn.Module):
    """Causal attention with one head, and two linear layers."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.mix(x)


class Transformer(nn.Module):
    """Two blocks on tokens; positions are a parameter of the model itself."""

    def __init__(self):
        super().__init__()
        self.embed, self.blocks = nn.Embedding(TOKENS, WIDTH), nn.Sequential(Block(), Block())
        self.positions, self.head = (
            nn.Parameter(torch.ones(LENGTH, WIDTH)),
            nn.Linear(WIDTH, TOKENS),
        )

    def forward(self, tokens):
        return self.head(self.blocks(self.embed(tokens) + self.positions)).mT


@pytest.fixture(scope="module")
def transformer():
    """The loss of a small transformer in float64, and its whole Hessian at another point."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, tokens = Transformer().double(), torch.randint(TOKENS, (3, LENGTH + 1))
        loss = NetworkLoss(model, (tokens[:, :-1], tokens[:, 1:]), nn.CrossEntropyLoss())
        theta = loss.theta + 0.3 * torch.randn_like(loss.theta)
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def function(theta):
        pieces = theta.split([shape.numel() for shape in shapes.values()])
        state = {name: p.view(shapes[name]) for name, p in zip(shapes, pieces, strict=True)}
        outputs = torch.func.functional_call(model, state, (tokens[:, :-1],))
        return nn.functional.cross_entropy(outputs, tokens[:, 1:])

    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        return loss, theta, dense(function, theta)[1]


def coordinates(model, layer):
    """Which coordinates of theta are a layer's own."""
    owners = [(name.rpartition(".")[0], p.numel()) for name, p in model.named_parameters()]
    return np.concatenate([np.full(size, owner == layer) for owner, size in owners])


def test_layers_are_the_blocks_of_the_dense_hessian(transformer):
    loss, theta, hessian = transformer
    found = layer_sharpness(loss, theta, tol=1e-5)
    names = [name for name, module in loss.model.named_modules() if module._parameters]
    assert set(found) == {"the model itself", "the whole", *filter(None, names)}
    for name, one in found.items():
        own = coordinates(loss.model, "" if name == "the model itself" else name)
        own |= name == "the whole"
        wanted = np.linalg.eigvalsh(hessian[own][:, own])[-1]
        assert one.vectors.shape == (1, own.sum())
        assert one.values == pytest.approx([wanted], rel=1e-6)
        assert one.converged
        assert one.residuals <= 1e-5


def test_of_a_loss_of_some_parameters_it_has_their_layers(transformer):
    loss, theta, _ = transformer
    part = loss.block("blocks.1.mix.*", theta)
    found = layer_sharpness(part)
    assert list(found) == ["blocks.1.mix.0", "blocks.1.mix.2", "the whole"]
    whole = found["the whole"].values
    assert whole == sharpness(part, part.theta).values
    assert all(one.values <= whole for one in found.values())


def test_shared_weights_appear_once():
    model, inputs, labels, _ = build("tied")
    found = layer_sharpness(NetworkLoss(model, (inputs, labels), half_squared_error))
    assert list(found) == ["first", "second", "last", "the whole"]
    sizes = [one.vectors.shape[1] for one in found.values()]
    assert sizes == [20, 4, 5 * CLASSES, 24 + 5 * CLASSES]


def test_a_layer_without_influence_has_none():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleDict({"used": nn.Linear(4, CLASSES)})
            self.layers["[a-z]dle"] = nn.Linear(4, CLASSES)  # a name that is no pattern

        def forward(self, x):
            return self.layers["used"](x) + 0 * self.layers["[a-z]dle"](x)

    found = layer_sharpness(NetworkLoss(Idle(), (torch.ones(N, 4), torch.arange(N) % CLASSES),
                                        nn.CrossEntropyLoss()))  # fmt: skip
    assert found["layers.[a-z]dle"].values == 0
    assert all(one.converged for one in found.values())


def test_it_reads_as_a_table(transformer):
    loss, theta, _ = transformer
    found = layer_sharpness(loss.block("blocks.0.*", theta))
    sizes = {name: one.vectors.shape[1] for name, one in found.items()}
    told = {name: replace(one, converged=sizes[name] > 20) for name, one in found.items()}
    lines = repr(type(found)(told)).splitlines()
    assert len(lines) == 1 + len(found)
    assert lines[0].split() == ["layer", "parameters", "sharpness", "products"]
    table = [line.removesuffix("  NOT converged") for line in lines]
    assert len({len(line) for line in table}) == 1
    told = [line.endswith("NOT converged") for line in lines[1:]]
    assert told == [size <= 20 for size in sizes.values()]


def test_what_has_no_layers_is_refused():
    with pytest.raises(TypeError, match="pass a NetworkLoss"):
        layer_sharpness(f1)
