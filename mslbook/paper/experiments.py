"""One recipe per network figure, and the running, resuming and recording of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryFile

from mslbook.paper import sections
from mslbook.paper.recording import load, save

__all__ = ["EXPERIMENTS", "SIZES", "Recipe", "file_name", "recipe", "recorded", "recordings", "run"]

# Seconds to minutes on one core; what was recorded on a CPU, for want of a GPU; as in the paper.
SIZES = ("small", "reduced", "paper")


@dataclass(frozen=True)
class Recipe:
    """One experiment, from which a recording is made.

    Attributes
    ----------
    name : the name under which it is recorded
    settings : ``settings(data, size)`` returns them for a data set by name and one of `SIZES`;
        ``ValueError`` for a size that the recipe does not have
    record : ``record(name, settings, pictures, size, device, folder, progress)`` does all the work
        and returns the arrays to record, which its docstring describes, and their provenance
    """

    name: str
    settings: Callable
    record: Callable

    def run(self, pictures, size, device, folder, progress=True):
        """Do the work on pictures; returns the arrays to record and their provenance.

        Checkpoints go to `folder`, from which an interrupted run goes on.
        """
        chosen = self.settings(pictures.name, size)
        return self.record(self.name, chosen, pictures, size, device, folder, progress)


def by_size(**sizes):
    """The ``settings(data, size)`` of a recipe whose sizes are the same for all data.

    >>> by_size(small=100, paper=5000)("digits", "small")
    100
    """
    return lambda data, size: of_size(size, **sizes)


def changed(recipe, **changes):
    """The ``settings(data, size)`` of a recipe with some of them changed.

    >>> from mslbook.paper.learning_rate_decay.experiment import DESCENT
    >>> changed(DESCENT, batch=128)("digits", "paper").batch
    128
    """
    return lambda data, size: replace(recipe.settings(data, size), **changes)


def of_size(size, **sizes):
    """The settings of a size among those that a recipe has, some or all of `SIZES`.

    Raises ``ValueError`` for any other.

    >>> of_size("small", small=100, paper=5000)
    100
    """
    if size not in sizes:
        raise ValueError(f"there is no size {size!r}: choose {' or '.join(sizes)}")
    return sizes[size]


# By the experiment's name: the package of its section, where in it the recipe is, and what it is in
# words. Naming experiments and reading what they recorded needs no torch.
EXPERIMENTS = {
    name: (section.__name__, where, about)
    for section in sections().values()
    for name, (where, about) in getattr(section, "EXPERIMENTS", {}).items()
}


def recipe(name):
    """The `Recipe` of a name.

    Raises ``ValueError`` for an unknown name.

    >>> recipe("fig2_1_left").settings("digits", "small").lrs
    (0.4, 0.3)
    """
    _check_name(name)
    section, where, _ = EXPERIMENTS[name]
    return resolve_name(f"{section}.{where}")


def run(name, data="digits", size="small", device="cpu", folder="runs", root=".data",
        download=False, progress=True):  # fmt: skip
    """Run a recipe, or go on with it where it stopped, and record it; returns the file's path.

    Parameters
    ----------
    name : a key of `EXPERIMENTS`
    data, root, download : as for :func:`mslbook.data.load`
    size : "small", "reduced" or "paper"; not every recipe has all of `SIZES`
    device : a torch device, "cpu" or "cuda"
    folder : where the recording goes, with its checkpoints in a folder beside it
    progress : show progress bars on stderr

    A run that was stopped, or killed, goes on from its last checkpoint, in the same environment to
    the same numbers; in another one its recording says what was computed where. While it is under
    way, another process that is to do the same in this folder is refused.
    Everything is checked before any work starts: ``ValueError`` and ``FileNotFoundError`` say
    what to do instead. ``FloatingPointError`` means that descent left the floating-point range.
    Started by ``torchrun``, the processes share the work, and the first of them writes the files.

    Afterwards ``recording.load(path)`` reads the arrays, which the docstring of the
    recipe's ``record`` describes.
    """
    from mslbook.losses.distributed import rank, wait_for_all
    from mslbook.paper.launch import alone, joined

    chosen = recipe(name)
    chosen.settings(Path(str(data)).stem, size)  # a size that it does not have is refused now
    device = _device(device)
    _check_writable(Path(folder))
    with joined(device) as device:
        pictures = _load(data, root, download)
        path = Path(folder) / file_name(name, pictures.name, size)
        _check_writable(path.with_suffix(""))
        progress = progress and rank() == 0
        with alone(path, device):
            arrays, provenance = chosen.run(pictures, size, device, path.with_suffix(""), progress)
            if rank() == 0:
                save(path, arrays, provenance)
            wait_for_all()
    return path


def recorded(name, data, size="paper"):
    """The recording of a recipe that ships with the package, for a data set by name.

    Raises ``ValueError`` for an unknown recipe, ``FileNotFoundError`` if none was recorded.

    >>> recorded("fig2_1_left", "cifar10")
    Recording(fig2_1_left on cifar10, training rows 0-4999, paper)
    """
    _check_name(name)
    return load(_section_folder(name) / file_name(name, data, size))


def recordings(name):
    """The files of a recipe's recordings that ship with the package.

    >>> [path.name for path in recordings("fig2_1_left")]
    ['fig2_1_left-cifar10-paper.npz']
    """
    _check_name(name)
    return sorted(_section_folder(name).glob(f"{name}-*.npz"))


def file_name(name, data, size):
    """The file name of a recording."""
    return f"{name}-{data}-{size}.npz"


def _check_name(name):
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}: choose {', '.join(EXPERIMENTS)}")


def _section_folder(name):
    return Path(__file__).parent / EXPERIMENTS[name][0].rpartition(".")[2]


def _load(data, root, download):
    """The pictures; where several processes share the work, one fetches them for all."""
    from mslbook import data as datasets
    from mslbook.losses.distributed import rank, wait_for_all

    if download and rank() > 0:
        wait_for_all()
    pictures = datasets.load(data, root, download)
    if download and rank() == 0:
        wait_for_all()
    return pictures


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

    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"there is no device {name!r}: choose cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no CUDA device {name!r} here: choose --device cpu")
    return device
