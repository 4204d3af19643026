"""`make gpu`: recordings in pieces, whose state can be carried from machine to machine."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_tools")
    return __import__("gpu")


def test_what_is_missing_is_recorded_once(gpu, tmp_path, monkeypatch, capfd):
    random = np.random.default_rng(0)
    parts = {"train": 1000, "test": 10}
    images = {f"{p}_images": random.integers(0, 255, (n, 3, 32, 32), np.uint8)
              for p, n in parts.items()}  # fmt: skip
    labels = {f"{p}_labels": np.arange(n) % 10 for p, n in parts.items()}
    np.savez(tmp_path / "cifar10.npz", **images, **labels)
    monkeypatch.setattr(gpu, "RECORDINGS", {"sec6_norms": "cifar10"})
    out = tmp_path / "runs"
    out.mkdir()
    (out / "tested-on-cpu").touch()  # the tests of a GPU, which have a test of their own
    options = f"gpu --data {tmp_path} --device cpu --size small --out {out}"
    monkeypatch.setattr(sys, "argv", [*options.split(), "--minutes", "0"])
    gpu.main()
    assert capfd.readouterr().out.startswith("To record: sec6_norms.")
    for told in ("sec6_norms: 9 minutes are left\n", ""):
        monkeypatch.setattr(sys, "argv", options.split())
        gpu.main()
        out_now = capfd.readouterr().out
        assert out_now.startswith(told)
        assert out_now.endswith(f"All is recorded, in {out}.\n")
    assert (out / "sec6_norms-cifar10-small.npz").is_file()


def test_a_command_ends_when_its_time_is_up(gpu):
    assert gpu.run([sys.executable, "-c", "print('done')"], seconds=600) == 0
    assert gpu.run([sys.executable, "-c", "import signal; signal.pause()"], seconds=0.1) != 0


def test_large_files_are_kept_in_parts(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PART", 4)
    large, small = tmp_path / "large.npz", tmp_path / "small.npz"
    large.write_bytes(b"0123456789")
    small.write_bytes(b"0123")
    for path in (large, small):
        gpu.split(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"large.npz.part-0{k}" for k in range(3)),
        "small.npz",
    ]
    gpu.join(tmp_path / "large.npz.part-00")
    assert large.read_bytes() == b"0123456789"
    large.write_bytes(b"newer")  # and a part that an interruption left beside it
    (tmp_path / "large.npz.part-00").write_bytes(b"0123")
    gpu.join(tmp_path / "large.npz.part-00")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["large.npz", "small.npz"]
    assert large.read_bytes() == b"newer"
