"""Pictures: embedded, from official CIFAR archives, from .npz files; and when they are amiss."""

import io
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
    pictures = load("digits")
    assert pictures.name == "digits"
    assert pictures.train_images.dtype == np.uint8
    assert pictures.train_images.max() == 16
    assert len(pictures.train_labels) + len(pictures.test_labels) == 1797
    assert set(pictures.train_labels) == set(pictures.test_labels) == set(range(10))
    assert pictures.class_names == tuple("0123456789")


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
    with pytest.raises(ValueError, match="pass pictures of one size"):
        standardise_channels(images, like=images[:, :, 1:])


def test_pictures_become_those_that_networks_for_cifar_take():
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


def test_standardise_refuses_another_size():
    with pytest.raises(ValueError, match="pass pictures of one size"):
        standardise(np.zeros((2, 3, 4, 4)), like=np.zeros((2, 3, 4, 5)))


# --- .npz archives ------------------------------------------------------------------------------


def test_an_archive_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "mine.npz"
    stored = arrays(class_names=np.array(["cat", "dog", "ship"]), anything_else=np.zeros(3))
    np.savez_compressed(path, **stored)
    pictures = load(path)
    assert pictures.name == "mine"
    assert pictures.class_names == ("cat", "dog", "ship")
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(pictures, key), stored[key])


def test_class_names_default_to_numbers_and_may_be_bytes(tmp_path):
    assert load(written(tmp_path)).class_names == ("0", "1", "2")
    named = written(tmp_path, class_names=np.array([b"cat", b"dog", b"ship"]))
    assert load(named).class_names == ("cat", "dog", "ship")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_labels": None}, "lacks 'test_labels': an archive needs train_images"),
        ({"train_images": np.zeros((6, 4, 5), np.uint8)}, r"store uint8 of shape \(N, 3, "),
        ({"train_images": np.zeros((6, 1, 4, 5), np.uint8)}, r"store uint8 of shape \(N, 3, "),
        ({"test_images": np.zeros((6, 3, 4, 5))}, "test_images is float64.*store uint8"),
        ({"train_images": np.zeros((0, 3, 4, 5), np.uint8)}, "N at least 1"),
        ({"test_images": np.zeros((6, 3, 8, 8), np.uint8)}, "make them the same size"),
        ({"train_labels": np.arange(5)}, "one whole number for each of the 6 pictures"),
        ({"train_labels": np.zeros((6, 1), int)}, "one whole number for each"),
        ({"train_labels": np.zeros(6)}, "train_labels is float64"),
        ({"test_labels": np.arange(6) - 1}, "negative label: number classes from 0"),
        ({"class_names": np.array(["cat", "dog"])}, "label 2 has no name.*give every class one"),
        ({"class_names": np.array("cat")}, "give every class one"),
        ({"class_names": np.array([b"\xff"] * 3)}, "class_names are no text .*: store texts"),
        ({"test_labels": np.arange(6) + 7}, "label 12 among 12 pictures and no class_names"),
        ({"train_labels": np.full(6, 10**9)}, "label 1000000000 among 12 pictures"),
        ({"train_labels": np.full(6, 2**62)}, f"label {2**62} among 12 pictures"),
        ({"test_labels": np.full(6, 2**64 - 1, np.uint64)}, f"label {2**64 - 1} among 12 pictures"),
        (
            {"test_labels": np.full(6, 2**62), "class_names": np.array(["cat"])},
            f"label {2**62} has no name among 1 class_names",
        ),
        ({"train_labels": np.array([{}] * 6)}, "not a readable .npz of plain arrays.*allow_pickle"),
    ],
)
def test_an_archive_of_another_shape_is_refused(tmp_path, changes, words):
    path = written(tmp_path, **changes)
    with pytest.raises(ValueError, match=words) as told:
        load(path)
    assert str(path) in str(told.value)


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
    with pytest.raises(FileNotFoundError, match="there is no file .*absent.npz: name an .npz"):
        load(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="no data set 'mnist': choose digits, cifar10, cifar100"):
        load("mnist")


# --- CIFAR --------------------------------------------------------------------------------------


def official(root, name, per_file=4, classes=range(10)):
    """A miniature of the official binary archive; returns its pictures and labels, by file."""
    source = CIFAR[name]
    folder = root / source.folder
    folder.mkdir(parents=True)
    files = {}
    for file in (*source.train, source.test):
        images = rng.integers(0, 256, (per_file, 3, 32, 32), dtype=np.uint8)
        labels = rng.permutation(np.resize(np.array(classes, np.uint8), per_file))
        coarse = b"\x63" if name == "cifar100" else b""
        records = [coarse + bytes([label]) + image.tobytes()
                   for image, label in zip(images, labels, strict=True)]  # fmt: skip
        (folder / file).write_bytes(b"".join(records))
        files[file] = images, labels
    names = "".join(f"name_{i}\n" for i in range(max(classes) + 1))
    (folder / source.names).write_text(names + "\n")
    return files


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_official_archives_are_parsed(tmp_path, name):
    files = official(tmp_path, name)
    source, pictures = CIFAR[name], load(name, root=tmp_path)
    for index, part in enumerate(("images", "labels")):
        train = np.concatenate([files[file][index] for file in source.train])
        np.testing.assert_array_equal(getattr(pictures, f"train_{part}"), train)
        np.testing.assert_array_equal(getattr(pictures, f"test_{part}"), files[source.test][index])
    assert pictures.class_names == tuple(f"name_{i}" for i in range(10))
    assert pictures.name == name


def test_the_first_hundred_pictures_of_each_of_fifty_classes(tmp_path):
    files = official(tmp_path, "cifar100", per_file=52 * 101, classes=(*range(50), 50, 99))
    pictures = load("cifar100-50x100", root=tmp_path)
    assert pictures.name == "cifar100-50x100"
    assert pictures.class_names == tuple(f"name_{i}" for i in range(50))
    for half, file, count in (("train", "train.bin", 100), ("test", "test.bin", 20)):
        images, labels = files[file]
        left, rows = dict.fromkeys(range(50), count), []
        for row, label in enumerate(labels):  # in the order of the data set
            if left.get(label):
                left[label] -= 1
                rows.append(row)
        assert len(rows) == 50 * count
        np.testing.assert_array_equal(getattr(pictures, f"{half}_images"), images[rows])
        np.testing.assert_array_equal(getattr(pictures, f"{half}_labels"), labels[rows])
        assert getattr(pictures, f"{half}_labels").dtype == np.uint8


def test_a_class_without_its_hundred_pictures_is_found(tmp_path):
    official(tmp_path, "cifar100", per_file=200, classes=range(49))
    told = "cifar-100-binary.train.bin holds only 0 pictures of a class, not 100: delete its folder"
    with pytest.raises(ValueError, match=told):
        load("cifar100-50x100", root=tmp_path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (b"", "data_batch_1.bin has label 9, but batches.meta.txt beside it names 0 classes"),
        (b"one\ntwo\n", "data_batch_1.bin has label 9, but .* names 2 classes: delete its folder"),
        (b"\xff\xfe", "batches.meta.txt is not a text of names .*: delete its folder"),
    ],
)
def test_names_that_do_not_go_with_the_pictures(tmp_path, names, words):
    official(tmp_path, "cifar10", per_file=10)
    (tmp_path / "cifar-10-batches-bin" / "batches.meta.txt").write_bytes(names)
    with pytest.raises(ValueError, match=words):
        load("cifar10", root=tmp_path)


def test_a_label_beyond_the_classes(tmp_path):
    official(tmp_path, "cifar10")
    file = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    file.write_bytes(b"\xff" + file.read_bytes()[1:])
    with pytest.raises(ValueError, match="test_batch.bin has label 255, but .* names 10 classes"):
        load("cifar10", root=tmp_path)


def test_a_part_of_cifar_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar100 is not in .*--download"):
        load("cifar100-50x100", root=tmp_path)


def test_cifar_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar10 is not in .*download=True.*--download"):
        load("cifar10", root=tmp_path / "nowhere")


def test_a_half_extracted_folder_is_as_good_as_none(tmp_path):
    official(tmp_path, "cifar10")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match="no data_batch_3.bin.*download=True"):
        load("cifar10", root=tmp_path)


@pytest.mark.parametrize("content", [b"", bytes(3073 + 100)])
def test_a_file_cut_short_is_found(tmp_path, content):
    official(tmp_path, "cifar10")
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(content)
    with pytest.raises(ValueError, match="test_batch.bin holds .* delete its folder"):
        load("cifar10", root=tmp_path)


def test_download_fetches_what_is_missing(tmp_path, monkeypatch):
    utils = pytest.importorskip("torchvision.datasets.utils")
    calls = []

    def fetch(url, root, md5):
        calls.append((url, md5))
        official(root, "cifar100")

    monkeypatch.setattr(utils, "download_and_extract_archive", fetch)
    first = load("cifar100", root=tmp_path, download=True)
    again = load("cifar100", root=tmp_path, download=True)  # it is there now
    np.testing.assert_array_equal(first.train_images, again.train_images)
    assert calls == [(CIFAR["cifar100"].url, CIFAR["cifar100"].md5)]


@pytest.mark.parametrize(
    "error", [OSError("no route to host"), RuntimeError("File not found or corrupted.")]
)
def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch, error):
    utils = pytest.importorskip("torchvision.datasets.utils")

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(utils, "download_and_extract_archive", fail)
    with pytest.raises(FileNotFoundError, match="could not be fetched.*check the network") as told:
        load("cifar10", root=tmp_path, download=True)
    assert str(error) in str(told.value)
