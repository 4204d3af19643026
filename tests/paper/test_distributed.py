"""Several processes share one loss: same numbers, one writer, and an end in words if one dies."""

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import shrink  # noqa: E402
from torch import distributed, nn  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.descent import descend  # noqa: E402
from mslbook.distributed import gather, parts, rank, total  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import resnet18  # noqa: E402
from mslbook.paper import experiments, launch, recording  # noqa: E402
from mslbook.probes import line, sharpness  # noqa: E402

needs_gloo = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()),
    reason="this PyTorch was built without gloo",
)
RANKS = (1, 2, 4)
HUNG = 600  # seconds: what takes longer will never come, however busy the machine is


# --- processes ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Call ``together(task, ranks, ...)``: what each of these processes, joined, answers."""
    context = multiprocessing.get_context("forkserver")
    # PyTorch is imported once for all, and what networks.py imports late.
    context.set_forkserver_preload(["test_distributed", "torchvision.models"])
    folder = tmp_path_factory.mktemp("meetings")

    def call(task, ranks, *arguments, backend="gloo"):
        meeting = folder / f"{len(list(folder.iterdir()))}"
        meeting.touch()
        pipes = []
        for number in range(ranks):
            receiver, sender = context.Pipe(duplex=False)
            who = (sender, meeting, backend, number, ranks)
            context.Process(target=join, args=(*who, task, arguments), daemon=True).start()
            sender.close()
            pipes.append(receiver)
        return [answer(pipe) for pipe in pipes]

    def answer(pipe):
        assert pipe.poll(timeout=HUNG), "a process hangs"
        try:
            return pipe.recv()
        except EOFError:
            return None  # it died

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        yield call


def join(sender, meeting, backend, number, ranks, task, arguments):
    torch.set_num_threads(1)
    where = {"init_method": f"file://{meeting}.store", "rank": number, "world_size": ranks}
    if backend:
        distributed.init_process_group(backend, **where)
        distributed.barrier()  # or a rank that is refused at once is gone before all have met
    try:
        answer = task(*arguments)
    except (ValueError, ConnectionError) as error:
        answer = f"{type(error).__name__}: {error}"
    sender.send(answer)


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


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cpu", "variable MASTER_ADDR expected, but not set"),
        ("cuda", "this machine has 2 CUDA devices, .*: start torchrun with --nproc-per-node 2"),
        ("cuda:1", "every rank takes a CUDA device of its own: say --device cuda, no number"),
    ],
)
def test_ranks_that_cannot_be_are_refused_before_any_work(tmp_path, monkeypatch, device, words):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(ValueError, match=words):
        experiments.run("fig2_1_left", device=device, folder=tmp_path)


def taking(path):
    with launch.alone(path, torch.device("cpu")):
        return "taken"


@needs_gloo
def test_every_rank_is_told_that_another_process_is_at_the_run(together, tmp_path):
    path = tmp_path / "run.npz"
    with launch.held(path):
        for told in together(taking, 2, path):
            assert told.startswith(f"ValueError: another process is at work on run in {tmp_path}:")
    assert together(taking, 2, path) == ["taken", "taken"]
    assert list(tmp_path.iterdir()) == []


# --- an experiment, killed and resumed ------------------------------------------------------------


def tiny_experiment(folder):
    """The tiny fig2_1_left on the ranks there are; what it would record."""
    from mslbook.paper.run import Run

    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        edge = experiments.experiment("fig2_1_left")
        run = Run(edge, data.load("digits"), folder=folder)
        return edge.record(run), run.provenance()


# Under torchrun: the second rank dies at its 45th gradient, in the middle of the second training.
KILLED = f"""
import os, signal, sys, pytest
sys.path.insert(0, {str(Path(__file__).parent)!r})
import itertools, torch, tiny as tests
from mslbook.distributed import rank
from mslbook.paper import cli
torch.set_num_threads(1)
tests.shrink(pytest.MonkeyPatch())
method, calls = tests.NetworkLoss.value_and_grad, itertools.count(1)
def killed(*args):
    if next(calls) == 45 and rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return method(*args)
tests.NetworkLoss.value_and_grad = killed
sys.exit(cli.main(["run", "fig2_1_left", "--out", sys.argv[1]]))
"""


@needs_gloo
def test_a_rank_that_dies_ends_the_run_in_words_and_it_goes_on(together, tmp_path):
    script, out = tmp_path / "killed.py", tmp_path / "out"
    script.write_text(KILLED)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", str(script), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "mslbook (rank 0): " in done.stderr
    assert "; the same command goes on from the last checkpoint" in done.stderr
    assert "SIGKILL" in done.stderr  # torchrun's own report
    begun = "lr-0.8:   0%|          | 0/30 [00:00<?, ?it/s]"
    assert done.stderr.count(begun) == 1  # one rank shows its progress
    assert [path.name for path in out.glob("[!.]*")] == ["fig2_1_left-digits-small"]
    (out / "fig2_1_left-digits-small").rename(tmp_path / "two")
    half = recording.load(tmp_path / "two" / "lr-0.5.npz")
    assert 5 < half.provenance["step"] < 45

    subprocess.run(["cp", "-r", tmp_path / "two", tmp_path / "one"], check=True)
    (first, about), (second, _) = together(tiny_experiment, 2, tmp_path / "two")
    assert about["ranks"] == 2
    assert about["backend"] == "gloo"
    np.testing.assert_equal(first, second)
    whole, _ = together(tiny_experiment, 2, tmp_path / "uninterrupted")[0]
    np.testing.assert_equal(first, whole)

    one, about = tiny_experiment(tmp_path / "one")
    assert (about["ranks"], about["backend"]) == (1, None)
    assert [(stay["step"], stay["ranks"]) for stay in about["environments"]] == [
        (0, 2), (0, 2), (half.provenance["step"] + 1, 1),
    ]  # fmt: skip
    assert "backend gloo, ranks 2 for lr-0.8 from step 0" in recording.Recording({}, about).mixed()
    for name, array in one.items():
        np.testing.assert_allclose(array, whole[name], rtol=1e-3, atol=1e-5, err_msg=name)
