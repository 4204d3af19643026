"""Recordings: written whole or not at all, by one run at a time, and read without pickles."""

import errno
import json
import os
import re

import numpy as np
import pytest
from tiny import everything_in

from mslbook.paper import experiments, recording

launch = pytest.importorskip("mslbook.paper.launch")  # needs torch


def test_a_recording_comes_back_as_it_was_saved(tmp_path):
    path = tmp_path / "new" / "folder" / "x.npz"
    arrays = {"a": np.arange(3.0), "b": np.array([[True]])}
    recording.save(path, arrays, {"recipe": "r", "data": "d", "size": "s", "list": [1, 2]})
    loaded = recording.load(path)
    assert loaded.provenance["list"] == [1, 2]
    np.testing.assert_array_equal(loaded["a"], arrays["a"])
    assert loaded["b"].dtype == bool


def test_an_error_in_the_middle_of_saving_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    recording.save(path, {"a": np.arange(3)}, {"version": 1})
    before = path.read_bytes()
    for error in (OSError, KeyboardInterrupt):

        def broken(file, error=error, **arrays):
            file.write(b"half")
            raise error("in the middle")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np, "savez_compressed", broken)
            with pytest.raises(error):
                recording.save(path, {"a": np.arange(4)}, {"version": 2})
        assert path.read_bytes() == before
        assert everything_in(tmp_path) == ["x.npz"]


def test_two_that_save_at_once_do_not_touch_what_the_other_writes(tmp_path, monkeypatch):
    path, method, files = tmp_path / "x.npz", np.savez_compressed, []

    def interleaved(file, **arrays):
        files.append(file.name)
        if len(files) == 1:
            file.write(b"half")
            recording.save(path, {"a": np.arange(4)}, {"writer": 2})
            assert recording.load(path).provenance == {"writer": 2}
            file.seek(0)
        method(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", interleaved)
    recording.save(path, {"a": np.arange(3)}, {"writer": 1})
    assert recording.load(path).provenance == {"writer": 1}
    assert len(set(files)) == 2
    assert everything_in(tmp_path) == ["x.npz"]
    path.with_name("plain").touch()
    assert path.stat().st_mode == path.with_name("plain").stat().st_mode  # others can read it


@pytest.mark.parametrize("name", ["allow_pickle", "file", "provenance"])
def test_an_array_with_a_name_that_is_taken_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"no array can have the name '{name}': choose another"):
        recording.save(tmp_path / "x.npz", {name: np.zeros(3)}, {})
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("text", ["[1]", "3", "null", "[" * 100_000, "{"])
def test_a_provenance_that_is_no_dictionary_is_refused(tmp_path, text):
    np.savez(tmp_path / "x.npz", provenance=text)
    with pytest.raises(ValueError, match="x.npz is not a recording of mslbook"):
        recording.load(tmp_path / "x.npz")


def test_a_small_recording_cannot_fill_the_memory(tmp_path):
    recording.save(tmp_path / "x.npz", {"zeros": np.zeros(2**25, np.uint8)}, {})
    with pytest.raises(ValueError, match=r"x.npz is not a readable .npz.* would unpack to 3355\d+"):
        recording.load(tmp_path / "x.npz")


def test_no_pickle_is_ever_read(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, provenance=json.dumps({}), a=np.array([{}]))
    with pytest.raises(ValueError, match="not a readable .npz of plain arrays"):
        recording.load(path)


def test_what_is_no_recording_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no recording .*absent.npz.*mslbook list"):
        recording.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="other.npz is not a recording of mslbook"):
        recording.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="no recording"):
        experiments.recorded("fig2_1_left", "nothing")
    with pytest.raises(ValueError, match="no experiment 'fig9': choose fig2_1_left"):
        experiments.recorded("fig9", "cifar10")


def test_fingerprints_tell_data_apart():
    a = np.arange(6, dtype=np.uint8)
    others = [a[::-1], a.reshape(2, 3), a.astype(np.int8), a[:5]]
    assert len({recording.fingerprint(x) for x in [a, *others]}) == 5
    assert recording.fingerprint(a) == recording.fingerprint(a.copy())
    assert recording.fingerprint(a, a) != recording.fingerprint(np.r_[a, a])


# --- one run at a time ---------------------------------------------------------------------------


def test_the_lock_of_a_run_that_has_just_ended_is_nobodys(tmp_path, monkeypatch):
    """Its file is removed between the opening and the locking of it, and a third process comes."""
    lock, flock = tmp_path / ".run.lock", launch.fcntl.flock

    def late(file, how):
        lock.unlink()
        lock.touch()
        flock(file, how)

    monkeypatch.setattr(launch.fcntl, "flock", late)
    with launch.held(tmp_path / "run.npz") as free:
        assert not free
    assert everything_in(tmp_path) == [".run.lock"]


@pytest.mark.parametrize("system", ["without fcntl", "without locks"])
def test_where_nothing_can_be_locked_a_run_goes_on_and_removes_nothing(
    tmp_path, monkeypatch, system
):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if system == "without fcntl":
        monkeypatch.setattr(launch, "fcntl", None)
    else:
        monkeypatch.setattr(launch.fcntl, "flock", none)
    (tmp_path / ".run.npz.1234.part").touch()  # of another process, perhaps
    with launch.held(tmp_path / "run.npz") as free:
        assert free
    assert ".run.npz.1234.part" in everything_in(tmp_path)


RECORDINGS = [file for name in experiments.EXPERIMENTS for file in experiments.recordings(name)]


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_a_recording_says_where_it_comes_from(file):
    kept = recording.load(file)
    about = " ".join(kept.about().split())  # long lines are broken
    for part in ("data", "network", "loss", "optimiser", "device", "torch", "size"):
        assert str(kept.provenance.get(part, "")) in about
    assert re.search(r"\d (minutes|seconds) in all", about)
