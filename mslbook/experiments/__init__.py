"""One recipe per network figure, and the running, resuming and recording of it."""

from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryFile

from mslbook.experiments.recipes import SIZES, Recipe
from mslbook.experiments.recording import RESULTS, load, save

__all__ = ["RECIPES", "SIZES", "Recipe", "file_name", "recipe", "recorded", "run"]

# By the figure's number in the journal: where the recipe is, and what it is in words, so that
# naming the recipes and reading what they recorded needs no torch.
RECIPES = {
    "fig2_1_left": (
        "mslbook.experiments.edge_of_stability:EDGE",
        "fully connected tanh network, full-batch descent at several learning rates",
    ),
    "fig2_1_right": (
        "mslbook.experiments.learning_rate_decay:DESCENT",
        "VGG11 by full-batch descent, the learning rate decayed early or late: loss, test accuracy",
    ),
    "fig2_1_right_equal_time": (
        "mslbook.experiments.learning_rate_decay:EQUAL_TIME",
        "its early decay, run on until it has had as much time as the late one",
    ),
    "fig2_1_right_sgd": (
        "mslbook.experiments.learning_rate_decay:SGD",
        "the same by SGD with cross-entropy, which interpolates its pictures before the decay",
    ),
    "fig2_1_right_cross_entropy": (
        "mslbook.experiments.learning_rate_decay:CROSS_ENTROPY",
        "fig2_1_right with the cross-entropy instead, one seed",
    ),
    "fig2_1_right_minibatches": (
        "mslbook.experiments.learning_rate_decay:MINIBATCHES",
        "fig2_1_right with minibatches instead, so with more steps in an epoch, one seed",
    ),
    "fig3_1_vgg11": (
        "mslbook.experiments.gradient_direction:VGG11",
        "VGG11 by full-batch descent until it oscillates: the loss along the gradient",
    ),
    "fig3_1_resnet18": (
        "mslbook.experiments.gradient_direction:RESNET18",
        "the same for ResNet18, with BatchNorm in both of its modes",
    ),
    "fig3_1_densenet121": (
        "mslbook.experiments.gradient_direction:DENSENET121",
        "the same for DenseNet121, meant for --data cifar100-50x100 (50 classes)",
    ),
    "fig3_1_choices": (
        "mslbook.experiments.gradient_choices:CHOICES",
        "VGG11 by full-batch descent, one thing changed at a time: what decides the shape",
    ),
    "fig3_2_landscape": (
        "mslbook.experiments.wide_range:PLAIN",
        "VGG11 by full-batch descent: wide lines at several points, and the sharp well in them",
    ),
    "fig3_2_normalised": (
        "mslbook.experiments.wide_range:NORMALISED",
        "the same with BatchNorm, which decides whether there is a sharp well",
    ),
    "fig3_2_choices": (
        "mslbook.experiments.wide_choices:CHOICES_FROM_AFAR",
        "wide lines at the end of the trainings of fig3_1_choices: what decides whether there is a "
        "sharp well",
    ),
    "fig3_2_paths": (
        "mslbook.experiments.decay_paths:PATHS",
        "VGG11 by full-batch descent, decayed at three epochs: the paths in three dimensions",
    ),
    "fig3_2_paths_cross_entropy": (
        "mslbook.experiments.decay_paths:PATHS_CROSS_ENTROPY",
        "fig3_2_paths with the cross-entropy instead",
    ),
    "fig3_2_paths_minibatches": (
        "mslbook.experiments.decay_paths:PATHS_MINIBATCHES",
        "fig3_2_paths with minibatches instead, so with more steps in an epoch",
    ),
    "sec6_norms": (
        "mslbook.experiments.picture_norms:NORMS",
        "lengths of pictures, raw and standardised, and their spread by direction (seconds, no "
        "checkpoint)",
    ),
    "sec6_deciles": (
        "mslbook.experiments.picture_deciles:DECILES",
        "full-batch descent on pictures of real, equal and spread lengths: the loss of each tenth",
    ),
}


def recipe(name):
    """The `Recipe` of a name.

    Raises ``ValueError`` for an unknown name.

    >>> recipe("fig2_1_left").settings("digits", "small").lrs
    (0.4, 0.3)
    """
    _check_name(name)
    return resolve_name(RECIPES[name][0])


def run(name, data="digits", size="small", device="cpu", folder="runs", root=".data",
        download=False, progress=True):  # fmt: skip
    """Run a recipe, or go on with it where it stopped, and record it; returns the file's path.

    Parameters
    ----------
    name : a key of `RECIPES`
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
    from mslbook.experiments.launch import alone, joined
    from mslbook.losses.distributed import rank, wait_for_all

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
    return load(RESULTS / file_name(name, data, size))


def file_name(name, data, size):
    """The file name of a recording."""
    return f"{name}-{data}-{size}.npz"


def _check_name(name):
    if name not in RECIPES:
        raise ValueError(f"there is no experiment {name!r}: choose {', '.join(RECIPES)}")


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
