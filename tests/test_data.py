"""Image datasets: embedded, from official CIFAR archives, from .npz files; and damaged ones."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from mslbook import data
from mslbook.data import CIFAR, colour_32, load, standardise, standardise_channels

rng = np.random.default_rng(0)


def arrays(count=6, classes=3, **changes):
    """What a good archive holds, with changes."""
    images = rng.integers(0, 256, (2 * count, 3, 4, 5), dtype=np.uint8)
    labels = np.arange(2 * count) % classes
    good = {
        "train_images": images[:count],
        "train_labels": labels[:count],
        "test_images": images[count:],
        "test_labels": labels[count:],
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def written(tmp_path, **changes):
    path = tmp_path / "small.npz"
    np.savez(path, **arrays(**changes))
    return path


# --- what is embedded, and standardised ---------------------------------------------------------


def test_digits_are_real_and_embedded():
    pytest.importorskip("sklearn")
    dataset = load("digits")
    assert dataset.name == "digits"
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_images.max() == 16
    assert len(dataset.train_labels) + len(dataset.test_labels) == 1797
    assert set(dataset.train_labels) == set(dataset.test_labels) == set(range(10))
    assert dataset.class_names == tuple("0123456789")


def test_standardise_per_pixel():
    images = rng.integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    images[:, 0, 0, 0] = 7  # never changes
    out = standardise(images)
    assert out.dtype == np.float32
    assert out.shape == images.shape
    assert not out[:, 0, 0, 0].any()
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-6)
    scale = out.std(axis=0).ravel()
    np.testing.assert_allclose(scale[1:], 1, rtol=1e-5)
    expected = (images[3, 1, 2, 3] - images[:10, 1, 2, 3].mean()) / images[:10, 1, 2, 3].std()
    np.testing.assert_allclose(standardise(images, like=images[:10])[3, 1, 2, 3], expected, 1e-5)


def test_channels_are_standardised_each_as_a_whole():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 5)).astype(np.uint8)
    images[:, 1] = 7  # a channel that never changes
    out = standardise_channels(images)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(out.std((0, 2, 3)), [1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(
        out[:, 2], (images[:, 2] - images[:, 2].mean()) / images[:, 2].std(), atol=1e-5
    )
    np.testing.assert_allclose(standardise_channels(images[3:5], like=images), out[3:5], atol=1e-6)


def test_images_become_those_that_networks_for_cifar_take():
    grey = rng.integers(0, 256, (2, 1, 8, 16)).astype(np.uint8)
    larger = colour_32(grey)
    assert larger.shape == (2, 3, 32, 32)
    assert larger.dtype == np.uint8
    for channel in range(3):
        for row, column in ((0, 0), (1, 1), (3, 0)):
            np.testing.assert_array_equal(larger[:, channel, row::4, column::2], grey[:, 0])
    colour = rng.integers(0, 256, (2, 3, 32, 32)).astype(np.uint8)
    np.testing.assert_array_equal(colour_32(colour), colour)
    for shape in ((2, 3, 24, 32), (2, 2, 8, 8), (2, 3, 64, 64)):
        with pytest.raises(ValueError, match=r"cannot be repeated to \(3, 32, 32\)"):
            colour_32(np.zeros(shape))


# --- .npz archives ------------------------------------------------------------------------------


def test_an_archive_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "mine.npz"
    stored = arrays(class_names=np.array(["cat", "dog", "ship"]), anything_else=np.zeros(3))
    np.savez_compressed(path, **stored)
    dataset = load(path)
    assert dataset.name == "mine"
    assert dataset.class_names == ("cat", "dog", "ship")
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(dataset, key), stored[key])


def test_class_names_default_to_numbers_and_may_be_bytes(tmp_path):
    assert load(written(tmp_path)).class_names == ("0", "1", "2")
    named = written(tmp_path, class_names=np.array([b"cat", b"dog", b"ship"]))
    assert load(named).class_names == ("cat", "dog", "ship")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_labels": None}, r"holds train_images uint8 \(6, 3, 4, 5\), .*: an archive needs"),
        ({"train_images": np.zeros((6, 4, 5), np.uint8)}, "an archive needs"),
        ({"train_images": np.zeros((6, 1, 4, 5), np.uint8)}, "an archive needs"),
        ({"test_images": np.zeros((6, 3, 4, 5))}, "test_images float64.*an archive needs"),
        ({"train_images": np.zeros((0, 3, 4, 5), np.uint8)}, "an archive needs"),
        ({"test_images": np.zeros((6, 3, 8, 8), np.uint8)}, "an archive needs"),
        ({"train_labels": np.arange(5)}, r"train_labels int64 \(5,\).*an archive needs"),
        ({"train_labels": np.zeros((6, 1), int)}, "an archive needs"),
        ({"train_labels": np.zeros(6)}, "train_labels float64"),
        ({"test_labels": np.arange(6) - 1}, r"whole numbers \(N,\) from 0 on"),
        ({"class_names": np.array(["cat", "dog"])}, "label 2 among 12 images, and no name for it"),
        ({"class_names": np.array("cat")}, "give every class one"),
        ({"class_names": np.array([b"\xff"] * 3)}, "can't decode"),
        ({"test_labels": np.arange(6) + 7}, "label 12 among 12 images"),
        ({"train_labels": np.full(6, 10**9)}, "label 1000000000 among 12 images"),
        ({"train_labels": np.full(6, 2**62)}, f"label {2**62} among 12 images"),
        ({"test_labels": np.full(6, 2**64 - 1, np.uint64)}, f"label {2**64 - 1} among 12 images"),
        (
            {"test_labels": np.full(6, 2**62), "class_names": np.array(["cat"])},
            f"label {2**62} among 12 images",
        ),
        ({"train_labels": np.array([{}] * 6)}, "not a readable .npz of plain arrays.*allow_pickle"),
    ],
)
def test_an_archive_of_another_shape_is_refused(tmp_path, changes, words):
    path = written(tmp_path, **changes)
    with pytest.raises(ValueError, match=words):
        load(path)


def test_only_what_is_needed_is_read(tmp_path):
    path = tmp_path / "more.npz"
    np.savez(path, **arrays(), objects=np.array([{}]))
    assert len(load(path).train_images) == 6
    with pytest.raises(ValueError, match="more.npz is not a readable .npz of plain arrays"):
        data.read_npz(path)


def promising(shape, dtype):
    """The header of an .npy file."""
    file = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue()


@pytest.mark.parametrize(
    ("shape", "dtype", "size", "words"),
    [
        ((2**25,), "|u1", 2**25, r"its \d+ bytes would unpack to 3355\d+"),
        (
            (2**40,),
            "<f8",
            0,
            r"names.npy promises \(1099511627776,\) of float64, more than it hold",
        ),
        ((2**40,), "<U0", 0, r"class_names.npy promises \(1099511627776,\) of <U0, more than it"),
    ],
    ids=["zeros", "a header alone", "empty texts"],
)
def test_a_small_file_cannot_fill_the_memory(tmp_path, monkeypatch, shape, dtype, size, words):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **arrays())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("class_names.npy", promising(shape, dtype) + bytes(size))
    monkeypatch.setattr(np.lib.format, "read_array", lambda file, **_: np.zeros(3))
    with pytest.raises(ValueError, match=f"bomb.npz is not a readable .npz.*{words}"):
        load(path)


def test_a_small_file_may_shrink_as_far_as_it_can(tmp_path):
    path = tmp_path / "black.npz"
    black = np.zeros((1300, 3, 64, 64), np.uint8)
    labels = np.zeros(1300, int)
    np.savez_compressed(path, **arrays(train_images=black, train_labels=labels,
                                       test_images=black[:1], test_labels=labels[:1]))  # fmt: skip
    assert path.stat().st_size < 100_000
    assert load(path).train_images.shape == black.shape


def test_a_large_file_may_unpack_to_a_hundred_times_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FREE_BYTES", 0)  # which a small file has besides
    path, random = tmp_path / "images.npz", rng.integers(0, 256, 1000, dtype=np.uint8)
    np.savez_compressed(path, a=random, b=np.zeros(90_000, np.uint8))
    assert 50 < 91_000 / path.stat().st_size < 100
    np.testing.assert_array_equal(data.read_npz(path)["a"], random)
    np.savez_compressed(path, a=random, b=np.zeros(300_000, np.uint8))
    with pytest.raises(ValueError, match="would unpack to 301"):
        data.read_npz(path)


def test_a_lack_of_memory_is_not_the_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    path = written(tmp_path)
    monkeypatch.setattr(np.lib.format, "read_array", full)
    with pytest.raises(MemoryError):
        load(path)


def whole(tmp_path):
    return written(tmp_path).read_bytes()


def flipped(tmp_path):
    data = bytearray(whole(tmp_path))
    data[300] ^= 255
    return bytes(data)


def single_array(tmp_path):
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def no_arrays(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key in arrays():
            archive.writestr(key, "text")
    return file.getvalue()


DAMAGED = {
    "cut short": lambda tmp_path: whole(tmp_path)[:-100],
    "cut in half": lambda tmp_path: whole(tmp_path)[:400],
    "empty": lambda tmp_path: b"",
    "a flipped byte": flipped,
    "text": lambda tmp_path: b"not an archive at all",
    "one array": single_array,
    "a zip of texts": no_arrays,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_archive_is_refused(tmp_path, damage):
    path = tmp_path / "damaged.npz"
    path.write_bytes(DAMAGED[damage](tmp_path))
    with pytest.raises(ValueError, match="damaged.npz") as told:
        load(path)
    assert "unsafely" not in str(told.value)


def test_an_archive_may_not_pose_as_the_digits(tmp_path):
    path = written(tmp_path).rename(tmp_path / "digits.npz")
    with pytest.raises(ValueError, match="name of the embedded digits: give the file another"):
        load(path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file .*absent.npz"):
        load(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="no data set 'mnist': choose digits, cifar10, cifar100"):
        load("mnist")


# --- CIFAR --------------------------------------------------------------------------------------


@pytest.fixture
def official(tmp_path, monkeypatch):
    """Writes a miniature of an official archive; returns its images and labels, by file."""
    pytest.importorskip("torchvision")

    def write(name, per_file=4, classes=range(10)):
        archive, _, train, test, names, label_bytes = CIFAR[name]
        path, files = tmp_path / archive, {}
        with tarfile.open(path, "w:gz") as tar:

            def add(file, content):
                member = tarfile.TarInfo(f"folder/{file}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))

            for file in (*train, test):
                images = rng.integers(0, 256, (per_file, 3, 32, 32), dtype=np.uint8)
                labels = rng.permutation(np.resize(np.array(classes, np.uint8), per_file))
                coarse = bytes([99] * (label_bytes - 1))
                pairs = zip(images, labels, strict=True)
                add(file, b"".join(coarse + bytes([n]) + image.tobytes() for image, n in pairs))
                files[file] = images, labels
            add(names, "".join(f"name_{i}\n" for i in range(max(classes) + 1)).encode() + b"\n")
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        monkeypatch.setitem(CIFAR, name, (archive, md5, train, test, names, label_bytes))
        return files

    return write


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_official_archives_are_parsed(tmp_path, official, name):
    files = official(name)
    *train, test = files
    dataset = load(name, root=tmp_path)
    for index, part in enumerate(("images", "labels")):
        expected = np.concatenate([files[file][index] for file in train])
        np.testing.assert_array_equal(getattr(dataset, f"train_{part}"), expected)
        np.testing.assert_array_equal(getattr(dataset, f"test_{part}"), files[test][index])
    assert dataset.class_names == tuple(f"name_{i}" for i in range(10))
    assert dataset.name == name


def test_the_first_hundred_images_of_each_of_fifty_classes(tmp_path, official):
    files = official("cifar100", per_file=52 * 101, classes=(*range(50), 50, 99))
    dataset = load("cifar100-50x100", root=tmp_path)
    assert dataset.name == "cifar100-50x100"
    assert dataset.class_names == tuple(f"name_{i}" for i in range(50))
    for half, file, count in (("train", "train.bin", 100), ("test", "test.bin", 20)):
        images, labels = files[file]
        left, rows = dict.fromkeys(range(50), count), []
        for row, label in enumerate(labels):  # in the order of the data set
            if left.get(label):
                left[label] -= 1
                rows.append(row)
        assert len(rows) == 50 * count
        np.testing.assert_array_equal(getattr(dataset, f"{half}_images"), images[rows])
        np.testing.assert_array_equal(getattr(dataset, f"{half}_labels"), labels[rows])
        assert getattr(dataset, f"{half}_labels").dtype == np.uint8


def test_cifar_that_is_not_there_says_how_to_get_it(tmp_path):
    pytest.importorskip("torchvision")
    for name, archive in (("cifar10", "cifar10"), ("cifar100-50x100", "cifar100")):
        with pytest.raises(FileNotFoundError, match=f"{archive} is not in .*True.*--download"):
            load(name, root=tmp_path / "nowhere")


def test_an_archive_that_is_not_whole_is_as_good_as_none(tmp_path, official):
    official("cifar10")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileNotFoundError, match="cifar10 is not in .*, or not whole: fetch it"):
        load("cifar10", root=tmp_path)


def test_download_fetches_what_is_missing(tmp_path, official, monkeypatch):
    utils = pytest.importorskip("torchvision.datasets.utils")
    calls = []

    def fetch(url, root, md5):
        calls.append((url, md5))
        official("cifar100")

    monkeypatch.setattr(utils, "download_url", fetch)
    archive, md5 = CIFAR["cifar100"][:2]
    with pytest.raises(FileNotFoundError, match="cifar100 is not in"):  # the checksum is another
        load("cifar100", root=tmp_path, download=True)
    assert calls == [(data.URL + archive, md5)]
    load("cifar100", root=tmp_path)  # it is there now


@pytest.mark.parametrize(
    "error", [OSError("no route to host"), RuntimeError("File not found or corrupted.")]
)
def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch, error):
    utils = pytest.importorskip("torchvision.datasets.utils")

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(utils, "download_url", fail)
    with pytest.raises(FileNotFoundError, match=f"could not be fetched .{error}.: check the net"):
        load("cifar10", root=tmp_path, download=True)
