"""Record on a GPU that is lent for minutes at a time: `make gpu`, again until all is recorded.

The first call runs the tests that need a GPU. Each call then continues the recordings, in the order
of their worth, for some minutes, and says what to do next. The state of a run stays in the folder,
in files small enough to be carried from one machine to the next.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from mslbook.paper.experiments import file_in

# By worth: the course of VGG11 is published, and the other claims of networks rest on BatchNorm.
RECORDINGS = {
    "fig3_1_vgg11": "cifar10",
    "fig3_1_vgg11_bn": "cifar10",
    "fig2_1_right_sgd": "cifar10",
    "fig3_2_normalised": "cifar10",
    "fig3_1_resnet18": "cifar10",
    "fig3_1_densenet121": "cifar100-50x100",
    "fig3_1_ladder": "cifar10",
    "fig3_1_ladder_half": "cifar10",
}
PART = 15 * 2**20  # bytes
LEAST = 60  # seconds in which a recording is worth beginning


def main():
    """Run the tests once, then record until the time is up."""
    options = _parser().parse_args()
    out, deadline = options.out, time.monotonic() + 60 * options.minutes
    out.mkdir(parents=True, exist_ok=True)
    tested = out / f"tested-on-{options.device}"
    if not tested.exists():
        tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu"]
        subprocess.run([*tests, "tests", "--ignore=tests/paper"], check=True)
        tested.touch()
    for first in out.rglob("*.part-00"):
        join(first)
    try:
        missing = record_until(deadline, options)
    finally:
        for path in out.rglob("*.np[yz]"):
            split(path)
    if missing:
        print(f"To record: {', '.join(missing)}. Give the same command again, on any machine.")
    else:
        print(f"All is recorded, in {out}.")


def _parser():
    parser = argparse.ArgumentParser("make gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder with cifar10.npz and others")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="paper")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--minutes", type=float, default=9)
    return parser


def record_until(deadline, options):
    """Continue one recording after the other; returns the names of those that are missing."""
    missing = []
    for name, data in RECORDINGS.items():
        if options.data:
            data = options.data / f"{data}.npz"
        if file_in(options.out, name, Path(data).stem, options.size).exists():
            continue
        missing.append(name)
        if (left := deadline - time.monotonic()) > LEAST:
            print(f"{name}: {left / 60:.0f} minutes are left", flush=True)
            where = ["--size", options.size, "--device", options.device, "--out", options.out]
            command = [sys.executable, "-m", "mslbook", "run", name, "--data", data, *where]
            if run(command, left) == 0:
                missing.remove(name)
    return missing


def run(command, seconds):
    """Run a command, and end it after some seconds; returns its exit status.

    Checkpoints are written whole or not at all, so that nothing but the last minute is lost.
    """
    with subprocess.Popen(list(map(str, command))) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            return process.wait()


def split(path):
    """Keep a large file in parts, `join`ed by the next call; the whole goes once they are there."""
    if path.stat().st_size > PART:
        with path.open("rb") as file:
            for k, part in enumerate(iter(lambda: file.read(PART), b"")):
                path.with_name(f"{path.name}.part-{k:02d}").write_bytes(part)
        path.unlink()


def join(first):
    """Make a file of its parts; a file that is there is whole, and newer than they are."""
    path = first.with_name(first.name.removesuffix(".part-00"))
    parts = sorted(path.parent.glob(f"{path.name}.part-*"))
    if not path.exists():
        whole = path.with_name(f".{path.name}.joined")
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        whole.replace(path)
    for part in parts:
        part.unlink()


if __name__ == "__main__":
    main()
