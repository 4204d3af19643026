"""Image datasets: embedded digits, CIFAR by download, or any .npz archive."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

KEYS = ("train_images", "train_labels", "test_images", "test_labels")
# An .npz may unpack to so many times its size, and so many bytes more: images never shrink a
# hundredfold, but zeros a thousandfold, and a few kilobytes could fill the memory.
MAX_COMPRESSION, FREE_BYTES = 100, 2**24


@dataclass(frozen=True)
class ImageDataset:
    """Images and their labels, split into a training and a test set."""

    name: str  #: as given to `load`, or the name of the file
    train_images: np.ndarray  #: uint8, shape (N, channels, height, width)
    train_labels: np.ndarray  #: integers that index `class_names`, shape (N,)
    test_images: np.ndarray  #: as `train_images`
    test_labels: np.ndarray  #: as `train_labels`
    class_names: tuple[str, ...]  #: the names of the classes


def load(name="digits", root=".data", download=False):
    """Load an :class:`ImageDataset`.

    Parameters
    ----------
    name : str or path
        ``"digits"`` (embedded, 8 x 8 pixels), ``"cifar10"``, ``"cifar100"``, ``"cifar100-50x100"``
        (of the first 50 classes the first 100 training and 20 test images), or an ``.npz`` of the
        dataset's arrays, with or without ``class_names``.
    root : str or path
        The folder of CIFAR, which ``download=True`` fetches and verifies if it is not there.

    Examples
    --------
    >>> from mslbook.data import load
    >>> load("digits").train_images.shape
    (1437, 1, 8, 8)
    """
    name = str(name)
    if name == "digits":
        return _digits()
    if name in ("cifar10", "cifar100"):
        return _cifar(name, root, download)
    if name == "cifar100-50x100":
        return _fifty_classes(name, _cifar("cifar100", root, download))
    if name.endswith(".npz"):
        return _archive(Path(name))
    names = "digits, cifar10, cifar100, cifar100-50x100 or the path of an .npz"
    raise ValueError(f"there is no data set {name!r}: choose {names}")


def standardise(images, like=None, axes=0):
    """Centre and scale every pixel by its mean and standard deviation over the images `like`.

    A pixel that is the same in all images is only centred.

    Parameters
    ----------
    images, like : ndarray, shape (N, ...) and (M, ...)
        `like` may be the training images, for test images; by default it is `images`.
    axes : int or tuple of int
        What the mean and the deviation are taken over.
    """
    like = images if like is None else like
    mean, scale = like.mean(axes, keepdims=True), like.std(axes, keepdims=True)
    return ((images - mean) / np.where(scale > 0, scale, 1)).astype(np.float32)


def standardise_channels(images, like=None):
    """As :func:`standardise`, but with one mean and one deviation for all pixels of a channel."""
    return standardise(images, like, axes=(0, 2, 3))


def colour_32(images):
    """Repeat pixels and channels to (N, 3, 32, 32), so that small images fit a network for CIFAR.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        C is 1 or 3; H and W divide 32.
    """
    _, channels, height, width = images.shape
    if channels not in (1, 3) or 32 % height or 32 % width:
        hint = "pass 1 or 3 channels, and sides that divide 32"
        raise ValueError(f"shape {images.shape[1:]} cannot be repeated to (3, 32, 32): {hint}")
    larger = images.repeat(32 // height, axis=2).repeat(32 // width, axis=3)
    return larger.repeat(3 // channels, axis=1)


def read_npz(path, wanted=None):
    """Read the arrays of an .npz that need not be trusted, or those that are `wanted`, by name."""
    size = Path(path).stat().st_size
    try:
        with ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            members = {name: members[name] for name in members if name in (wanted or members)}
            unpacked = sum(info.file_size for info in members.values())
            if unpacked > MAX_COMPRESSION * size + FREE_BYTES:
                raise ValueError(f"its {size} bytes would unpack to {unpacked}")
            return {name: _member(archive, info) for name, info in members.items()}
    except MemoryError:  # which says nothing about the file
        raise
    except Exception as error:  # a damaged file fails in many ways, and they all mean the same
        raise ValueError(f"{path} is not a readable .npz of plain arrays: {error}") from error


def _member(archive, info):
    """An array of an open archive, unless its header promises more than the member holds."""
    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with archive.open(info) as file:
        shape, _, dtype = headers[npy.read_magic(file)](file)
        if prod(shape) * max(dtype.itemsize, 1) > info.file_size:  # of empty texts, say, too many
            raise ValueError(f"{info.filename} promises {shape} of {dtype}, more than it holds")
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


def _digits():
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    digits, cut = load_digits(), [1437]  # four fifths, in the order in which they come
    images, test_images = np.split(digits.images.astype(np.uint8)[:, None], cut)
    labels, test_labels = np.split(digits.target, cut)
    return ImageDataset("digits", images, labels, test_images, test_labels, tuple("0123456789"))


def _cifar(name, root, download):
    from torchvision import datasets

    kind = getattr(datasets, name.upper())
    try:
        train, test = (kind(root, training, download=download) for training in (True, False))
    except (OSError, RuntimeError) as error:  # no network, a wrong checksum, a full disk
        what, hint = f"is not in {root}, or not whole", "fetch it with download=True (--download)"
        if download:
            what, hint = f"could not be fetched ({error})", "check the network"
        raise FileNotFoundError(f"{name} {what}: {hint}, or name an .npz instead") from error
    halves = [(half.data.transpose(0, 3, 1, 2), np.uint8(half.targets)) for half in (train, test)]
    return ImageDataset(name, *halves[0], *halves[1], tuple(train.classes))


def _fifty_classes(name, full):
    def first(count, images, labels):
        rows = np.sort(np.concatenate([np.flatnonzero(labels == n)[:count] for n in range(50)]))
        return images[rows], labels[rows]

    train = first(100, full.train_images, full.train_labels)
    test = first(20, full.test_images, full.test_labels)
    return ImageDataset(name, *train, *test, full.class_names[:50])


def _archive(path):
    if path.stem == "digits":
        raise ValueError(f"{path} has the name of the embedded digits: give the file another")
    arrays = read_npz(path, (*KEYS, "class_names"))
    train, train_labels, test, test_labels = halves = [arrays.get(k, np.empty(0)) for k in KEYS]
    if not all(
        (images.ndim, images.dtype) == (4, np.uint8)
        and images.size
        and images.shape[1:] == (3, *train.shape[2:])
        and labels.shape == images.shape[:1]
        and labels.dtype.kind in "iu"
        and labels.min() >= 0
        for images, labels in ((train, train_labels), (test, test_labels))
    ):
        held = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items()) or "neither"
        raise ValueError(
            f"{path} holds {held}: an archive needs train_images and test_images, uint8 (N, 3, H, "
            "W), and train_labels and test_labels, whole numbers (N,) from 0 on"
        )
    highest, count = int(max(map(np.max, halves[1::2]))), len(train) + len(test)
    names = arrays.get("class_names", np.arange(min(highest + 1, count)))
    if names.ndim != 1 or len(names) <= highest:
        what = f"label {highest} among {count} images, and no name for it"
        raise ValueError(f"{path} has {what}: number from 0, and give every class one")
    return ImageDataset(path.stem, *halves, tuple(names.astype(str).tolist()))
