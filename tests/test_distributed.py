"""Several processes share one loss: the same numbers, and an end in words if one dies."""

import copy
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from ranks import RANKS, needs_gloo

torch = pytest.importorskip("torch")
from torch import distributed, nn  # noqa: E402

from mslbook.descent import descend  # noqa: E402
from mslbook.distributed import gather, parts, rank, total  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import resnet18  # noqa: E402
from mslbook.probes import line, sharpness  # noqa: E402

pytestmark = pytest.mark.ranks

# --- the same loss --------------------------------------------------------------------------------


def convolutional(*norms):
    """On 13 pictures of 4 x 4 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, 2, 2), norms[0], nn.Tanh(), nn.Conv2d(2, 3, 2), *norms[1:], nn.Flatten(),
        nn.Linear(12, 5),
    )  # fmt: skip


CASES = {  # model, pictures, their size, chunk, batchnorm
    "plain, fewer left than ranks": (lambda: convolutional(nn.Identity()), 13, 4, 5, "train"),
    "batchnorm": (
        lambda: convolutional(nn.BatchNorm2d(2, momentum=None), nn.BatchNorm2d(3, affine=False)),
        13, 4, None, "train",
    ),
    "batchnorm, chunks": (lambda: convolutional(nn.BatchNorm2d(2)), 13, 4, 5, "train"),
    "batchnorm, eval": (lambda: convolutional(nn.BatchNorm2d(2)), 13, 4, None, "eval"),
    "batchnorm without memory": (
        lambda: convolutional(nn.BatchNorm2d(2, track_running_stats=False)), 13, 4, None, "eval",
    ),
    "instancenorm": (
        lambda: convolutional(nn.InstanceNorm2d(2, track_running_stats=True)), 13, 4, 6, "train",
    ),
    "resnet18": (lambda: resnet18(5, width=1 / 16), 30, 8, None, "train"),
}  # fmt: skip


def build(name, device="cpu", dtype=torch.float64):
    model, n, pixels, chunk, batchnorm = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model, shape = model().to(dtype), (n, 3, pixels, pixels)
        x = torch.randn(shape, dtype=dtype, requires_grad=True)  # which nobody here asks for
    y = torch.arange(n) % 5
    return NetworkLoss(
        model.to(device),
        (x.to(device), y.to(device)),
        half_squared_error,
        chunk=chunk,
        batchnorm=batchnorm,
    )


def everything(device="cpu", dtype=torch.float64, names=tuple(CASES)):
    """Whatever a NetworkLoss answers, as NumPy arrays by case and question."""
    if device == "cuda" and distributed.is_initialized():
        device = f"cuda:{rank()}"
        torch.cuda.set_device(device)
    return {name: answers_of(build(name, device, dtype)) for name in names}


def answers_of(loss):
    model = copy.deepcopy(loss.model.state_dict())
    theta = loss.theta
    value, v = loss.value_and_grad(theta)
    product, frozen = loss.hessian(theta), loss.calibrated(theta)
    answers = {
        "value": loss.value(theta),
        "grad": v,
        "value with it": value,
        "hvp": loss.hvp(theta, v),
        "kept": torch.stack([product(v), product(2 * v)]),
        "outputs": loss.outputs(theta),
        "outputs of two": loss.outputs(theta, loss.inputs[3:5]),
        "minibatch": loss.subset([8, 1, 5, 0, 2]).grad(theta),
        "fewer than ranks": loss.subset([8, 1, 5]).hvp(theta, v),
        "calibrated": frozen.outputs(theta, loss.inputs[:3]),
        "calibrated grad": frozen.grad(theta),
        "path": descend(loss, theta, lr=0.05, steps=2).points,
        "line": line(loss, theta, v, np.linspace(-0.1, 0.1, 3)),
        "sharpness": sharpness(loss, theta, max_hvps=5).values,
    }
    for key, tensor in loss.model.state_dict().items():
        assert torch.equal(tensor, model[key]), f"{key} was not left as it was found"
    return {key: np.asarray(torch.as_tensor(a).cpu()) for key, a in answers.items()}


@pytest.fixture(scope="module")
def alone(together):
    """The answers of one process that has joined no others."""
    return together(everything, 1, backend=None)[0]


@needs_gloo
@pytest.mark.parametrize("ranks", RANKS)
def test_any_number_of_ranks_gives_the_same(together, alone, ranks):
    found = together(everything, ranks)
    for other in found[1:]:
        np.testing.assert_equal(other, found[0])  # to the last bit, so that no paths part
    assert_close(found[0], alone, 1e-10)


def assert_close(found, expected, tolerance):
    """Every array to within `tolerance` of its largest entry."""
    for name, answers in expected.items():
        for key, array in answers.items():
            assert found[name][key].shape == array.shape
            off = abs(found[name][key] - array).max() / abs(array).max()
            assert off < tolerance, f"{name}: {key}"


def test_every_picture_belongs_to_one_rank(monkeypatch):
    for ranks in range(1, 6):
        for n, chunk in ((5, 5), (23, 7), (17, 16)):
            counted = np.zeros(n)
            for this in range(ranks):
                monkeypatch.setattr("mslbook.distributed.ranks", lambda ranks=ranks: ranks)
                monkeypatch.setattr("mslbook.distributed.rank", lambda this=this: this)
                for part in parts(n, chunk):
                    counted[part.rows] += n * part.weight / (part.rows.stop - part.rows.start)
            np.testing.assert_allclose(counted, 1)


def weighted():
    """Rows that weigh differently, in chunks of which one has no target that counts."""
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3).double(), torch.randn(13, 4).double()
    y = torch.tensor([0, 0, 0, 0, 1, 2, 2, 0, 1, 1, 2, 0, 2])
    weights = torch.tensor([0.0, 5.0, 20.0]).double()
    loss = NetworkLoss(model, (x, y), nn.CrossEntropyLoss(weights), chunk=4)
    theta = loss.theta
    return [loss.value(theta).item(), *loss.hvp(theta, loss.grad(theta)).tolist()]


@needs_gloo
def test_rows_that_weigh_differently_are_shared(together):
    (alone,) = together(weighted, 1)
    for ranks in RANKS[1:]:
        for answer in together(weighted, ranks):
            np.testing.assert_allclose(answer, alone, rtol=1e-10)


def test_alone_a_sum_is_what_it_was():
    x = torch.arange(5.0)
    assert total(x) is x
    pieces = [SimpleNamespace(rows=part.rows, share=part.weight) for part in parts(5, 2)]
    assert torch.equal(gather(pieces, [x[piece.rows] for piece in pieces], 5), x)


@pytest.mark.gpu
@pytest.mark.parametrize("ranks", [1, 2])
def test_nccl_gives_the_same(together, alone, ranks):
    if torch.cuda.device_count() < ranks:
        pytest.skip(f"needs {ranks} CUDA devices")
    for answers in (found := together(everything, ranks, "cuda", backend="nccl")):
        np.testing.assert_equal(answers, found[0])
    assert_close(found[0], alone, 1e-8)


# --- what cannot be shared ------------------------------------------------------------------------


def refused(what):
    x, y = torch.randn(7, 4, generator=torch.Generator().manual_seed(0)), torch.arange(7) % 3
    torch.manual_seed(rank() if what == "other parameters" else 0)
    model = nn.Sequential(nn.Linear(4, 3))
    if what == "sync":
        model = nn.Sequential(nn.Linear(4, 3), nn.SyncBatchNorm(3))
    y = y + (rank() if what == "other pictures" else 0) * (y == 0)
    NetworkLoss(model, (x, y), half_squared_error)


@needs_gloo
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("sync", "SyncBatchNorm cannot be differentiated twice: use BatchNorm"),
        ("other parameters", "the 2 ranks do not hold the same parameters and data: make"),
        ("other pictures", "the 2 ranks do not hold the same parameters and data: make"),
    ],
)
def test_what_cannot_be_shared_is_refused_on_every_rank(together, what, words):
    for told in together(refused, 2, what):
        assert told.startswith(f"ValueError: {words}")


def dying():
    loss = build("plain, fewer left than ranks")
    if rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    loss.grad(loss.theta)


@needs_gloo
def test_the_death_of_another_is_told(together):
    told, silence = together(dying, 2)
    assert told.startswith("ConnectionError: rank 0 lost touch with the other ranks, of which one")
    assert silence is None
