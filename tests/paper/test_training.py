"""Training: resumed to the same bits after any kill, branched, measured, and stopped with words."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mslbook.descent import decays, iterate  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.paper import recording, training  # noqa: E402
from mslbook.paper import trajectory as trajectories  # noqa: E402
from mslbook.paper.training import accuracy, train  # noqa: E402
from mslbook.paper.trajectory import Trajectory  # noqa: E402
from mslbook.stochastic import minibatch_sgd  # noqa: E402

PICTURES, BATCH, EPOCH = 50, 16, 4  # the last batch of an epoch has two pictures
STEPS = 24
SGD = partial(minibatch_sgd, batch=BATCH, momentum=0.9, seed=3)
WALK = partial(SGD, lr=decays({0: 0.1, 3: 0.01}, epoch=EPOCH))
PROBES = {0, 5, 6, 7, 20, STEPS}
KEPT = range(4, STEPS + 1, 2)


def pictures(first, last):
    """Random numbers, the largest of the first row of each being its class."""
    images = torch.randn(80, 1, 8, 8, generator=torch.Generator().manual_seed(1))[first:last]
    return images, images[:, 0, 0].argmax(dim=1)


def network_loss(**changes):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 12), torch.nn.BatchNorm1d(12), torch.nn.Tanh(),
        torch.nn.Linear(12, 8),
    )  # fmt: skip
    return NetworkLoss(model, *pictures(0, PICTURES), torch.nn.CrossEntropyLoss(), **changes)


def identity(walk):
    return {"recipe": "test", "version": 1, **{k: repr(v) for k, v in walk.keywords.items()}}


def go(folder, walk=WALK, steps=STEPS, kept=KEPT, **changes):
    """A run that measures with a memory and keeps a piece of its path."""
    loss = network_loss()
    test_inputs, test_targets = pictures(50, 80)

    def measure(step, theta, carry):
        row = {
            "steps": step,
            "loss": float(loss.value(theta)),
            "train_accuracy": accuracy(loss.outputs(theta), loss.targets),
            "test_accuracy": accuracy(
                loss.calibrated(theta).outputs(theta, test_inputs), test_targets
            ),
            "moved": np.float32((theta - carry.get("last", theta)).norm()),
        }
        return row, {"last": theta}

    arguments = {
        "probes": PROBES,
        "checkpoint": folder / "run.npz",
        "identity": identity(walk),
        "trajectory": Trajectory(folder / "path.npy", kept),
        "progress": False,
    }
    return train(loss, walk, steps, measure=measure, **arguments | changes)


def assert_same(one, other):
    assert one.step == other.step
    assert one.losses == other.losses
    assert one.rows.keys() == other.rows.keys()
    for name, column in one.rows.items():
        np.testing.assert_array_equal(column, other.rows[name], err_msg=name)
    for name in ("theta", "velocity"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert torch.equal(one.carry["last"], other.carry["last"])


def everything_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nothing interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return go(folder), folder


@pytest.fixture
def always_saved(monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", -1.0)


# --- what is recorded -----------------------------------------------------------------------------


def test_momentum_is_that_of_torch(finished):
    """The same batches given to torch's own optimiser, in double precision, with a decay."""
    loss = network_loss().to(dtype=torch.float64)
    parameter = torch.nn.Parameter(loss.point)
    optimiser = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3 * EPOCH], gamma=0.1)
    states = WALK(loss, loss.point)
    for state in islice(states, STEPS):
        assert torch.allclose(state.point, parameter.detach(), rtol=1e-10, atol=1e-12)
        order = np.random.default_rng((3, state.step // EPOCH)).permutation(PICTURES)
        batch = loss.subset(order[state.step % EPOCH * BATCH :][:BATCH])
        parameter.grad = batch.grad(parameter.detach())
        optimiser.step()
        schedule.step()
    last = next(states).point.float()
    assert torch.allclose(last, finished[0].theta, rtol=1e-3, atol=1e-5)


def test_what_is_recorded_can_be_computed_again(finished):
    run, _ = finished
    loss = network_loss()
    assert run.step == STEPS
    states = list(islice(WALK(loss, loss.point), STEPS + 1))
    assert run.losses == [float(state.value) for state in states]
    assert run.rows["steps"] == sorted(PROBES)
    points = [states[step].point for step in sorted(PROBES)]
    assert run.rows["loss"] == [float(loss.value(point)) for point in points]
    inputs, targets = pictures(50, 80)
    correct = loss.calibrated(points[-1]).outputs(points[-1], inputs).argmax(1) == targets
    assert run.rows["test_accuracy"][-1] == pytest.approx(int(correct.sum()) / 30)
    correct = loss.outputs(points[-1]).argmax(1) == loss.targets
    assert run.rows["train_accuracy"][-1] == pytest.approx(int(correct.sum()) / PICTURES)
    assert run.rows["moved"][3] == (points[3] - points[2]).norm()


def test_the_path_is_a_file_that_need_not_fit_into_memory(finished):
    run, folder = finished
    loss = network_loss()
    path = np.load(folder / "path.npy", mmap_mode="r", allow_pickle=False)
    assert isinstance(path, np.memmap)
    assert path.dtype == np.float32
    points = [state.point.numpy() for state in islice(WALK(loss, loss.point), STEPS + 1)]
    np.testing.assert_array_equal(path, [points[step] for step in KEPT])


def test_full_batch_descent_runs_by_iterate(tmp_path):
    run = go(tmp_path, partial(iterate, lr=0.1))
    loss = network_loss()
    states = list(islice(iterate(loss, loss.point, 0.1), STEPS + 1))
    assert run.losses == [float(state.value) for state in states]
    assert torch.equal(run.theta, states[-1].point)
    assert run.velocity is None


# --- stopped, and gone on with --------------------------------------------------------------------

# What a run is killed in, and the how-manieth time that it comes there.
MOMENTS = [
    *(("value_and_grad", call) for call in (1, 2, 9, 25)),
    *(("outputs", call) for call in (1, 4, 12)),  # in a measurement
    *(("half a checkpoint", call) for call in (1, 6, 25)),
    *(("replace", call) for call in (1, 13)),
    *(("_write_header", call) for call in (1, 2, 7, 8)),  # before and behind a row of the path
]


def kill_at(where, call):
    """Have this process killed when it comes to `where` for the `call`-th time."""
    owner, name = {
        "half a checkpoint": (np, "savez_compressed"),
        "replace": (Path, "replace"),
        "_write_header": (trajectories, "_write_header"),
    }.get(where, (NetworkLoss, where))
    method, calls = getattr(owner, name), count(1)

    def killed(*args, **kwargs):
        if next(calls) == call:
            if where == "half a checkpoint":
                args[0].write(b"half")
                args[0].flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*args, **kwargs)

    setattr(owner, name, killed)


def run_and_be_killed(folder):
    """Run in one child process for each moment, until it is killed."""
    training.SAVE_EVERY = -1.0
    network_loss().value(network_loss().point)  # what torch imports on first use, once for all
    for number, moment in enumerate(MOMENTS):
        child = os.fork()
        if child == 0:
            kill_at(*moment)
            (folder / str(number)).mkdir()
            go(folder / str(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != signal.SIGKILL:
            raise SystemExit(f"{moment} was not reached")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """One folder for each moment, as the kill left it."""
    folder = tmp_path_factory.mktemp("killed")
    script = f"""
import pathlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_training as tests
tests.torch.set_num_threads({torch.get_num_threads()})
tests.run_and_be_killed(pathlib.Path({str(folder)!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=[f"{w}-{c}" for w, c in MOMENTS])
def test_killed_anywhere_it_ends_with_the_same_bits(killed, finished, number):
    folder, whole = killed / str(number), finished[1] / "path.npy"
    file = folder / "path.npy"
    if file.exists() and file.stat().st_size:
        left = np.load(file)  # what a kill leaves can be read
        np.testing.assert_array_equal(left, np.load(whole)[: len(left)])
        with file.open("ab") as end:
            end.write(b"half a row")
    with recording.held(folder / "run.npz") as free:  # which removes what was left half written
        assert free
        assert_same(go(folder), finished[0])
    assert file.read_bytes() == whole.read_bytes()
    assert everything_in(folder) == ["path.npy", "run.npz"]


@pytest.mark.parametrize("moment", [2, 11, 20])
def test_stopped_by_hand_it_does_nothing_twice(tmp_path, finished, always_saved, moment):
    method, calls = NetworkLoss.value_and_grad, count(1)

    def interrupted(*args):
        if next(calls) == moment:
            raise KeyboardInterrupt
        return method(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkLoss, "value_and_grad", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path)
        moment = -1
        assert_same(go(tmp_path), finished[0])
    assert next(calls) <= STEPS + 4  # the first gradient is the last one of before
    assert everything_in(tmp_path) == ["path.npy", "run.npz"]


def test_a_finished_run_is_not_run_again(tmp_path, finished, monkeypatch):
    go(tmp_path)
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)
    assert_same(go(tmp_path), finished[0])


def test_a_network_with_pictures_of_three_colours_goes_on_too(tmp_path, always_saved):
    from mslbook.models import (
        resnet18,
    )  # imports torchvision, which the killed runs need not wait for

    images, labels = torch.rand(6, 3, 32, 32), torch.arange(6)
    loss = NetworkLoss(resnet18(width=1 / 32), images, labels, torch.nn.CrossEntropyLoss())

    def run(folder, steps):
        return train(
            loss,
            partial(minibatch_sgd, lr=0.05, batch=4, momentum=0.9),
            steps,
            probes=(),
            measure=None,
            checkpoint=folder / "run.npz",
            identity={},
            progress=False,
        )

    run(tmp_path, 3)
    longer, whole = run(tmp_path, 7), run(tmp_path / "whole", 7)
    assert longer.losses == whole.losses
    assert torch.equal(longer.theta, whole.theta)


# --- branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed_too", [False, True])
def test_a_branch_ends_like_one_run_with_its_schedule(tmp_path, finished, always_saved, killed_too):
    fork = 3 * EPOCH
    trunk = go(tmp_path / "trunk", partial(SGD, lr=0.1), fork)
    before = list(trunk.losses), trunk.theta.clone(), len(trunk.rows["steps"])
    kept = [step for step in KEPT if step >= fork]
    steps = range(fork, STEPS, 5) if killed_too else ()
    for step in [*steps, STEPS]:  # it is stopped here and there, and goes on
        branch = go(tmp_path / "branch", start=trunk, kept=kept, steps=step)
    assert_same(branch, finished[0])
    np.testing.assert_array_equal(
        np.load(tmp_path / "branch" / "path.npy"), np.load(finished[1] / "path.npy")[-len(kept) :]
    )
    other = go(tmp_path / "other", partial(SGD, lr=0.1), start=trunk, trajectory=None)
    assert other.losses[: fork + 1] == branch.losses[: fork + 1]
    assert other.losses[-1] != branch.losses[-1]
    assert (trunk.losses, len(trunk.rows["steps"])) == (before[0], before[2])
    assert torch.equal(trunk.theta, before[1])


def test_a_branch_in_another_environment_says_so(tmp_path, monkeypatch, capsys):
    trunk = go(tmp_path / "trunk", partial(SGD, lr=0.1), 8, label="trunk")
    here = training.environment(torch.device("cpu"))
    assert trunk.environments == [{"training": "trunk", "step": 0, **here}]
    again = go(tmp_path / "same", start=trunk, kept=(), label="branch", progress=True)
    assert again.environments == trunk.environments
    assert "was computed with" not in capsys.readouterr().err
    there = here | {"threads": 1000, "torch": "9.9"}
    monkeypatch.setattr(training, "environment", lambda device: there)
    branch = go(tmp_path / "other", start=trunk, kept=(), label="branch", progress=True)
    told = (
        f"branch: what there is, up to step 8, was computed with threads {here['threads']}, torch"
    )
    err = capsys.readouterr().err
    assert err.count(told) == 1
    assert err.count("will be with threads 1000, torch 9.9: the numbers will not be those of") == 1
    assert branch.environments == [*trunk.environments, {"training": "branch", "step": 9, **there}]
    assert len(trunk.environments) == 1
    once = training.environments(torch.device("cpu"), trunk, again, branch)
    assert once == there | {"environments": branch.environments}


def test_a_branch_cannot_end_before_it_begins(tmp_path):
    trunk = go(tmp_path, steps=10)
    with pytest.raises(ValueError, match="the branch is at step 10 already, beyond the 6 asked"):
        go(tmp_path / "new", start=trunk, steps=6, label="the branch")


# --- refused before any work ----------------------------------------------------------------------


@pytest.fixture
def halfway(tmp_path, always_saved):
    go(tmp_path, steps=8)
    return tmp_path


@pytest.fixture
def no_work(monkeypatch):
    for method in ("value_and_grad", "outputs"):
        monkeypatch.setattr(NetworkLoss, method, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 0.0}, "a learning rate must be positive and finite, not 0"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, not 1.0"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1, not -0.1"),
        ({"momentum": np.nan}, "momentum must be at least 0 and below 1, not nan"),
        ({"batch": 2.5}, "batch must be a whole number of at least 1, not 2.5"),
        ({"batch": 0}, "batch must be a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"batch": 7}, "a batch of 7 leaves 1 for the last update of an epoch.*another batch"),
    ],
)
def test_an_optimiser_that_cannot_be(tmp_path, no_work, changes, words):
    walk = partial(minibatch_sgd, **{"lr": 0.1, "batch": BATCH} | changes)
    with pytest.raises(ValueError, match=words):
        go(tmp_path, walk)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": -1}, "steps must be a whole number of at least 0, not -1"),
        ({"probes": {0.5}}, "a probe must be a whole number of at least 0, not 0.5"),
    ],
)
def test_steps_that_do_not_fit(tmp_path, no_work, changes, words):
    with pytest.raises(ValueError, match=words):
        go(tmp_path, **changes)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(tmp_path, no_work, dtype):
    half = network_loss().to(dtype=dtype)
    with pytest.raises(ValueError, match="small steps drown in rounding: train in single or"):
        train(
            half,
            partial(minibatch_sgd, lr=0.1),
            3,
            probes=(),
            measure=None,
            checkpoint=tmp_path / "run.npz",
            identity={},
        )
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"recipe": "other"}, "recipe"),
        ({"version": 2, "seed": None}, "seed, version"),
        (identity(partial(SGD, lr=0.2)), "lr"),
        ({"new": {"size": 1}}, "new"),
    ],
)
def test_a_checkpoint_of_another_run(halfway, no_work, change, names):
    before = (halfway / "run.npz").read_bytes()
    words = f"run.npz belongs to another run, with another {names}: delete it.*--out"
    with pytest.raises(ValueError, match=words):
        go(halfway, identity=identity(WALK) | change)
    assert (halfway / "run.npz").read_bytes() == before


def test_an_identity_that_json_cannot_hold(tmp_path, no_work):
    with pytest.raises(TypeError, match="dictionary of plain values .*set is not JSON"):
        go(tmp_path, identity={"settings": {1, 2}})
    assert everything_in(tmp_path) == []


def test_what_sgd_began_iterate_cannot_go_on_with(tmp_path, always_saved):
    trunk = go(tmp_path / "trunk", steps=4)
    descent = partial(iterate, lr=0.01)
    with pytest.raises(TypeError, match="unexpected keyword argument 'velocity'.*velocity=None"):
        go(tmp_path / "new", descent, start=trunk)
    assert not (tmp_path / "new").exists()
    still = replace(trunk, velocity=None)
    assert go(tmp_path / "new", descent, start=still, trajectory=None).velocity is None


def test_a_path_may_be_a_text(tmp_path, finished):
    assert_same(go(tmp_path, checkpoint=str(tmp_path / "run.npz")), finished[0])
    assert_same(go(tmp_path, checkpoint=str(tmp_path / "run.npz")), finished[0])


@pytest.mark.parametrize("damage", ["cut short", "empty", "pickled", "no provenance"])
def test_a_damaged_checkpoint(halfway, no_work, damage):
    path = halfway / "run.npz"
    if damage == "pickled":
        about = {"identity": identity(WALK), "step": 3, "seconds": 0.0}
        np.savez(path, provenance=json.dumps(about), theta=np.array([{}]), losses=np.zeros(4))
    elif damage == "no provenance":
        np.savez(path, theta=np.zeros(3))
    else:
        path.write_bytes(path.read_bytes()[:-30] if damage == "cut short" else b"")
    with pytest.raises(ValueError, match="run.npz.*delete this checkpoint to start afresh"):
        go(halfway)


def without(name):
    return lambda arrays, about: (arrays if name in arrays else about).pop(name)


CHANGES = {
    "no theta": without("theta"),
    "no losses": without("losses"),
    "no row": without("row.loss"),
    "no step": without("step"),
    "no identity": without("identity"),
    "no digest": without("digest"),  # as of a version before there was one
    "an identity that is a list": lambda arrays, about: about.update(identity=[1]),
    "an identity that is null": lambda arrays, about: about.update(identity=None),
    "another step": lambda arrays, about: about.update(step=7),
    "too few losses": lambda arrays, about: arrays.update(losses=arrays["losses"][:-1]),
    "too many losses": lambda arrays, about: arrays.update(losses=np.zeros(20)),
    "too short a row": lambda arrays, about: arrays.update({"row.loss": np.zeros(1)}),
    "theta of another type": lambda arrays, about: arrays.update(theta=arrays["theta"].astype(int)),
    "theta of another shape": lambda arrays, about: arrays.update(theta=arrays["theta"][None]),
    "one number changed": lambda arrays, about: arrays["theta"].__setitem__(3, 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_was_changed(halfway, no_work, change):
    path = halfway / "run.npz"
    kept = recording.load(path)
    CHANGES[change](kept.arrays, kept.provenance)
    recording.save(path, kept.arrays, kept.provenance)
    words = "run.npz does not hold what .* writes there: move it away or delete it to start afresh"
    with pytest.raises(ValueError, match=words):
        go(halfway)


def test_a_checkpoint_of_another_network(halfway):
    smaller = NetworkLoss(torch.nn.Linear(4, 2), torch.ones(3, 4), torch.tensor([0, 1, 0]),
                          torch.nn.CrossEntropyLoss())  # fmt: skip
    with pytest.raises(ValueError, match="run.npz does not hold what"):
        training.resume(smaller, halfway / "run.npz", identity(WALK))


def test_an_accuracy_needs_the_class_of_each_picture():
    outputs = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    for targets in (torch.tensor([0]), torch.tensor(0), torch.tensor([[0], [0]])):
        with pytest.raises(ValueError, match="do not fit classes .*: give the class of each"):
            accuracy(outputs, targets)


@pytest.mark.parametrize("damage", ["deleted", "cut short", "of another network", "no file"])
def test_a_path_that_does_not_go_with_its_checkpoint(halfway, no_work, damage):
    path = halfway / "path.npy"
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "of another network":
        np.save(path, np.zeros((20, 7), np.float32))
    elif damage == "no file":
        path.write_bytes(b"something else")
    else:
        path.unlink()
    with pytest.raises(ValueError, match="path.npy lacks points from before step 8.*start afresh"):
        go(halfway)


def test_the_steps_of_a_path_are_steps(tmp_path):
    for wrong in ([-1], [0.5], [True]):
        with pytest.raises(ValueError, match="a step of a trajectory must be a whole number of at"):
            Trajectory(tmp_path / "path.npy", wrong)


# --- stopped in the middle, with words and a good checkpoint --------------------------------------


def test_a_loss_that_is_no_longer_finite(tmp_path, always_saved):
    wild = partial(SGD, lr=decays({0: 0.1, 10: 3e38}))
    with pytest.raises(FloatingPointError) as told:
        go(tmp_path, wild, label="the wild run")
    found = re.match(
        r"the wild run: the loss left .* at step (\d+): take a learning .* in mslbook/paper",
        str(told.value),
    )
    kept = recording.load(tmp_path / "run.npz")
    assert 10 <= kept.provenance["step"] == int(found[1]) - 1
    assert np.isfinite(kept["theta"]).all()
    assert np.isfinite(kept["velocity"]).all()
    assert len(kept["losses"]) == kept.provenance["step"] + 1
    assert np.isfinite(np.load(tmp_path / "path.npy")).all()
    with pytest.raises(FloatingPointError, match=re.escape(str(told.value))):  # and from there
        go(tmp_path, wild, label="the wild run")


@pytest.mark.parametrize("where", ["savez_compressed", "fsync"])
def test_a_full_disk(tmp_path, finished, monkeypatch, always_saved, where):
    """No space left while the checkpoint of step 8 is written."""
    owner = np if where == "savez_compressed" else os
    method, calls = getattr(owner, where), count()

    def full(file, **arrays):
        if next(calls) == 8:
            if where == "savez_compressed":
                file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return method(file, **arrays)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, where, full)
        with pytest.raises(OSError, match="run.npz could not be written .No space left on device"):
            go(tmp_path, trajectory=None)
    assert recording.load(tmp_path / "run.npz").provenance["step"] == 7
    assert everything_in(tmp_path) == ["run.npz"]
    assert_same(go(tmp_path, trajectory=None), finished[0])


@pytest.mark.parametrize(("room", "file"), [(10_500, "run.npz"), (20_000, "path.npy")])
def test_files_that_can_no_longer_grow(tmp_path, finished, always_saved, room, file):
    """The kernel itself refuses to write on, in the middle of a checkpoint or of a row."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match=f"{file} could not be written .File too large"):
            go(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "run.npz" in everything_in(tmp_path)
    if file == "path.npy":
        left = np.load(tmp_path / file)
        np.testing.assert_array_equal(left, np.load(finished[1] / file)[: len(left)])
    assert_same(go(tmp_path), finished[0])
    assert everything_in(tmp_path) == ["path.npy", "run.npz"]


# --- progress -------------------------------------------------------------------------------------


def test_the_bar_shows_the_loss(tmp_path, finished, capsys):
    go(tmp_path, progress=True, label="the run")
    err = capsys.readouterr().err
    assert re.search(rf"the run: 100%.*{STEPS}/{STEPS}.*loss \d", err)
