"""Experiments: run and resumed as a whole, refused before any work, found by their names."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import (  # noqa: E402
    assert_identical,
    everything_in,
    run,
    shrink,
    stop_at,
)

from mslbook import data  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper import run as runs  # noqa: E402


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The recording of a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return recording.load(run(tmp_path_factory.mktemp("uninterrupted")))


# --- stopped, and resumed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "moment"),
    [
        ("value_and_grad", 33),
        ("value_grad_and_hessian", 11),  # in a measurement
        ("value_grad_and_hessian", 23),  # after all of them
        ("savez_compressed", 83),
    ],
)
def test_stopped_anywhere_it_goes_on_to_the_same_numbers(tmp_path, tiny, finished, where, moment):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, where, moment)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert not (tmp_path / "fig2_1_left-digits-small.npz").exists()
    assert_identical(recording.load(run(tmp_path)), finished)
    assert everything_in(tmp_path) == [
        "fig2_1_left-digits-small",
        "fig2_1_left-digits-small.npz",
        "fig2_1_left-digits-small/lr-0.5.npz",
        "fig2_1_left-digits-small/lr-0.8.npz",
    ]


# A process that stops in the middle of the second training, says so, and waits.
AT_WORK = f"""
import sys, pytest
sys.path.insert(0, {str(Path(__file__).parent)!r})
import itertools, tiny as tests
import torch; torch.set_num_threads({torch.get_num_threads()})
tests.shrink(pytest.MonkeyPatch())
method, calls = tests.NetworkLoss.value_and_grad, itertools.count(1)
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


def test_a_finished_run_is_recorded_again_without_a_step(tmp_path, tiny, finished, monkeypatch):
    path = run(tmp_path)
    path.unlink()
    monkeypatch.setattr(runs, "iterate", None)
    assert_identical(recording.load(run(tmp_path)), finished)


# --- checkpoints that cannot be used --------------------------------------------------------------


@pytest.fixture
def no_work(monkeypatch):
    """Fail if a single gradient is computed."""
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)


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


# --- progress -------------------------------------------------------------------------------------


def test_progress_goes_to_stderr_and_does_not_flood_a_log(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(runs, "SAVE_EVERY", 60.0)
    experiments.run("fig2_1_left", folder=tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"lr-0.8: 100%.*30/30", err)
    assert re.search(r"lr-0.5: 100%.*50/50", err)
    assert len(re.split("[\r\n]+", err.strip())) <= 2 * 3  # the start and the end of three bars


def test_without_progress_it_is_quiet(tmp_path, tiny, capsys):
    run(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_a_resumed_bar_starts_where_the_run_does(tmp_path, tiny, capsys):
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, "value_and_grad", 45)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    experiments.run("fig2_1_left", folder=tmp_path)
    err = capsys.readouterr().err
    assert "lr-0.8:" not in err  # finished
    assert re.search(r"lr-0.5: +\d+%.* 1[0-9]/50", err)


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


def test_too_few_images_are_refused(tmp_path, no_work, monkeypatch):
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
    with pytest.raises(ValueError, match="few has 50 training images, this run needs 1000"):
        run("runs", data="few.npz")
    assert everything_in(tmp_path) == ["few.npz", "runs"]


MORE = {"sec6_norms": 50_000}  # images; 10,000 for the runs with test images, 5000 else


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_size_of_the_paper_is_refused_for_fewer_images(tmp_path, no_work, monkeypatch, name):
    usual = 10_000 if name.startswith(("fig2_1_right", "fig3_2_paths")) else 5000
    count, fewer = MORE.get(name, usual), np.zeros((11, 3, 32, 32), np.uint8)
    assert experiments.experiment(name).settings_for("cifar10", "paper").images == count
    labels = np.zeros(11, int)
    images = data.ImageDataset("fewer", fewer, labels, fewer, labels, ("one",))
    monkeypatch.setattr(data, "load", lambda *args: images)
    told = f"fewer has 11 training .* needs {count}: choose a larger data set, or a smaller --size"
    with pytest.raises(ValueError, match=told):
        experiments.run(name, data="cifar10", size="paper", folder=tmp_path)
    assert everything_in(tmp_path) == []


def test_a_checkpoint_folder_that_is_a_file_is_refused(tmp_path, no_work):
    (tmp_path / "fig2_1_left-digits-small").touch()
    with pytest.raises(ValueError, match="digits-small cannot be written to"):
        run(tmp_path)
