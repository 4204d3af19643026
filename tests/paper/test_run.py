"""A run: killed anywhere and resumed to the same bits, branched, measured, and refused in words."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from cases import OPTIMIZERS

torch = pytest.importorskip("torch")

from tiny import everything_in, stop_at  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.descent import decays, iterate  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.optimizers import Adam, GradientDescent, Momentum  # noqa: E402
from mslbook.paper import launch, recording  # noqa: E402
from mslbook.paper import run as runs  # noqa: E402
from mslbook.paper.experiments import Experiment  # noqa: E402
from mslbook.paper.images import accuracy  # noqa: E402
from mslbook.paper.run import Run, Training, padded  # noqa: E402
from mslbook.stochastic import Minibatches  # noqa: E402

DIGITS = data.load("digits")
IMAGES, BATCH, EPOCH = 50, 16, 4  # the last batch of an epoch has two images
STEPS = 24
RATES = decays({0: 0.1, 3 * EPOCH: 0.01})
MINIBATCHES = {"optimizer": Momentum(RATES), "batch": BATCH, "seed": 3}
WAYS = {
    "minibatches": MINIBATCHES,
    "minibatches by Adam": MINIBATCHES | {"optimizer": Adam(1e-3)},
    **{name: {"optimizer": optimizer} for name, optimizer in OPTIMIZERS.items()},
}
PROBES = {0, 5, 6, 7, 20, STEPS}
SNAPSHOTS = range(4, STEPS + 1, 2)


@dataclass(frozen=True)
class Settings:
    """Of the experiment that is tested."""

    images: int = IMAGES
    lr: float = 0.1


def record(run):
    """A run that measures with a state and keeps a piece of its path."""
    training = train(run)
    run.describe(network="small", steps=STEPS)
    columns = {name: training.rows[name] for name in ("steps", "loss")}
    return {"losses": padded([training.losses, [0.0]]), "exact": np.array([0.1]), **columns}


EXPERIMENT = Experiment("test", {"small": Settings()}, record)


def images(first, last):
    """Random numbers, the largest of the first row of each being its class."""
    inputs = torch.randn(80, 1, 8, 8, generator=torch.Generator().manual_seed(1))[first:last]
    return inputs, inputs[:, 0, 0].argmax(dim=1)


@cache
def network_loss(**changes):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 12), torch.nn.BatchNorm1d(12), torch.nn.Tanh(),
        torch.nn.Linear(12, 8),
    )  # fmt: skip
    return NetworkLoss(model, images(0, IMAGES), torch.nn.CrossEntropyLoss(), **changes)


network_loss()  # made before any test takes a method away from it or counts its calls


def a_run(folder, experiment=EXPERIMENT, **changes):
    return Run(experiment, DIGITS, "small", "cpu", folder, **changes)


def train(run, steps=STEPS, **changes):
    """A training, by minibatches with momentum but for `changes`."""
    loss = network_loss()
    test_inputs, test_targets = images(50, 80)

    def measure(step, theta, state):
        row = {
            "steps": step,
            "loss": float(loss.value(theta)),
            "test_accuracy": accuracy(
                loss.calibrated(theta).outputs(theta, test_inputs), test_targets
            ),
            "moved": np.float32((theta - state.get("last", theta)).norm()),
        }
        return row, {"last": theta}

    arguments = {"probes": PROBES, "measure": measure, "name": "one", "snapshots": SNAPSHOTS}
    arguments |= MINIBATCHES | changes
    return run.train(loss, arguments.pop("optimizer"), steps, **arguments)


def go(folder, **changes):
    return train(a_run(folder), **changes)


def assert_same(one, other):
    assert one.step == other.step
    assert one.losses == other.losses
    assert one.rows.keys() == other.rows.keys()
    for name, column in one.rows.items():
        np.testing.assert_array_equal(column, other.rows[name], err_msg=name)
    assert torch.equal(one.theta, other.theta)
    assert torch.equal(one.probe_state["last"], other.probe_state["last"])
    assert one.state.keys() == other.state.keys()
    for name, array in one.state.items():
        assert torch.equal(array, other.state[name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A training that nothing interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return go(folder), folder


@pytest.fixture
def always_saved(monkeypatch):
    monkeypatch.setattr(runs, "SAVE_EVERY", -1.0)


# --- what is recorded -----------------------------------------------------------------------------


def test_momentum_is_that_of_torch(finished):
    """The same batches given to torch's own optimiser, with a decay."""
    loss = network_loss()
    parameter = torch.nn.Parameter(loss.theta)
    optimiser = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3 * EPOCH], gamma=0.1)
    for step in range(STEPS):
        order = np.random.default_rng((3, step // EPOCH)).permutation(IMAGES)
        batch = loss.subset(order[step % EPOCH * BATCH :][:BATCH])
        parameter.grad = batch.grad(parameter.detach())
        optimiser.step()
        schedule.step()
    assert torch.allclose(parameter.detach(), finished[0].theta, rtol=1e-3, atol=1e-5)


def test_what_is_recorded_can_be_computed_again(finished):
    training, folder = finished
    loss = network_loss()
    sampled = Minibatches(loss, BATCH, seed=3)
    updates = iterate(sampled, loss.theta, optimizer=Momentum(RATES, 0.9))
    points, losses = zip(*(update[1:3] for update in islice(updates, STEPS + 1)), strict=True)
    assert training.step == STEPS
    assert training.losses == [float(value) for value in losses]
    assert training.rows["steps"] == sorted(PROBES)
    probed = [points[step] for step in sorted(PROBES)]
    assert training.rows["loss"] == [float(loss.value(theta)) for theta in probed]
    inputs, targets = images(50, 80)
    correct = loss.calibrated(probed[-1]).outputs(probed[-1], inputs).argmax(1) == targets
    assert training.rows["test_accuracy"][-1] == pytest.approx(int(correct.sum()) / 30)
    assert training.rows["moved"][3] == (probed[3] - probed[2]).norm()
    path = a_run(folder).snapshots("one")
    assert isinstance(path, np.memmap)  # it need not fit into memory
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path, [points[step].numpy() for step in SNAPSHOTS])


@pytest.mark.parametrize("way", [way for way in WAYS if "minibatches" not in way])
def test_full_batch_training_is_iterate(tmp_path, way):
    optimizer = WAYS[way]["optimizer"]
    training = go(tmp_path, optimizer=optimizer, batch=None)
    loss = network_loss()
    *_, last = islice(iterate(loss, loss.theta, optimizer=optimizer), STEPS + 1)
    assert torch.equal(training.theta, last[1])
    assert training.losses[-1] == float(last[2])
    assert training.state.keys() == last[5].keys()


def test_a_recording_has_the_arrays_as_they_are_and_lists_small(tmp_path):
    path = tmp_path / "test.npz"
    a_run(tmp_path / "test").record(path)
    found = recording.load(path)
    assert {name: array.dtype for name, array in found.arrays.items()} == {
        "losses": np.float32, "exact": np.float64, "steps": np.int64, "loss": np.float32,
    }  # fmt: skip
    assert np.isfinite(found["losses"]).sum(axis=1).tolist() == [STEPS + 1, 1]
    about = found.provenance
    here = runs.environment(torch.device("cpu"))
    assert about["environments"] == [{"training": "one", "step": 0, **here}]
    assert about.items() >= here.items()
    assert (about["recipe"], about["version"], about["size"]) == ("test", 1, "small")
    assert about["settings"] == {"images": IMAGES, "lr": 0.1}
    assert about["data"] == "digits, training rows 0-49"
    assert about["data_hash"] == recording.fingerprint(
        DIGITS.train_images[:50], DIGITS.train_labels[:50]
    )
    assert (about["network"], about["precision"]) == ("small", "float32")
    assert found.mixed() == ""


def test_the_test_images_belong_to_the_identity_where_they_matter(tmp_path):
    identity = a_run(tmp_path, replace(EXPERIMENT, uses_test_images=True)).identity
    assert identity["data"] == "digits, training rows 0-49, test rows 0-359"
    assert identity["data_hash"] != a_run(tmp_path).identity["data_hash"]


def test_wall_time_is_summed_over_interruptions_and_what_is_between(tmp_path, monkeypatch):
    run, now = a_run(tmp_path), [1000.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    begun = run.provenance()["wall_seconds"]
    method = NetworkLoss.value_and_grad

    def slow(*args):
        now[0] += 1
        return method(*args)

    monkeypatch.setattr(NetworkLoss, "value_and_grad", slow)
    first = train(run, 5)
    assert first.seconds == pytest.approx(5, abs=1)
    now[0] += 100  # between trainings
    train(run, name="two")
    assert run.provenance()["wall_seconds"] - begun == pytest.approx(100 + 5 + STEPS, abs=3)
    again = a_run(tmp_path)
    assert train(again, 5).seconds == first.seconds
    assert again.provenance()["wall_seconds"] == pytest.approx(5, abs=1)


# --- stopped, and resumed -------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", [2, 11, 20])
def test_stopped_by_hand_it_does_nothing_twice(tmp_path, always_saved, way, moment):
    changes = {"batch": None} | WAYS[way]
    whole = go(tmp_path / "whole", **changes)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, "value_and_grad", moment)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "run", **changes)
    calls, method = count(1), NetworkLoss.value_and_grad
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkLoss, "value_and_grad", lambda *args: (next(calls), method(*args))[1])
        assert_same(go(tmp_path / "run", **changes), whole)
    assert next(calls) <= STEPS + 5 - moment  # the first gradient is the last one of before
    assert everything_in(tmp_path / "run") == ["one.npy", "one.npz"]
    path = (tmp_path / "run" / "one.npy").read_bytes()
    assert path == (tmp_path / "whole" / "one.npy").read_bytes()


# What a run is killed in, and the how-manieth time that it comes there.
MOMENTS = [
    *(("value_and_grad", call) for call in (1, 2, 9, 25)),
    *(("outputs", call) for call in (1, 4)),  # in a measurement
    *(("half a checkpoint", call) for call in (1, 6, 25)),
    *(("replace", call) for call in (1, 13)),
    *(("fsync", call) for call in (1, 2, 7, 8)),
    ("header", 1),
]


def kill_at(where, call):
    """Have this process killed when it comes to `where` for the `call`-th time."""
    owner, name = {
        "half a checkpoint": (np, "savez_compressed"),
        "header": (np.lib.format, "open_memmap"),
        "replace": (Path, "replace"),
        "fsync": (runs, "fsync"),  # of a snapshot
    }.get(where, (NetworkLoss, where))
    method, calls = getattr(owner, name), count(1)

    def killed(*args, **kwargs):
        if next(calls) == call:
            if where == "half a checkpoint":
                args[0].write(b"half")
                args[0].flush()
            if where == "header":
                args[0].touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*args, **kwargs)

    setattr(owner, name, killed)


def run_and_be_killed(folder):
    """Run in one child process for each moment, until it is killed."""
    runs.SAVE_EVERY = -1.0
    network_loss().value(network_loss().theta)  # what torch imports on first use, once for all
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
sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:2]]}
import test_run as tests
tests.torch.set_num_threads({torch.get_num_threads()})
tests.run_and_be_killed(pathlib.Path({str(folder)!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=[f"{w}-{c}" for w, c in MOMENTS])
def test_killed_anywhere_it_ends_with_the_same_bits(killed, finished, number):
    folder, whole = killed / str(number), finished[1] / "one.npy"
    file = folder / "one.npy"
    if file.exists() and file.stat().st_size:
        left, rows = np.load(file, mmap_mode="r"), np.load(whole)  # what a kill leaves can be read
        there = left.any(axis=1)
        np.testing.assert_array_equal(left[there], rows[there])
    with launch.held(folder.with_suffix(".npz")) as free:  # removes what was left half written
        assert free
        assert_same(go(folder), finished[0])
    assert file.read_bytes() == whole.read_bytes()
    assert everything_in(folder) == ["one.npy", "one.npz"]


def test_a_finished_training_is_not_run_again(tmp_path, finished, monkeypatch):
    go(tmp_path)
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)
    assert_same(go(tmp_path), finished[0])


def test_a_network_with_images_of_three_colours_resumes_too(tmp_path, always_saved):
    from mslbook.networks import resnet18  # imports torchvision, which the killed runs need not

    inputs, labels = torch.rand(6, 3, 32, 32), torch.arange(6)
    loss = NetworkLoss(resnet18(width=1 / 32), (inputs, labels), torch.nn.CrossEntropyLoss())

    def resnet(folder, steps):
        return a_run(folder).train(loss, Momentum(0.05), steps, batch=4)

    resnet(tmp_path, 3)
    longer, whole = resnet(tmp_path, 7), resnet(tmp_path / "whole", 7)
    assert longer.losses == whole.losses
    assert torch.equal(longer.theta, whole.theta)


# --- branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed_too", [False, True])
def test_a_branch_ends_like_one_run_with_its_schedule(tmp_path, finished, always_saved, killed_too):
    fork = 3 * EPOCH
    trunk = go(tmp_path, name="trunk", optimizer=Momentum(0.1), steps=fork)
    before = list(trunk.losses), trunk.theta.clone(), len(trunk.rows["steps"])
    kept = [step for step in SNAPSHOTS if step >= fork]
    steps = range(fork, STEPS, 5) if killed_too else ()
    for step in [*steps, STEPS]:  # it is stopped here and there, and goes on
        branch = go(tmp_path, name="branch", start=trunk, snapshots=kept, steps=step)
    assert_same(branch, finished[0])
    np.testing.assert_array_equal(
        a_run(tmp_path).snapshots("branch"), np.load(finished[1] / "one.npy")[-len(kept) :]
    )
    other = go(tmp_path, name="other", optimizer=Momentum(0.1), start=trunk, snapshots=())
    assert other.losses[: fork + 1] == branch.losses[: fork + 1]
    assert other.losses[-1] != branch.losses[-1]
    assert (trunk.losses, len(trunk.rows["steps"])) == (before[0], before[2])
    assert torch.equal(trunk.theta, before[1])


def test_a_branch_in_another_environment_says_so(tmp_path, monkeypatch, capsys):
    trunk = go(tmp_path, name="trunk", optimizer=Momentum(0.1), steps=8)
    here = runs.environment(torch.device("cpu"))
    assert trunk.environments == [{"training": "trunk", "step": 0, **here}]
    same = a_run(tmp_path, progress=True)
    assert train(same, name="same", start=trunk, snapshots=()).environments == trunk.environments
    assert "was computed with" not in capsys.readouterr().err
    there = here | {"threads": 1000, "torch": "9.9"}
    monkeypatch.setattr(runs, "environment", lambda device: there)
    run = a_run(tmp_path, progress=True)
    trunk = train(run, 8, name="trunk", optimizer=Momentum(0.1))
    branch = train(run, name="branch", start=trunk, snapshots=())
    said = f"branch: what there is, up to step 8, was computed with threads {here['threads']}, tor"
    err = capsys.readouterr().err
    assert err.count(said) == 1
    assert err.count("will be with threads 1000, torch 9.9: the numbers will not be those of") == 1
    assert branch.environments == [*trunk.environments, {"training": "branch", "step": 9, **there}]
    assert len(trunk.environments) == 1
    assert run.provenance().items() >= (there | {"environments": branch.environments}).items()


def test_a_branch_cannot_end_before_it_begins(tmp_path):
    trunk = go(tmp_path, steps=10)
    with pytest.raises(ValueError, match="the branch is at step 10 already, beyond the 6 asked"):
        go(tmp_path, start=trunk, steps=6, name="the branch")


def test_another_optimizer_continues_without_the_state(tmp_path):
    trunk = go(tmp_path, steps=4)
    with pytest.raises(ValueError, match="state of GradientDescent holds nothing, not velocity"):
        go(tmp_path, name="new", start=trunk, optimizer=GradientDescent(0.01), batch=None)
    still = replace(trunk, state={})
    new = go(tmp_path, name="new", start=still, optimizer=GradientDescent(0.01), batch=None,
             snapshots=())  # fmt: skip
    assert new.state == {}


def test_a_training_may_begin_at_other_parameters(tmp_path):
    theta = network_loss().theta + 0.1
    training = go(tmp_path, start=Training(step=0, theta=theta), steps=0, snapshots=())
    assert torch.equal(training.theta, theta)


# --- cached arrays --------------------------------------------------------------------------------


def test_a_cached_array_is_computed_once_for_each_run(tmp_path, monkeypatch):
    calls = count()

    def compute():
        return np.array(next(calls))

    other = replace(EXPERIMENT, settings={"small": Settings(lr=0.2)})
    found = [a_run(tmp_path, one).cached("x", compute)
             for one in (EXPERIMENT, EXPERIMENT, other, other)]  # fmt: skip
    assert found == [0, 0, 1, 1]
    monkeypatch.setattr(runs, "environment", lambda device: {"threads": 1000})
    assert a_run(tmp_path, other).cached("x", compute) == 2  # in another environment, too


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
        ({"batch": 2.5}, "batch must be a whole number of at least 1, not 2.5"),
        ({"batch": 0}, "batch must be a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"batch": 7}, "Expected more than 1 value per channel"),
        ({"steps": -1}, "one is at step 0 already, beyond the -1 asked for"),
    ],
)
def test_a_training_that_cannot_be(tmp_path, no_work, changes, words):
    with pytest.raises(ValueError, match=words):
        go(tmp_path, **{"snapshots": ()} | changes)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("changes", [{"steps": 2.5}, {"probes": {0.5}}, {"snapshots": [0.5]}])
def test_steps_are_whole_numbers(tmp_path, no_work, changes):
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        go(tmp_path, **changes)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(tmp_path, no_work, dtype):
    half = network_loss().to(dtype=dtype)
    with pytest.raises(ValueError, match="small steps drown in rounding: train in single or"):
        a_run(tmp_path).train(half, GradientDescent(0.1), 3)
    assert everything_in(tmp_path) == []


def test_too_few_images_are_refused(tmp_path):
    many = replace(EXPERIMENT, settings={"small": Settings(images=1438)})
    with pytest.raises(ValueError, match="digits has 1437 training images, this run needs 1438"):
        a_run(tmp_path, many)


def test_settings_are_what_json_can_hold(tmp_path):
    strange = replace(EXPERIMENT, settings={"small": Settings(lr={1, 2})})
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        a_run(tmp_path, strange)


CHANGED = {
    "recipe": replace(EXPERIMENT, name="other"),
    "version": replace(EXPERIMENT, version=2),
    "settings.lr": replace(EXPERIMENT, settings={"small": Settings(lr=0.2)}),
    "data, data_hash, settings.images": replace(
        EXPERIMENT, settings={"small": Settings(images=60)}
    ),
}


@pytest.mark.parametrize("names", CHANGED)
def test_a_checkpoint_of_another_run(halfway, no_work, names):
    before = (halfway / "one.npz").read_bytes()
    words = f"one.npz belongs to another run, with another {names}: delete it.*--out"
    with pytest.raises(ValueError, match=words):
        a_run(halfway, CHANGED[names])
    assert (halfway / "one.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"optimizer": Momentum(0.2)}, "optimizer"), ({"seed": 4}, "seed"), ({"batch": 8}, "batch")],
)
def test_a_checkpoint_of_another_training(halfway, no_work, changes, name):
    with pytest.raises(ValueError, match=f"to another run, with another {name}: delete it"):
        go(halfway, **changes)


def test_a_renamed_checkpoint_is_refused(halfway, no_work):
    (halfway / "one.npz").rename(halfway / "two.npz")
    with pytest.raises(ValueError, match="two.npz belongs to another run, with another name"):
        go(halfway, name="two", snapshots=())


def test_a_schedule_may_be_any_function(halfway):
    def schedule(step):
        return 0.1

    def again(step):
        return 0.1

    again.__qualname__ = schedule.__qualname__
    go(halfway, name="two", optimizer=Momentum(schedule), steps=3, snapshots=())
    go(halfway, name="two", optimizer=Momentum(again), steps=5, snapshots=())


@pytest.mark.parametrize("damage", ["cut short", "empty", "pickled", "no provenance"])
def test_a_damaged_checkpoint(halfway, no_work, damage):
    path = halfway / "one.npz"
    if damage == "pickled":
        about = {"form": 2, "identity": {}, "step": 3, "seconds": 0.0}
        np.savez(path, provenance=json.dumps(about), theta=np.array([{}]), losses=np.zeros(4))
    elif damage == "no provenance":
        np.savez(path, theta=np.zeros(3))
    else:
        path.write_bytes(path.read_bytes()[:-30] if damage == "cut short" else b"")
    with pytest.raises(ValueError, match="one.npz.*delete this checkpoint to start afresh"):
        a_run(halfway)


def without(name):
    return lambda arrays, about: (arrays if name in arrays else about).pop(name)


CHANGES = {
    "no theta": without("theta"),
    "no losses": without("losses"),
    "no row": without("rows.loss"),
    "no step": without("step"),
    "no identity": without("identity"),
    "no digest": without("digest"),
    "the form before this one": without("form"),
    "an identity that is a list": lambda arrays, about: about.update(identity=[1]),
    "another step": lambda arrays, about: about.update(step=7),
    "too few losses": lambda arrays, about: arrays.update(losses=arrays["losses"][:-1]),
    "too short a row": lambda arrays, about: arrays.update({"rows.loss": np.zeros(1)}),
    "theta of another type": lambda arrays, about: arrays.update(theta=arrays["theta"].astype(int)),
    "one number changed": lambda arrays, about: arrays["theta"].__setitem__(3, 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_was_changed(halfway, no_work, change):
    path = halfway / "one.npz"
    kept = recording.load(path)
    CHANGES[change](kept.arrays, kept.provenance)
    recording.save(path, kept.arrays, kept.provenance)
    words = "one.npz does not hold what .* writes there: move it away or delete it to start afresh"
    with pytest.raises(ValueError, match=words):
        a_run(halfway)


def test_a_checkpoint_of_the_form_before_this_one(tmp_path, no_work):
    """As versions before 2026-12 wrote it, with a digest of its own."""
    arrays = {"theta": np.zeros(3), "losses": np.zeros(4)}
    about = {"identity": {"recipe": "test"}, "step": 3, "seconds": 0.0, "environments": []}
    text = np.array(json.dumps([sorted(arrays), about], sort_keys=True))
    digest = recording.fingerprint(text, *(arrays[name] for name in sorted(arrays)))
    recording.save(tmp_path / "lr-0.5.npz", arrays, about | {"digest": digest})
    before = (tmp_path / "lr-0.5.npz").read_bytes()
    with pytest.raises(ValueError, match="lr-0.5.npz does not hold what this version of mslbook"):
        a_run(tmp_path)
    assert (tmp_path / "lr-0.5.npz").read_bytes() == before


def test_a_checkpoint_of_another_network(halfway):
    smaller = NetworkLoss(torch.nn.Linear(4, 2), (torch.ones(3, 4), torch.tensor([0, 1, 0])),
                          torch.nn.CrossEntropyLoss())  # fmt: skip
    with pytest.raises(ValueError, match="one.npz does not hold what"):
        a_run(halfway).train(smaller, **MINIBATCHES, steps=9, name="one")


def test_an_accuracy_needs_the_class_of_each_image():
    outputs = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    for targets in (torch.tensor([0]), torch.tensor(0), torch.tensor([[0], [0]])):
        with pytest.raises(ValueError, match="give the class of each image"):
            accuracy(outputs, targets)


@pytest.mark.parametrize("damage", ["deleted", "cut short", "of another network", "no file"])
def test_snapshots_that_do_not_go_with_their_checkpoint(halfway, no_work, damage):
    path = halfway / "one.npy"
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "of another network":
        np.save(path, np.zeros((20, 7), np.float32))
    elif damage == "no file":
        path.write_bytes(b"something else")
    else:
        path.unlink()
    with pytest.raises(ValueError, match="one.npy lacks the snapshots from before step 8.*afresh"):
        go(halfway)


# --- stopped in the middle, with words and a good checkpoint --------------------------------------


def test_a_loss_that_is_no_longer_finite(tmp_path, always_saved):
    wild = Momentum(decays({0: 0.1, 10: 3e38}))
    with pytest.raises(FloatingPointError) as said:
        go(tmp_path, optimizer=wild, name="the wild run")
    found = re.match(
        r"the wild run: the loss left .* at step (\d+): take a learning .* among its settings",
        str(said.value),
    )
    kept = recording.load(tmp_path / "the wild run.npz")
    assert 10 <= kept.provenance["step"] == int(found[1]) - 1
    assert np.isfinite(kept["theta"]).all()
    assert np.isfinite(kept["state.velocity"]).all()
    assert len(kept["losses"]) == kept.provenance["step"] + 1
    assert np.isfinite(np.load(tmp_path / "the wild run.npy")).all()
    with pytest.raises(FloatingPointError, match=re.escape(str(said.value))):  # and from there
        go(tmp_path, optimizer=wild, name="the wild run")


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
        with pytest.raises(OSError, match="one.npz could not be written .No space left on device"):
            go(tmp_path, snapshots=())
    assert recording.load(tmp_path / "one.npz").provenance["step"] == 7
    assert everything_in(tmp_path) == ["one.npz"]
    assert_same(go(tmp_path, snapshots=()), finished[0])


def test_a_disk_that_is_full_at_a_snapshot(tmp_path, finished, monkeypatch, always_saved):
    method, calls = runs.fsync, count()

    def full(file):
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return method(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "fsync", full)
        with pytest.raises(OSError, match="one.npy could not be written .No space left on device"):
            go(tmp_path)
    assert_same(go(tmp_path), finished[0])
    assert (tmp_path / "one.npy").read_bytes() == (finished[1] / "one.npy").read_bytes()


@pytest.mark.parametrize(("snapshots", "file"), [((), "one.npz"), (range(0, 25), "one.npy")])
def test_files_that_can_no_longer_grow(tmp_path, always_saved, snapshots, file):
    """The kernel itself refuses to write on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_500, hard))
    try:
        with pytest.raises(OSError, match=f"{file} could not be written .File too large"):
            go(tmp_path, snapshots=snapshots)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    whole = go(tmp_path / "whole", snapshots=snapshots)
    assert_same(go(tmp_path, snapshots=snapshots), whole)


# --- progress -------------------------------------------------------------------------------------


def test_the_bar_shows_the_loss(tmp_path, capsys):
    train(a_run(tmp_path, progress=True), name="the run")
    err = capsys.readouterr().err
    assert re.search(rf"the run: 100%.*{STEPS}/{STEPS}.*loss \d", err)
