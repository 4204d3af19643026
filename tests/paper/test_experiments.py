"""Recipes: resumed to the same numbers, refused before any work, recorded whole or not at all."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from itertools import count
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mslbook import data  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.paper import experiments, recording, training  # noqa: E402
from mslbook.paper.edge_of_stability import experiment as edge_of_stability  # noqa: E402

SETTINGS = edge_of_stability.Settings(60, (0.8, 0.5), time=24, probes=10)
STEPS = [30, 50]
PICTURES = data.load("digits")


def choose(patch, name, chosen):
    """Make a recipe run with these settings, whatever the data and the size."""
    known, settings = experiments.recipe, lambda data, size: chosen
    changed = replace(known(name), settings=settings)
    patch.setattr(experiments, "recipe", lambda other: changed if other == name else known(other))


def shrink(patch):
    """Make the recipe tiny, with a checkpoint at every step.

    It passes 2/η with the first learning rate and never with the second.
    """
    patch.setattr(edge_of_stability, "HIDDEN", (16, 16))
    patch.setattr(edge_of_stability, "QUADRATIC_STEPS", 20)
    choose(patch, "fig2_1_left", SETTINGS)
    patch.setattr(training, "SAVE_EVERY", -1.0)


def run(folder, **changes):
    return experiments.run("fig2_1_left", folder=folder, progress=False, **changes)


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The recording of a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return recording.load(run(tmp_path_factory.mktemp("uninterrupted")))


def assert_identical(one, other):
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)
    for name in one.provenance.keys() - {"wall_seconds"}:
        assert one.provenance[name] == other.provenance[name], name


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- what is recorded -----------------------------------------------------------------------------


def test_the_numbers_are_those_of_gradient_descent_by_hand(finished, tiny):
    """The loss and its dense Hessian, with torch's own optimiser and eigenvalues."""
    lr, steps = SETTINGS.lrs[0], STEPS[0]
    images = PICTURES.train_images[:60].astype(float).reshape(60, -1)
    spread = images.std(axis=0)
    x = torch.tensor((images - images.mean(axis=0)) / np.where(spread > 0, spread, 1)).float()
    labels = torch.tensor(PICTURES.train_labels[:60])
    one_hot = torch.eye(10)[labels]
    model = edge_of_stability.fully_connected([64, 16, 16, 10], "tanh", seed=0)
    parameters = dict(model.named_parameters())
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    losses, accuracy = [], []

    def loss_of(*tensors):
        state = dict(zip(parameters, tensors, strict=True))
        outputs = torch.func.functional_call(model, state, x)
        return ((outputs - one_hot) ** 2).sum() / (2 * 60)

    for step in range(steps + 1):
        if step % (steps // SETTINGS.probes) == 0:
            accuracy.append((model(x).argmax(1) == labels).float().mean().item())
        if step == steps:
            blocks = torch.autograd.functional.hessian(loss_of, tuple(parameters.values()))
            sizes = [p.numel() for p in parameters.values()]
            rows = [
                torch.cat([b.reshape(n, m) for b, m in zip(row, sizes, strict=True)], dim=1)
                for row, n in zip(blocks, sizes, strict=True)
            ]
            dense = torch.cat(rows).double().numpy()
            largest = np.linalg.eigvalsh((dense + dense.T) / 2)[::-1][:3]
        optimiser.zero_grad()
        loss = loss_of(*parameters.values())
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
    np.testing.assert_allclose(finished["losses"][0, : steps + 1], losses, rtol=1e-4)
    np.testing.assert_allclose(finished["accuracy"][0], accuracy, atol=1e-6)
    np.testing.assert_allclose(finished["eigenvalues"][0, -1], largest, rtol=1e-2)


def test_shapes_are_those_promised(finished):
    np.testing.assert_array_equal(finished["lrs"], SETTINGS.lrs)
    assert finished["losses"].shape == (2, 51)
    assert np.isfinite(finished["losses"]).sum(axis=1).tolist() == [31, 51]
    for name in ("probe_steps", "accuracy", "hvps"):
        assert finished[name].shape == (2, 11)
    for name in ("eigenvalues", "residuals"):
        assert finished[name].shape == (2, 11, 3)
    assert finished["probe_steps"].tolist() == [list(range(0, 31, 3)), list(range(0, 51, 5))]
    assert finished["residuals"].max() <= edge_of_stability.TOL


def test_the_quadratic_continuation_sets_off_at_the_edge_and_blows_up(finished):
    ratio = finished["eigenvalues"][:, :, 0] * finished["lrs"][:, None] / 2
    first = int(np.argmax(ratio[0] > edge_of_stability.OVER_THE_EDGE))
    assert finished["branch_steps"].tolist() == [finished["probe_steps"][0, first], -1]
    branch = finished["branch_steps"][0]
    quadratic = finished["quadratic_losses"]
    assert quadratic.shape == (2, 21)
    np.testing.assert_allclose(quadratic[0, 0], finished["losses"][0, branch], rtol=1e-6)
    np.testing.assert_allclose(quadratic[0, 1], finished["losses"][0, branch + 1], rtol=2e-2)
    assert np.isnan(quadratic[1]).all()


def test_provenance_is_complete(finished):
    about = finished.provenance
    assert about["recipe"] == "fig2_1_left"
    assert about["version"] == edge_of_stability.VERSION
    assert about["data"] == "digits, training rows 0-59"
    assert about["data_hash"] == recording.fingerprint(
        PICTURES.train_images[:60], PICTURES.train_labels[:60]
    )
    assert about["size"] == "small"
    assert about["settings"] == {"pictures": 60, "lrs": [0.8, 0.5], "time": 24, "probes": 10}
    assert about["steps"] == STEPS
    assert about["device"].startswith("cpu (")
    assert about["precision"] == "float32"
    assert about["seed"] == 0
    assert about["threads"] == torch.get_num_threads()
    assert about["wall_seconds"] >= 0
    assert about["network"].startswith("fully connected 64-16-16-10 tanh")
    assert about["python"] == sys.version.split()[0]
    for package in ("mslbook", "numpy", "torch"):
        assert about[package] == version(package)
    assert torch.backends.cpu.get_cpu_capability() in about["device"]
    here = recording.environment(torch.device("cpu"))
    parts = [{"training": f"η = {lr}", "step": 0} for lr in SETTINGS.lrs]
    assert about["environments"] == [part | here for part in parts]
    assert finished.mixed() == ""
    assert repr(finished) == "Recording(fig2_1_left on digits, training rows 0-59, small)"


@pytest.mark.parametrize("size", ["small", "paper"])
@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_settings_fit_together(name, size):
    chosen = experiments.recipe("fig2_1_left").settings(name, size)
    for lr in chosen.lrs:
        assert chosen.steps(lr) % chosen.probes == 0
        assert chosen.steps(lr) * lr == pytest.approx(chosen.time, rel=0.05)
    assert list(chosen.lrs) == sorted(chosen.lrs, reverse=True)


# --- stopped, and gone on with --------------------------------------------------------------------


def stop_at(patch, where, moment):
    """Interrupt the `moment`-th call of a method of NetworkLoss, or of the writing of a file."""
    owner = np if where == "savez_compressed" else NetworkLoss
    method, calls = getattr(owner, where), count(1)

    def interrupted(*args, **kwargs):
        if next(calls) == moment:
            if where == "savez_compressed":
                args[0].write(b"half a file")
            raise KeyboardInterrupt
        return method(*args, **kwargs)

    patch.setattr(owner, where, interrupted)


@pytest.mark.parametrize(
    ("where", "moment"),
    [
        *(("value_and_grad", moment) for moment in (1, 17, 33)),
        *(("hessian", moment) for moment in (1, 11, 23)),  # in a measurement, and after all of them
        *(("outputs", moment) for moment in (5,)),
        *(("savez_compressed", moment) for moment in (1, 32, 83)),
    ],
)
def test_stopped_anywhere_it_goes_on_to_the_same_numbers(tmp_path, tiny, finished, where, moment):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, where, moment)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert not (tmp_path / "fig2_1_left-digits-small.npz").exists()
    calls = count()
    with pytest.MonkeyPatch.context() as patch:
        method = NetworkLoss.value_and_grad
        patch.setattr(NetworkLoss, "value_and_grad", lambda *args: (next(calls), method(*args))[1])
        assert_identical(recording.load(run(tmp_path)), finished)
    if where == "value_and_grad" and moment > 1:
        assert next(calls) <= sum(STEPS) + 2 - (moment - 3)  # nothing is done twice but the last
    assert everything_in(tmp_path) == [
        "fig2_1_left-digits-small",
        "fig2_1_left-digits-small.npz",
        "fig2_1_left-digits-small/lr-0.5.npz",
        "fig2_1_left-digits-small/lr-0.8.npz",
    ]


def test_killed_it_goes_on_to_the_same_numbers(tmp_path, tiny, finished):
    script = f"""
import os, signal, sys, pytest
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_experiments as tests
tests.torch.set_num_threads({torch.get_num_threads()})
patch = pytest.MonkeyPatch()
tests.shrink(patch)
method, calls = tests.NetworkLoss.value_and_grad, tests.count(1)
def killed(*args):
    if next(calls) == 45:
        os.kill(os.getpid(), signal.SIGKILL)
    return method(*args)
patch.setattr(tests.NetworkLoss, "value_and_grad", killed)
tests.run({str(tmp_path)!r})
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert everything_in(tmp_path) == [
        ".fig2_1_left-digits-small.lock",  # of nobody, now
        "fig2_1_left-digits-small",
        "fig2_1_left-digits-small/lr-0.5.npz",
        "fig2_1_left-digits-small/lr-0.8.npz",
    ]
    assert_identical(recording.load(run(tmp_path)), finished)
    assert ".fig2_1_left-digits-small.lock" not in everything_in(tmp_path)


# A process that stops in the middle of the second training, says so, and waits.
AT_WORK = f"""
import sys, pytest
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_experiments as tests
tests.torch.set_num_threads({torch.get_num_threads()})
tests.shrink(pytest.MonkeyPatch())
method, calls = tests.NetworkLoss.value_and_grad, tests.count(1)
def waiting(*args):
    if next(calls) == 45:
        print("at work", flush=True)
        sys.stdin.read()
    return method(*args)
tests.NetworkLoss.value_and_grad = waiting
tests.run(sys.argv[1])
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path, tiny, finished):
    command = [sys.executable, "-c", AT_WORK, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as first:
        assert first.stdout.readline() == "at work\n"
        files = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
        assert len(files) == 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(NetworkLoss, "value_and_grad", None)
            with pytest.raises(ValueError, match="another process is at work on .*wait until it"):
                run(tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*.npz")} == files
        experiments.run("sec6_norms", folder=tmp_path, progress=False)  # another run may go on
        folder = tmp_path / "fig2_1_left-digits-small"
        for name in (folder / ".lr-0.5.npz.1234.part", tmp_path / f".{folder.name}.npz.1234.part"):
            name.write_bytes(b"half a file, as a kill leaves it")
        first.kill()
    assert first.returncode == -signal.SIGKILL
    assert_identical(recording.load(run(tmp_path)), finished)
    assert everything_in(tmp_path) == [
        "fig2_1_left-digits-small",
        "fig2_1_left-digits-small.npz",
        "fig2_1_left-digits-small/lr-0.5.npz",
        "fig2_1_left-digits-small/lr-0.8.npz",
        "sec6_norms-digits-small.npz",
    ]


def test_the_lock_of_a_run_that_has_just_ended_is_nobodys(tmp_path, monkeypatch):
    """Its file is removed between the opening and the locking of it, and a third process comes."""
    lock, flock = tmp_path / ".run.lock", recording.fcntl.flock

    def late(file, how):
        lock.unlink()
        lock.touch()
        flock(file, how)

    monkeypatch.setattr(recording.fcntl, "flock", late)
    with recording.held(tmp_path / "run.npz") as free:
        assert not free
    assert everything_in(tmp_path) == [".run.lock"]


@pytest.mark.parametrize("system", ["without fcntl", "without locks"])
def test_where_nothing_can_be_locked_a_run_goes_on_and_removes_nothing(
    tmp_path, monkeypatch, system
):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if system == "without fcntl":
        monkeypatch.setattr(recording, "fcntl", None)
    else:
        monkeypatch.setattr(recording.fcntl, "flock", none)
    (tmp_path / ".run.npz.1234.part").touch()  # of another process, perhaps
    with recording.held(tmp_path / "run.npz") as free:
        assert free
    assert ".run.npz.1234.part" in everything_in(tmp_path)


def test_a_finished_run_is_recorded_again_without_a_step(tmp_path, tiny, finished, monkeypatch):
    path = run(tmp_path)
    path.unlink()
    monkeypatch.setattr(training, "progress_bar", None)
    assert_identical(recording.load(run(tmp_path)), finished)


# --- checkpoints that cannot be used --------------------------------------------------------------


def stopped_halfway(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, "value_and_grad", 45)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    return tmp_path / "fig2_1_left-digits-small"


@pytest.fixture
def no_work(monkeypatch):
    """Fail if a single gradient is computed."""
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)


@pytest.mark.parametrize(
    ("change", "name"),
    [("VERSION", "version"), ("SEED", "seed"), ("settings", "settings.time"),
     ("pictures", "data_hash")],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused(tmp_path, tiny, monkeypatch, change, name):
    stopped_halfway(tmp_path)
    if change == "pictures":
        pictures = data.load("digits")
        pictures.train_images[3, 0, 4, 4] ^= 1
        monkeypatch.setattr(data, "load", lambda *args: pictures)
    elif change == "settings":
        longer = edge_of_stability.Settings(60, (0.8, 0.5), time=48, probes=10)
        choose(monkeypatch, "fig2_1_left", longer)
    else:
        monkeypatch.setattr(edge_of_stability, change, 77)
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)
    with pytest.raises(ValueError, match=f"to another run, with another {name}: delete it.*--out"):
        run(tmp_path)


@pytest.mark.parametrize("which", ["lr-0.8.npz", "lr-0.5.npz"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "no provenance", "no identity"])
def test_a_damaged_checkpoint_is_refused_before_any_work(tmp_path, tiny, no_work, which, damage):
    path = tmp_path / "fig2_1_left-digits-small" / which
    recording.save(path, {"theta": np.zeros(3)}, {"step": 3})
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "no provenance":
        np.savez(path, theta=np.zeros(3))
    with pytest.raises(ValueError, match=f"{which}.*delete (it|this checkpoint) to start afresh"):
        run(tmp_path)


# --- divergence -----------------------------------------------------------------------------------


def test_divergence_is_told_and_leaves_the_last_good_checkpoint(tmp_path, tiny, monkeypatch):
    wild = edge_of_stability.Settings(60, (1e15,), time=1e16, probes=1)
    choose(monkeypatch, "fig2_1_left", wild)
    with pytest.raises(FloatingPointError, match="range at step (.*): take a learning rate below"):
        run(tmp_path)
    kept = recording.load(tmp_path / "fig2_1_left-digits-small" / "lr-1e+15.npz")
    assert np.isfinite(kept["theta"]).all()
    assert np.isfinite(kept["losses"]).all()
    assert len(kept["losses"]) == kept.provenance["step"] + 1
    with pytest.raises(FloatingPointError, match="range at step"):  # and again from there
        run(tmp_path)


# --- recordings -----------------------------------------------------------------------------------


def test_a_recording_comes_back_as_it_was_saved(tmp_path):
    path = tmp_path / "new" / "folder" / "x.npz"
    arrays = {"a": np.arange(3.0), "b": np.array([[True]])}
    recording.save(path, arrays, {"recipe": "r", "data": "d", "size": "s", "list": [1, 2]})
    loaded = recording.load(path)
    assert loaded.provenance["list"] == [1, 2]
    np.testing.assert_array_equal(loaded["a"], arrays["a"])
    assert loaded["b"].dtype == bool


def test_an_error_in_the_middle_of_saving_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    recording.save(path, {"a": np.arange(3)}, {"version": 1})
    before = path.read_bytes()
    for error in (OSError, KeyboardInterrupt):

        def broken(file, error=error, **arrays):
            file.write(b"half")
            raise error("in the middle")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np, "savez_compressed", broken)
            with pytest.raises(error):
                recording.save(path, {"a": np.arange(4)}, {"version": 2})
        assert path.read_bytes() == before
        assert everything_in(tmp_path) == ["x.npz"]


def test_two_that_save_at_once_do_not_touch_what_the_other_writes(tmp_path, monkeypatch):
    path, method, files = tmp_path / "x.npz", np.savez_compressed, []

    def interleaved(file, **arrays):
        files.append(file.name)
        if len(files) == 1:
            file.write(b"half")
            recording.save(path, {"a": np.arange(4)}, {"writer": 2})
            assert recording.load(path).provenance == {"writer": 2}
            file.seek(0)
        method(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", interleaved)
    recording.save(path, {"a": np.arange(3)}, {"writer": 1})
    assert recording.load(path).provenance == {"writer": 1}
    assert len(set(files)) == 2
    assert everything_in(tmp_path) == ["x.npz"]
    path.with_name("plain").touch()
    assert path.stat().st_mode == path.with_name("plain").stat().st_mode  # others can read it


@pytest.mark.parametrize("name", ["allow_pickle", "file", "provenance"])
def test_an_array_with_a_name_that_is_taken_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"no array can have the name '{name}': choose another"):
        recording.save(tmp_path / "x.npz", {name: np.zeros(3)}, {})
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("text", ["[1]", "3", "null", "[" * 100_000, "{"])
def test_a_provenance_that_is_no_dictionary_is_refused(tmp_path, text):
    np.savez(tmp_path / "x.npz", provenance=text)
    with pytest.raises(ValueError, match="x.npz is not a recording of mslbook"):
        recording.load(tmp_path / "x.npz")


def test_a_small_recording_cannot_fill_the_memory(tmp_path):
    recording.save(tmp_path / "x.npz", {"zeros": np.zeros(2**25, np.uint8)}, {})
    with pytest.raises(ValueError, match=r"x.npz is not a readable .npz.* would unpack to 3355\d+"):
        recording.load(tmp_path / "x.npz")


def test_no_pickle_is_ever_read(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, provenance=json.dumps({}), a=np.array([{}]))
    with pytest.raises(ValueError, match="not a readable .npz of plain arrays"):
        recording.load(path)


def test_what_is_no_recording_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no recording .*absent.npz.*mslbook list"):
        recording.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="other.npz is not a recording of mslbook"):
        recording.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="no recording"):
        experiments.recorded("fig2_1_left", "nothing")
    with pytest.raises(ValueError, match="no experiment 'fig9': choose fig2_1_left"):
        experiments.recorded("fig9", "cifar10")


def test_fingerprints_tell_data_apart():
    a = np.arange(6, dtype=np.uint8)
    others = [a[::-1], a.reshape(2, 3), a.astype(np.int8), a[:5]]
    assert len({recording.fingerprint(x) for x in [a, *others]}) == 5
    assert recording.fingerprint(a) == recording.fingerprint(a.copy())
    assert recording.fingerprint(a, a) != recording.fingerprint(np.r_[a, a])


# --- progress -------------------------------------------------------------------------------------


def test_progress_goes_to_stderr_and_does_not_flood_a_log(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(training, "SAVE_EVERY", 60.0)
    experiments.run("fig2_1_left", folder=tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"η = 0.8: 100%.*30/30", err)
    assert re.search(r"η = 0.5: 100%.*50/50", err)
    assert len(re.split("[\r\n]+", err.strip())) <= 2 * 3  # the start and the end of three bars


def test_without_progress_it_is_quiet(tmp_path, tiny, capsys):
    run(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_a_resumed_bar_starts_where_the_run_does(tmp_path, tiny, capsys):
    stopped_halfway(tmp_path)
    experiments.run("fig2_1_left", folder=tmp_path)
    err = capsys.readouterr().err
    assert "η = 0.8:" not in err  # finished
    assert re.search(r"η = 0.5: +\d+%.* 1[0-9]/50", err)


# --- refused before any work ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "fig9"}, "no experiment 'fig9': choose fig2_1_left"),
        ({"size": "huge"}, "no size 'huge': choose small or paper"),
        ({"device": "gpu"}, "no device 'gpu': choose cpu or cuda"),
        ({"device": "mps"}, "no device 'mps': choose cpu or cuda"),
        ({"device": None}, "no device None: choose cpu or cuda"),
        ({"device": "cuda:99"}, "no CUDA device 'cuda:99' here: choose --device cpu"),
        ({"folder": "/dev/null"}, "/dev/null cannot be written to .*choose another folder"),
        ({"folder": "/dev/null/sub"}, "/dev/null cannot be written to .*choose another folder"),
    ],
)
def test_refused_before_any_data_is_touched(tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(ValueError, match=words):
        experiments.run(**{"name": "fig2_1_left"} | changes)
    assert everything_in(tmp_path) == []


def test_cuda_is_refused_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="no CUDA device 'cuda' here: choose --device cpu"):
        run(tmp_path, device="cuda")


def test_too_few_pictures_are_refused(tmp_path, no_work, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.zeros((50, 3, 4, 4), np.uint8)
    labels = np.zeros(50, int)
    np.savez(
        "few.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    with pytest.raises(ValueError, match="few has 50 training pictures, this run needs 1000"):
        run("runs", data="few.npz")
    assert everything_in(tmp_path) == ["few.npz", "runs"]


PAPER = {"fig2_1_left": 5000, "fig3_1_densenet121": 5000, "sec6_deciles": 5000}


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_size_of_the_paper_is_refused_for_fewer_pictures(tmp_path, no_work, monkeypatch, name):
    count, fewer = PAPER.get(name, 50_000), np.zeros((11, 3, 32, 32), np.uint8)
    assert experiments.recipe(name).settings("cifar10", "paper").pictures == count
    labels = np.zeros(11, int)
    pictures = data.Pictures("fewer", fewer, labels, fewer, labels, ("one",))
    monkeypatch.setattr(data, "load", lambda *args: pictures)
    told = f"fewer has 11 training .* needs {count}: choose a larger data set, or a smaller --size"
    with pytest.raises(ValueError, match=told):
        experiments.run(name, size="paper", folder=tmp_path)
    assert everything_in(tmp_path) == []


def test_a_checkpoint_folder_that_is_a_file_is_refused(tmp_path, no_work):
    (tmp_path / "fig2_1_left-digits-small").touch()
    with pytest.raises(ValueError, match="digits-small cannot be written to"):
        run(tmp_path)


RECORDINGS = [file for name in experiments.EXPERIMENTS for file in experiments.recordings(name)]


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_a_recording_says_where_it_comes_from(file):
    kept = recording.load(file)
    about = " ".join(kept.about().split())  # long lines are broken
    for part in ("data", "network", "loss", "optimiser", "device", "torch", "size"):
        assert str(kept.provenance.get(part, "")) in about
    assert re.search(r"\d (minutes|seconds) in all", about)
