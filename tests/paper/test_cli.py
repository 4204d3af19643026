"""The command line: what it prints, and how it says no."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import run, shrink, stop_at  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.paper import cli, experiments, launch, ledger, recording  # noqa: E402


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Run a command that must be refused: status 2, one line on stderr, nothing written."""
    monkeypatch.chdir(tmp_path)

    def check(*arguments):
        before = sorted(tmp_path.rglob("*"))
        assert cli.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("mslbook: ")
        assert err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return check


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fig9"], "no experiment 'fig9': choose fig2_1_left"),
        (["fig2_1_left", "--size", "big"], "no size 'big': choose small or paper"),
        (["fig2_1_left", "--device", "gpu"], "no device 'gpu': choose cpu or cuda"),
        (["fig2_1_left", "--data", "mnist"], "no data set 'mnist': choose digits"),
        (
            ["fig2_1_left", "--data", "mine.npz"],
            "No such file or directory: 'mine.npz'",
        ),
        (["fig2_1_left", "--data", "cifar10"], "cifar10 is not in .data/cifar-10-binary.tar.gz"),
        (["fig2_1_left", "--out", "/dev/null"], "/dev/null cannot be written to"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(refused, arguments, words):
    assert words in refused("run", *arguments)


def test_a_device_is_refused_before_a_download(refused, monkeypatch):
    monkeypatch.setattr(data, "load", None)
    command = ["run", "fig2_1_left", "--data", "cifar10", "--download"]
    assert "no device 'tpu'" in refused(*command, "--device", "tpu")


def test_a_download_without_network_is_one_sentence(refused, monkeypatch):
    utils = pytest.importorskip("torchvision.datasets.utils")

    def offline(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(utils, "download_url", offline)
    told = refused("run", "fig2_1_left", "--data", "cifar100", "--download")
    assert "could not be fetched (Name or service not known): check the network" in told


def test_a_run_that_another_process_is_at_is_refused(refused, tmp_path):
    (tmp_path / "runs").mkdir()
    with launch.held(tmp_path / "runs" / "fig2_1_left-digits-small.npz"):
        told = refused("run", "fig2_1_left")
    assert "another process is at work on fig2_1_left-digits-small in runs: wait until" in told


@pytest.mark.parametrize(("error", "words"), [("1 GiB", "1 GiB: "), ("", "the memory is full: ")])
def test_too_little_memory_is_one_sentence(refused, monkeypatch, error, words):
    def full(*args):
        raise MemoryError(error)

    monkeypatch.setattr(data, "load", full)
    assert words + "choose a smaller --size" in refused("run", "fig2_1_left")


def test_too_little_memory_of_torch_is_the_same_sentence(refused, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *args: torch.empty(10**15))
    assert "the memory is full: choose a smaller --size" in refused("run", "fig2_1_left")
    monkeypatch.setattr(data, "load", lambda *args: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):  # a fault of ours shows where it is
        cli.main(["run", "fig2_1_left"])


def test_a_missing_package_says_what_to_install(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    told = refused("run", "fig2_1_left")
    assert "this needs sklearn.datasets: pip install 'mslbook[network]'" in told


def test_run_records_and_says_where(tmp_path, monkeypatch, capsys):
    shrink(monkeypatch)
    assert cli.main(["run", "fig2_1_left", "--out", str(tmp_path)]) == 0
    path = tmp_path / "fig2_1_left-digits-small.npz"
    assert capsys.readouterr().out == f"recorded {path}\n"
    assert recording.load(path).provenance["data"] == "digits, training rows 0-59"


def test_run_takes_a_file_of_images(tmp_path, monkeypatch, capsys):
    shrink(monkeypatch)
    rng = np.random.default_rng(0)
    halves = {}
    for half in ("train", "test"):
        halves[f"{half}_images"] = rng.integers(0, 256, (60, 3, 4, 4), dtype=np.uint8)
        halves[f"{half}_labels"] = np.arange(60) % 3
    np.savez(tmp_path / "own.npz", **halves)
    command = ["run", "fig2_1_left", "--data", str(tmp_path / "own.npz"), "--out", str(tmp_path)]
    assert cli.main(command) == 0
    about = recording.load(tmp_path / "fig2_1_left-own-small.npz").provenance
    assert about["data"] == "own, training rows 0-59"
    assert "48-16-16-3 tanh" in about["network"]


def test_going_on_with_other_threads_is_told(tmp_path, monkeypatch, capsys):
    shrink(monkeypatch)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, "value_and_grad", 45)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    checkpoint = tmp_path / "fig2_1_left-digits-small" / "lr-0.5.npz"
    step = recording.load(checkpoint).provenance["step"]
    torch.set_num_threads(threads + 1)
    try:
        assert cli.main(["run", "fig2_1_left", "--out", str(tmp_path)]) == 0
    finally:
        torch.set_num_threads(threads)
    out, err = capsys.readouterr()
    told = (
        f"lr-0.5: what there is, up to step {step}, was computed with threads {threads}, and the "
        f"rest will be with threads {threads + 1}: the numbers will not be those of an "
    )
    assert err.count(told) == 1
    assert "lr-0.8: what" not in err  # it had ended
    found = recording.load(tmp_path / "fig2_1_left-digits-small.npz")
    assert found.mixed() == (
        "computed in several environments, so not as by an uninterrupted run: "
        f"threads {threads} for lr-0.8 from step 0, lr-0.5 from step 0; "
        f"threads {threads + 1} for lr-0.5 from step {step + 1}, the recording"
    )
    assert found.mixed() in out
    assert " ".join(found.about().split()).endswith(found.mixed())


def test_a_stopped_run_says_how_it_goes_on(tmp_path, monkeypatch, capsys):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "run", stopped)
    assert cli.main(["run", "fig2_1_left", "--out", str(tmp_path)]) == 130
    assert "stopped; the same command goes on" in capsys.readouterr().err


def test_list_names_experiments_and_recordings(capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    for name, (*_, about) in experiments.EXPERIMENTS.items():
        assert f"{name}  " in out
        assert about in out
        for path in experiments.recordings(name):
            assert recording.load(path).provenance["data"] in out


def test_claims_prints_its_report(monkeypatch):
    monkeypatch.setattr(ledger, "report", lambda: 7)
    assert cli.main(["claims"]) == 7


MINE = """
import torch
from mslbook.losses.network import NetworkLoss
from beside import CRITERION

x, y = torch.randn(6, 4), torch.arange(6) % 3


def network(*between):
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), *between, torch.nn.Linear(5, 3))
    return NetworkLoss(model, (x, y), CRITERION)


def refused():
    return network(torch.nn.Hardsigmoid())


mine = network(torch.nn.LayerNorm(5))
made = lambda: network(torch.nn.Tanh())
model = mine.model
triple = (model, None, None)
pair_of_data = (model, (x, x))
turned = (x, model)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A file with losses of a reader, and one that it imports."""
    (tmp_path / "beside.py").write_text("import torch\nCRITERION = torch.nn.CrossEntropyLoss()\n")
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path / "mine.py"
    sys.modules.pop("beside")


@pytest.mark.parametrize(("name", "layer"), [("mine", "LayerNorm 1"), ("made", "Tanh 1")])
def test_check_prints_the_report_on_a_loss_of_ones_own(mine, name, layer, capsys):
    assert cli.main(["check", f"{mine}:{name}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| layer ")
    assert f"| {layer} " in out


def test_check_ends_with_1_if_something_is_wrong_that_is_used(mine, monkeypatch, capsys):
    from mslbook.losses.network import NetworkLoss

    monkeypatch.setattr(NetworkLoss, "hvp", lambda self, theta, v: 1.1 * v)
    monkeypatch.setattr("mslbook.losses.network.check_network", lambda loss: None)
    assert cli.main(["check", f"{mine}:made"]) == 1
    assert "not compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "nothing",
            "say FILE.py:NAME of a NetworkLoss, a function without arguments that makes one, or",
        ),
        ("model", "'model' is a Sequential"),
        ("absent", "there is no 'absent'"),
        ("pair_of_data", "'pair_of_data' cannot be examined: "),
        ("turned", "the model must be a torch.nn.Module, not a Tensor"),
        ("triple", "give a NetworkLoss, or (module, inputs), not 3 things"),
        ("refused", "layer '1' (Hardsigmoid) cannot be differentiated twice by torch"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_sentence(mine, name, words, capsys):
    assert cli.main(["check", f"{mine}:{name}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mslbook: ")
    assert words in err
    assert err.count("\n") == 1


def test_a_file_to_check_that_is_not_there_is_one_sentence(refused, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert "there is no file 'none.py': say FILE.py:NAME" in refused("check", "none.py:loss")


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run"], ["check"], ["list", "more"]])
def test_wrong_usage_is_explained(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: mslbook")


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("mslbook")
    answer = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("mslbook 0.")


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_a_reader_who_has_read_enough_is_told_nothing(options):
    """Whether the pipe breaks while the list is printed or at the end of it."""
    command = [sys.executable, *options, "-m", "mslbook", "list"]
    with subprocess.Popen(command, stdout=-1, stderr=-1) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 1
