"""Pictures for experiments: embedded digits, CIFAR by download, or any .npz archive."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import numpy as np
from numpy.lib import format as npy

KEYS = ("train_images", "train_labels", "test_images", "test_labels")
# An .npz is read if its arrays take at most UNPACKED times its own size, and ROOM bytes more. Zeros
# shrink a thousandfold, so that without a limit a few kilobytes could fill the memory; pictures and
# measurements never shrink a hundredfold, and the room is for small files of equal numbers.
UNPACKED, ROOM = 100, 2**24


@dataclass(frozen=True)
class Pictures:
    """Pictures and their labels, split into a training and a test set.

    Images are uint8 arrays (N, channels, height, width), labels integer arrays (N,) that index
    `class_names`.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]


def load(name="digits", root=".data", download=False):
    """Load digits, cifar10, cifar100, cifar100-50x100 by name, or an ``.npz`` by its path.

    The digits are embedded. ``"cifar100-50x100"`` is a part of CIFAR-100 as large as the paper's:
    the first 50 classes, of each of them the first 100 training pictures, and the first 20 test
    pictures, in the order of the data set. (Which ones the paper took, it does not say.)

    CIFAR is looked for under the folder `root` and fetched there, its MD5 checked, only with
    ``download=True``; the official binary archives are used, since the better-known Python ones
    are pickles. An ``.npz`` holds ``train_images`` (N, 3, H, W) uint8, ``train_labels`` (N,),
    ``test_images``, ``test_labels`` and, if it likes, ``class_names``; what else it holds is not
    read. Returns `Pictures`.

    Raises ``ValueError`` for an unknown name, or files that are damaged, of another shape, or out
    of all proportion to what they unpack to, and ``FileNotFoundError`` when there is nothing at the
    place named.

    >>> pictures = load("digits")
    >>> pictures.train_images.shape, pictures.test_images.shape
    ((1437, 1, 8, 8), (360, 1, 8, 8))
    """
    name = str(name)
    if name == "digits":
        return _digits()
    if name in CIFAR:
        return _cifar(name, Path(root), download)
    if name == "cifar100-50x100":
        return _fifty_classes(name, Path(root), download)
    if name.endswith(".npz"):
        return _archive(Path(name))
    raise ValueError(
        f"there is no data set {name!r}: choose digits, cifar10, cifar100, "
        "cifar100-50x100 or the path of an .npz"
    )


def standardise(images, like=None):
    """Centre and scale every pixel by its mean and standard deviation over the pictures `like`.

    `images` and `like` (default: `images` itself) are arrays (N, ...); returns float32 of the
    shape of `images`. A pixel that never changes is only centred. Test pictures are standardised
    like the training ones: ``standardise(test_images, like=train_images)``.

    Raises ``ValueError`` if the pictures differ in size.

    >>> pictures = standardise(load("digits").train_images)
    >>> float(abs(pictures.mean(axis=0)).max()) < 1e-5
    True
    """
    return _standardised(images, like, over=0)


def standardise_channels(images, like=None):
    """Centre and scale each colour channel by its mean and standard deviation over all of `like`.

    As `standardise`, but with one mean and scale for a whole channel of pictures
    (N, channels, height, width), which is what convolutions expect: the same at every place.

    >>> pictures = standardise_channels(np.arange(24).reshape(2, 3, 2, 2))
    >>> pictures.std(axis=(0, 2, 3)).tolist()
    [1.0, 1.0, 1.0]
    """
    return _standardised(images, like, over=(0, 2, 3))


def colour_32(images):
    """Pictures (N, 1 or 3, height, width) as colour pictures (N, 3, 32, 32), by repeating pixels.

    Makes the digits fit networks for CIFAR, whose own pictures stay as they are. Raises
    ``ValueError`` for pictures whose sides do not divide 32.

    >>> colour_32(load("digits").train_images).shape
    (1437, 3, 32, 32)
    """
    _, channels, height, width = images.shape
    if channels not in (1, 3) or 32 % height or 32 % width:
        raise ValueError(
            f"pictures of shape {images.shape[1:]} cannot be repeated to (3, 32, 32): pass 1 or 3 "
            "channels, and sides that divide 32"
        )
    larger = images.repeat(32 // height, axis=2).repeat(32 // width, axis=3)
    return larger.repeat(3 // channels, axis=1)


def _standardised(images, like, over):
    like = images if like is None else like
    if images.shape[1:] != like.shape[1:]:
        raise ValueError(
            f"pictures of shape {images.shape[1:]} cannot be standardised like pictures of shape "
            f"{like.shape[1:]}: pass pictures of one size"
        )
    mean, scale = like.mean(over, keepdims=True), like.std(over, keepdims=True)
    return ((images - mean) / np.where(scale > 0, scale, 1)).astype(np.float32)


def _digits():
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8)[:, None], digits.target
    cut = 1437  # four fifths, in the order in which they come
    names = tuple("0123456789")
    return Pictures("digits", images[:cut], labels[:cut], images[cut:], labels[cut:], names)


@dataclass(frozen=True)
class _Cifar:
    """Where the binary version of a CIFAR set is, and how its records are laid out."""

    url: str
    md5: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int  # the last of them is the label used (CIFAR-100 puts a coarse one first)


CIFAR = {
    "cifar10": _Cifar(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        "test_batch.bin",
        "batches.meta.txt",
        1,
    ),
    "cifar100": _Cifar(
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-binary",
        ("train.bin",),
        "test.bin",
        "fine_label_names.txt",
        2,
    ),
}


def _cifar(name, root, download):
    source = CIFAR[name]
    folder = root / source.folder
    missing = [f for f in (*source.train, source.test, source.names) if not (folder / f).is_file()]
    if missing and not download:
        raise FileNotFoundError(
            f"{name} is not in {folder} (no {missing[0]}): fetch it with download=True "
            "(on the command line: --download), or name an .npz archive instead"
        )
    if missing:
        _download(name, source, root)
    class_names = _names(folder / source.names)
    files = [_records(folder / f, source, class_names) for f in (*source.train, source.test)]
    images, labels = zip(*files[:-1], strict=True)
    return Pictures(name, np.concatenate(images), np.concatenate(labels), *files[-1], class_names)


def _fifty_classes(name, root, download):
    """The part of CIFAR-100 that `load` describes."""
    whole, source = _cifar("cifar100", root, download), CIFAR["cifar100"]

    def first(count, images, labels, file):
        each = [np.flatnonzero(labels == label)[:count] for label in range(50)]
        if (fewest := min(map(len, each))) < count:
            raise ValueError(
                f"{root / source.folder / file} holds only {fewest} pictures of a class, not "
                f"{count}: {_AGAIN}"
            )
        rows = np.sort(np.concatenate(each))
        return images[rows], labels[rows]

    return Pictures(
        name,
        *first(100, whole.train_images, whole.train_labels, source.train[0]),
        *first(20, whole.test_images, whole.test_labels, source.test),
        whole.class_names[:50],
    )


def _download(name, source, root):
    from torchvision.datasets.utils import download_and_extract_archive

    try:
        download_and_extract_archive(source.url, root, md5=source.md5)
    except (OSError, RuntimeError) as error:  # no network, a wrong checksum, a full disk
        raise FileNotFoundError(
            f"{name} is not in {root / source.folder} and could not be fetched ({error}): "
            "check the network, or name an .npz archive instead"
        ) from error


_AGAIN = "delete its folder and load it again with download=True"


def _names(path):
    """The names of the classes, one a line."""
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text of names ({error}): {_AGAIN}") from error


def _records(path, source, class_names):
    """The pictures and labels of one binary file: label bytes, then 3 x 32 x 32 pixels, again."""
    raw = np.fromfile(path, dtype=np.uint8)
    size = source.label_bytes + 3072
    if raw.size == 0 or raw.size % size:
        raise ValueError(
            f"{path} holds {raw.size} bytes, not a whole number of {size}-byte records: {_AGAIN}"
        )
    records = raw.reshape(-1, size)
    labels, pixels = records[:, source.label_bytes - 1], records[:, source.label_bytes :]
    if labels.max() >= len(class_names):
        raise ValueError(
            f"{path} has label {labels.max()}, but {source.names} beside it names "
            f"{len(class_names)} classes: {_AGAIN}"
        )
    return pixels.reshape(-1, 3, 32, 32), labels


def _archive(path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: name an .npz archive that exists")
    if path.stem == "digits":
        raise ValueError(f"{path} has the name of the embedded digits: give the file another")
    arrays = read_npz(path, (*KEYS, "class_names"))
    if lacking := [key for key in KEYS if key not in arrays]:
        raise ValueError(f"{path} lacks {lacking[0]!r}: an archive needs {', '.join(KEYS)}")
    for half in ("train", "test"):
        _check_half(path, half, arrays[f"{half}_images"], arrays[f"{half}_labels"])
    if arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise ValueError(
            f"{path}: training pictures are {arrays['train_images'].shape[1:]}, test pictures "
            f"{arrays['test_images'].shape[1:]}: make them the same size"
        )
    return Pictures(path.stem, *(arrays[key] for key in KEYS), _class_names(path, arrays))


def _class_names(path, arrays):
    """The names that an archive gives to its classes, or their numbers."""
    halves = arrays["train_labels"], arrays["test_labels"]
    highest, count = max(int(labels.max()) for labels in halves), sum(map(len, halves))
    names = arrays.get("class_names")
    if names is None:
        if highest >= count:  # a number of any size would ask for as many outputs of a network
            raise ValueError(
                f"{path} has label {highest} among {count} pictures and no class_names: number "
                "the classes from 0, or give every class a name"
            )
        return tuple(str(number) for number in range(highest + 1))
    if names.ndim != 1 or len(names) <= highest:
        raise ValueError(
            f"{path}: label {highest} has no name among {names.size} class_names: "
            "give every class one"
        )
    try:
        return tuple(names.astype(str).tolist())
    except ValueError as error:  # bytes beyond ASCII
        raise ValueError(f"{path}: class_names are no text ({error}): store texts") from error


def read_npz(path, wanted=None):
    """The arrays of an .npz file by name; only those `wanted`, where names are given.

    Raises ``ValueError`` if it is damaged, holds pickled objects, which are never loaded, or
    promises more than a file of its size would hold, before any of that is read.
    """
    try:
        if not is_zipfile(path):  # of which NumPy would say how to load it unsafely
            raise ValueError("it is no archive, as np.savez writes them")
        with ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            members = {name: members[name] for name in members if name in (wanted or members)}
            promised, held = sum(info.file_size for info in members.values()), path.stat().st_size
            if promised > UNPACKED * held + ROOM:
                raise ValueError(f"its {held} bytes would unpack to {promised}")
            return {name: _read(archive, info) for name, info in members.items()}
    except MemoryError:  # which says nothing about the file
        raise
    except Exception as error:  # a damaged file fails in many ways, and they all mean the same
        raise ValueError(f"{path} is not a readable .npz of plain arrays: {error}") from error


def _read(archive, member):
    """An array of an open archive, if it is no larger than its member."""
    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with archive.open(member) as file:
        shape, _, dtype = headers[npy.read_magic(file)](file)
    if prod(shape) * max(dtype.itemsize, 1) > member.file_size:  # of empty texts, say, too many
        raise ValueError(f"{member.filename} promises {shape} of {dtype}, more than it holds")
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)


def _check_half(path, half, images, labels):
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(
            f"{path}: {half}_images is {images.dtype} of shape {images.shape}: "
            "store uint8 of shape (N, 3, height, width), N at least 1"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: {half}_labels is {labels.dtype} of shape {labels.shape}: "
            f"store one whole number for each of the {len(images)} pictures"
        )
    if labels.min() < 0:
        raise ValueError(f"{path}: {half}_labels has a negative label: number classes from 0")
