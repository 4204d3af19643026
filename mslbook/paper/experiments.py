"""The experiments of all folders: what there is, running one, and what was recorded."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryFile

from mslbook.paper import folders
from mslbook.paper.recording import load

__all__ = ["EXPERIMENTS", "SIZES", "Experiment", "experiment", "recorded", "recordings", "run"]

# Seconds to minutes on one core; what was recorded on a CPU, for want of a GPU; as in the paper.
SIZES = ("small", "reduced", "paper")


@dataclass(frozen=True)
class Experiment:
    """What is trained and measured, from which a recording is made."""

    name: str  #: the name under which it is recorded
    #: a dataclass for each size, some or all of `SIZES`; its ``images`` are how many training
    #: images are used, None for all
    settings: dict
    #: ``record(run)`` does the work of a :class:`~mslbook.paper.run.Run` and returns the arrays to
    #: record: NumPy arrays as they are, numbers and lists as integers or float32
    record: Callable
    version: int = 1  #: another one continues no checkpoint of this one
    digits: dict | None = None  #: the settings by size for the embedded digits, where they differ
    uses_test_images: bool = False  #: whether the numbers depend on the test images

    def settings_for(self, data, size):
        """The settings for a data set by name and a size; ValueError for an unknown size."""
        sizes = self.digits if self.digits and data == "digits" else self.settings
        if size not in sizes:
            raise ValueError(f"there is no size {size!r}: choose {' or '.join(sizes)}")
        return sizes[size]


# Every experiment by its name: the package of its folder, where in it the experiment is, and what
# it is in words. Naming experiments and reading what they recorded needs no torch.
EXPERIMENTS = {
    name: (package.__name__, where, about)
    for package in folders()
    for name, (where, about) in getattr(package, "EXPERIMENTS", {}).items()
}


def experiment(name):
    """The `Experiment` of a name; ValueError for an unknown one."""
    package, where = _found(name)
    return resolve_name(f"{package}.{where}")


def run(name, data="digits", size="small", device="cpu", folder="runs", root=".data",
        download=False, progress=True):  # fmt: skip
    """Run an experiment, or resume it where it stopped; returns the path of the recording.

    Everything is checked before any work starts. Under ``torchrun`` the processes share the work,
    and the first of them writes the files.

    Parameters
    ----------
    name, size, device : str
        A key of `EXPERIMENTS`; one of the `SIZES` that it has; "cpu" or "cuda".
    data, root, download
        As for :func:`mslbook.data.load`.
    folder, progress : path, bool
        Where the recording goes, with its checkpoints in a folder beside it; whether progress bars
        are shown on stderr.

    Raises
    ------
    ValueError, FileNotFoundError
        If the request cannot be met, or another process is at this run.
    """
    from mslbook import data as datasets
    from mslbook.distributed import joined, rank, wait_for_all
    from mslbook.paper.launch import alone
    from mslbook.paper.run import Run

    chosen, data_name = experiment(name), Path(str(data)).stem
    chosen.settings_for(data_name, size)  # a size that it does not have is refused now
    device = _device(device)
    path = file_in(folder, name, data_name, size)
    checkpoints = path.with_suffix("")
    _check_writable(checkpoints)
    with joined(device) as device:
        if download and rank() > 0:  # one downloads for all
            wait_for_all()
        images = datasets.load(data, root, download)
        if download and rank() == 0:
            wait_for_all()
        with alone(path, device):
            Run(chosen, images, size, device, checkpoints, progress and rank() == 0).record(path)
    return path


def recorded(name, data, size="paper"):
    """The recording of an experiment that ships with the package, for a data set by name.

    >>> from mslbook.paper.experiments import recorded
    >>> recorded("fig2_1_left", "cifar10")
    Recording(fig2_1_left on cifar10, training rows 0-4999, paper)
    """
    return load(file_in(_folder(name), name, data, size))


def file_in(folder, name, data, size):
    """Where in a folder the recording of an experiment is, for a data set by name and a size."""
    return Path(folder) / f"{name}-{data}-{size}.npz"


def recordings(name):
    """The files of an experiment's recordings that ship with the package."""
    return sorted(_folder(name).glob(f"{name}-*.npz"))


def _folder(name):
    return Path(__file__).parent / _found(name)[0].rpartition(".")[2]


def _found(name):
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}: choose {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name][:2]


def _check_writable(folder):
    """Refuse a place where the results of hours could not be written; nothing is made yet."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ValueError(
            f"{nearest} cannot be written to ({error.strerror}): choose another folder with --out"
        ) from error


def _device(name):
    import torch

    if not re.fullmatch(r"(cpu|cuda)(:\d+)?", str(name)):
        raise ValueError(f"there is no device {name!r}: choose cpu or cuda")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no CUDA device {name!r} here: choose --device cpu")
    return device
