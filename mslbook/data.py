"""Pictures for experiments: embedded digits, CIFAR by download, or any .npz archive."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

KEYS = ("train_images", "train_labels", "test_images", "test_labels")


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
    ``test_images``, ``test_labels`` and, if it likes, ``class_names``. Returns `Pictures`.

    Raises ``ValueError`` for an unknown name, or files that are damaged or of another shape, and
    ``FileNotFoundError`` when there is nothing at the place named.

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
        return _first_of_each(name, _cifar("cifar100", Path(root), download), 50, 100, 20)
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
    images, labels = zip(*(_records(folder / f, source) for f in source.train), strict=True)
    test = _records(folder / source.test, source)
    class_names = tuple((folder / source.names).read_text().split())
    return Pictures(name, np.concatenate(images), np.concatenate(labels), *test, class_names)


def _first_of_each(name, pictures, classes, train, test):
    """The first `train` and `test` pictures of each of the first classes, in their order."""

    def first(count, images, labels):
        each = [np.flatnonzero(labels == label)[:count] for label in range(classes)]
        rows = np.sort(np.concatenate(each))
        return images[rows], labels[rows]

    return Pictures(
        name,
        *first(train, pictures.train_images, pictures.train_labels),
        *first(test, pictures.test_images, pictures.test_labels),
        pictures.class_names[:classes],
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


def _records(path, source):
    """The pictures and labels of one binary file: label bytes, then 3 x 32 x 32 pixels, again."""
    raw = np.fromfile(path, dtype=np.uint8)
    size = source.label_bytes + 3072
    if raw.size == 0 or raw.size % size:
        raise ValueError(
            f"{path} holds {raw.size} bytes, not a whole number of {size}-byte records: "
            "delete its folder and load it again with download=True"
        )
    records = raw.reshape(-1, size)
    labels, pixels = records[:, source.label_bytes - 1], records[:, source.label_bytes :]
    return pixels.reshape(-1, 3, 32, 32), labels


def _archive(path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: name an .npz archive that exists")
    if path.stem == "digits":
        raise ValueError(f"{path} has the name of the embedded digits: give the file another")
    arrays = read_npz(path)
    if lacking := [key for key in KEYS if key not in arrays]:
        raise ValueError(f"{path} lacks {lacking[0]!r}: an archive needs {', '.join(KEYS)}")
    for half in ("train", "test"):
        _check_half(path, half, arrays[f"{half}_images"], arrays[f"{half}_labels"])
    if arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise ValueError(
            f"{path}: training pictures are {arrays['train_images'].shape[1:]}, test pictures "
            f"{arrays['test_images'].shape[1:]}: make them the same size"
        )
    highest = max(int(arrays["train_labels"].max()), int(arrays["test_labels"].max()))
    names = arrays.get("class_names", np.arange(highest + 1)).astype(str)
    if names.ndim != 1 or len(names) <= highest:
        raise ValueError(
            f"{path}: label {highest} has no name among {names.size} class_names: "
            "give every class one"
        )
    return Pictures(path.stem, *(arrays[key] for key in KEYS), tuple(names.tolist()))


def read_npz(path):
    """The arrays of an .npz file by name.

    Raises ``ValueError`` if it is damaged or holds pickled objects, which are never loaded.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
    except Exception as error:  # a damaged file fails in many ways, and they all mean the same
        raise ValueError(f"{path} is not a readable .npz of plain arrays: {error}") from error


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
