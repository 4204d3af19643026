"""Image datasets: embedded digits, CIFAR by download, or any .npz archive."""

import tarfile
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


# The binary archives, as the Python ones are pickles: name and checksum, files of training images,
# test images and class names, and bytes of a label, of which the last counts.
URL = "https://www.cs.toronto.edu/~kriz/"
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)]
TEN = "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"
HUNDRED = "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"
CIFAR = {
    "cifar10": (*TEN, BATCHES, "test_batch.bin", "batches.meta.txt", 1),
    "cifar100": (*HUNDRED, ["train.bin"], "test.bin", "fine_label_names.txt", 2),
}


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
    if name in CIFAR:
        return _cifar(name, Path(root), download)
    if name == "cifar100-50x100":
        return _fifty_classes(name, _cifar("cifar100", Path(root), download))
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
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _digits():
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    digits, cut = load_digits(), 1437  # four fifths, in the order in which they come
    images, labels = digits.images.astype(np.uint8)[:, None], digits.target
    halves = images[:cut], labels[:cut], images[cut:], labels[cut:]
    return ImageDataset("digits", *halves, tuple("0123456789"))


def _cifar(name, root, download):
    from torchvision.datasets.utils import check_integrity, download_url

    archive, md5, train, test, names, label_bytes = CIFAR[name]
    path = root / archive
    try:
        if download:  # of what is there, and whole, it only says so
            download_url(URL + archive, root, md5=md5)
    except (OSError, RuntimeError) as error:  # no network, a wrong checksum, a full disk
        hint = "check the network, or name an .npz instead"
        raise FileNotFoundError(f"{name} could not be fetched ({error}): {hint}") from error
    if not check_integrity(path, md5):
        hint = "fetch it with download=True (--download), or name an .npz instead"
        raise FileNotFoundError(f"{name} is not in {path}, or not whole: {hint}")
    with tarfile.open(path) as tar:
        members = filter(tarfile.TarInfo.isfile, tar)
        files = {Path(member.name).name: tar.extractfile(member).read() for member in members}

    def part(*names):  # records of label bytes, then 3 x 32 x 32 pixels
        raw = np.frombuffer(b"".join(files[name] for name in names), np.uint8)
        records = raw.reshape(-1, label_bytes + 3072)
        return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1]

    return ImageDataset(name, *part(*train), *part(test), tuple(files[names].decode().split()))


def _fifty_classes(name, full):
    def first(count, images, labels):
        rows = np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(50)])
        return images[np.sort(rows)], labels[np.sort(rows)]

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
