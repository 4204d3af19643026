"""A run on several processes: one writer, and killed and resumed as one process would be."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ranks import HUNG, needs_gloo

torch = pytest.importorskip("torch")
from tiny import shrink  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.paper import experiments, launch, recording  # noqa: E402


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
