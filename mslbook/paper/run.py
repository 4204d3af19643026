"""One experiment under way: training, probes, checkpoints, and what is recorded in the end."""

import json
import platform
import re
import sys
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from itertools import islice, zip_longest
from operator import index
from os import SEEK_END, fsync
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mslbook import distributed
from mslbook.descent import iterate
from mslbook.paper.recording import caption, differing, fingerprint, load, save, written
from mslbook.stochastic import Minibatches

SAVE_EVERY = 60.0  # seconds between checkpoints, and between lines of progress in a log
FORM = 2  # of a checkpoint
FOREIGN = (
    "the checkpoint {} does not hold what this version of mslbook writes there: move it away or "
    "delete it to start afresh, or choose another folder with --out"
)


@dataclass
class Training:
    """What a training has produced so far; all of it is in its checkpoint."""

    step: int  #: the number of updates made
    theta: torch.Tensor  #: the parameters after them, (n,)
    state: dict = field(default_factory=dict)  #: the optimizer's arrays after them
    losses: list = field(default_factory=list)  #: at every iterate, of a batch: the next update's
    rows: dict = field(default_factory=dict)  #: what was measured at every probed step, lists
    probe_state: dict = field(default_factory=dict)  #: kept between probes, such as a warm start
    seconds: float = 0.0  #: time spent, over all interruptions
    environments: list = field(default_factory=list)  #: where it was computed, from which step on


class Run:
    """An experiment under way on a data set, in one of its sizes.

    Checkpoints, snapshots and cached arrays go into `folder`. A run that finds its own there
    resumes, in the same environment to the same bits; a damaged one, or one of another run or
    version, is a ValueError, and so is a data set that is too small. Nothing is deleted.
    """

    def __init__(self, experiment, images, size="small", device="cpu", folder="runs",
                 progress=False):  # fmt: skip
        self.experiment, self.images, self.size = experiment, images, size
        self.device, self.folder, self.progress = torch.device(device), Path(folder), progress
        self.settings = experiment.settings_for(images.name, size)
        self.identity = _plain(_identity(self))  # what the numbers depend on
        self.environment = environment(self.device)  # and where their last digits come from
        self._trainings, self._description = [], {}
        self._begun = time.monotonic()  # and later by as much as trainings, which count themselves
        for path in sorted(self.folder.glob("*.npz")):
            identity = self._identity_of(path.stem)
            if identity and not path.name.startswith("cached-"):
                _read(path, {"identity": identity})

    def train(self, loss, optimizer, steps, *, probes=(), measure=None, name="training",
              start=None, batch=None, seed=0, snapshots=()):  # fmt: skip
        """Make `steps` updates and measure on the way; returns the `Training`.

        Parameters
        ----------
        loss, optimizer, steps : NetworkLoss, Optimizer, int
            What is minimised, how, and by how many updates, those of `start` included.
        probes, measure : iterable of int, callable
            The steps at which ``measure(step, theta, probe_state)`` returns a dictionary of numbers
            to record, and the new probe state.
        name, start : str, Training
            The name of its files and of its progress bar; where another training ended, to branch
            off from it, or with step 0 where to begin.
        batch, seed : int
            The size and the seed of minibatches; by default an update sees all data.
        snapshots : iterable of int
            The steps whose parameters the method `snapshots` reads afterwards.

        Raises
        ------
        FloatingPointError, OSError
            When the loss is no longer finite, or a file cannot be written. The checkpoint, which is
            written every minute, stays.
        """
        steps, probes = index(steps), set(map(index, probes))
        if torch.finfo(loss.theta.dtype).bits < 32:
            raise ValueError(
                f"{name} is in {loss.theta.dtype}, in which small steps drown in rounding: train "
                "in single or double precision, by loss.to(dtype=torch.float32)"
            )
        how = re.sub(" at 0x[0-9a-f]+", "", repr(optimizer))  # the addresses of functions change
        details = {"name": name, "optimizer": how, "batch": batch, "seed": seed}
        about = {"identity": self._identity_of(name), "training": details}
        path = self.folder / f"{name}.npz"
        training = _resumed(path, about, loss, start)
        distributed.check_same("checkpoint", training.theta, torch.tensor(training.step))
        if training.step > steps:
            raise ValueError(
                f"{name} is at step {training.step} already, beyond the {steps} asked for"
            )
        self._trainings.append(training)
        rows = _Snapshots(path.with_suffix(".npy"), snapshots, loss.dimension, training.step)
        if training.step == len(training.losses) - 1 == steps:
            return training
        if batch is not None:
            loss = Minibatches(loss, batch, seed)
            loss.check_last(training.theta)
        iterates = iterate(loss, training.theta, first_step=training.step, optimizer=optimizer,
                           state=training.state or None)  # fmt: skip
        self._note_environment(training, name)
        seconds, iterates = training.seconds, islice(iterates, steps + 1 - training.step)
        with self.bar(name, steps, training.step) as bar:
            _follow(training, iterates, bar, name=name, rows=rows, probes=probes, measure=measure,
                    save=lambda: _write(path, training, about))  # fmt: skip
        self._begun += training.seconds - seconds
        return training

    def snapshots(self, name):
        """The parameters at the snapshots of a training, (rows, n), as a file on the disk."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    def cached(self, name, compute):
        """The array that ``compute()`` returns, loaded if this run has computed it here before."""
        path, identity = self.folder / f"cached-{name}.npz", self.identity | self.environment
        found = load(path) if path.is_file() else None
        usable = found is not None and not _differing(found.provenance, identity)
        usable = torch.tensor(float(usable), device=self.device)
        if distributed.total(usable) == distributed.ranks():  # by all ranks, or by none
            return found["array"]
        array = compute()
        if distributed.rank() == 0:
            save(path, {"array": array}, identity)
        distributed.wait_for_all()
        return array

    def bar(self, name, total, done=0):
        """A progress bar on stderr: lively on a terminal, one line a minute in a log."""
        interval = 0.1 if sys.stderr.isatty() else SAVE_EVERY
        return tqdm(desc=name, total=total, initial=done, disable=not self.progress,
                    mininterval=interval, maxinterval=max(interval, 10))  # fmt: skip

    def describe(self, **words):
        """Add to the provenance what only the experiment knows, such as its network and loss."""
        self._description |= words

    def provenance(self):
        """How the numbers were computed, for a recording: a dictionary of plain values."""
        stays = [stay for training in self._trainings for stay in training.environments]
        once = [stay for i, stay in enumerate(stays) if stay not in stays[:i]]  # shared trunks
        seconds = time.monotonic() - self._begun + sum(one.seconds for one in self._trainings)
        where = self.environment | ({"environments": once} if once else {})
        return self.identity | where | {"wall_seconds": round(seconds)} | self._description

    def record(self, path):
        """Do the work and write the recording; rank 0 does, where several share the work."""
        arrays = {name: _compact(array) for name, array in self.experiment.record(self).items()}
        if distributed.rank() == 0:
            save(path, arrays, self.provenance())
        distributed.wait_for_all()

    def _identity_of(self, name):
        """What a training of this name depends on; None if the settings have no such training."""
        if not hasattr(self.settings, "of_training"):
            return self.identity
        settings = self.settings.of_training(name)
        return settings and self.identity | _plain({"settings": asdict(settings)})

    def _note_environment(self, training, name):
        """Note where a training is computed from now on, and say so if that has changed."""
        before, here = training.environments[-1:], self.environment
        names = differing(here, *before)
        if names and self.progress:
            print(
                f"{name}: what there is, up to step {training.step}, was computed with "
                f"{caption(*before, names)}, and the rest will be with {caption(here, names)}: the "
                "numbers will not be those of an uninterrupted run",
                file=sys.stderr,
            )
        if names or not before:
            first = training.step + bool(training.losses)  # the loss where it continues is there
            training.environments.append({"training": name, "step": first, **here})


def padded(columns):
    """Rows of different lengths as one float32 array that ends in NaN.

    >>> from mslbook.paper.run import padded
    >>> padded([[1.0, 2.0], [3.0]])
    array([[ 1.,  2.],
           [ 3., nan]], dtype=float32)
    """
    return np.array([*zip_longest(*columns, fillvalue=np.nan)], dtype=np.float32).T


def environment(device):
    """What a number may depend on beside the experiment: software, device, threads and ranks."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "ranks": distributed.ranks(),
        "backend": distributed.backend(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("mslbook", "numpy", "torch")},
    }


def _processor():
    """The name of the processor, where the system has it, and which instructions torch uses."""
    name = platform.machine()
    with suppress(OSError):  # Linux
        found = re.search(r"^model name.*?: *(.*)", Path("/proc/cpuinfo").read_text(), re.M)
        name = found[1].strip() if found else name
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def _identity(run):
    """What the numbers of a run depend on; ValueError if there are too few images."""
    images, available = run.images, len(run.images.train_images)
    count = run.settings.images or available
    if available < count:
        smaller = ", or a smaller --size" if run.size != "small" else ""
        raise ValueError(
            f"{images.name} has {available} training images, this run needs {count}: choose a "
            f"larger data set{smaller}"
        )
    data = f"{images.name}, training rows 0-{count - 1}"
    arrays = [images.train_images[:count], images.train_labels[:count]]
    if run.experiment.uses_test_images:
        data += f", test rows 0-{len(images.test_images) - 1}"
        arrays += [images.test_images, images.test_labels]
    return {
        "recipe": run.experiment.name,
        "version": run.experiment.version,
        "data": data,
        "data_hash": fingerprint(*arrays),
        "size": run.size,
        "settings": asdict(run.settings),
        "device": run.device.type,
        "precision": "float32",
    }


def _compact(array):
    """What is recorded: an array as it is, numbers and lists as integers or float32."""
    if isinstance(array, np.ndarray):
        return array
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _follow(training, iterates, bar, *, name, rows, probes, measure, save):
    """Update the training with every iterate, and save it now and then."""
    begun, saved = time.monotonic() - training.seconds, time.monotonic()
    for step, theta, value, _, diverged_at, state in iterates:
        if diverged_at >= 0:
            raise FloatingPointError(
                f"{name}: the loss left the floating-point range at step {int(diverged_at)}: take "
                "a learning rate below the one it had there (an experiment's is among its settings)"
            )
        training.step, training.theta, training.state = step, theta, state
        rows.write(step, theta)
        if step == len(training.losses):  # not the point it continues from: that one is recorded
            training.losses.append(float(value))
            if step in probes:
                row, training.probe_state = measure(step, theta, training.probe_state)
                for column, number in row.items():
                    training.rows.setdefault(column, []).append(number)
        training.seconds = time.monotonic() - begun  # what was measured here included
        if time.monotonic() - saved > SAVE_EVERY:
            save()
            saved = time.monotonic()
        bar.set_postfix_str(f"loss {training.losses[-1]:.3g}", refresh=False)
        bar.update(step - bar.n)
    save()
    distributed.wait_for_all()  # before anyone reads what was written


class _Snapshots:
    """Parameters at chosen steps, float32, in an .npy file with a row of zeros for each to come.

    It is written, not mapped: on a full disk a map ends with a signal that nobody can catch.
    """

    def __init__(self, path, steps, dimension, step):
        self.path, self.steps = path, sorted(set(map(index, steps)))
        shape, found = (len(self.steps), dimension), None
        with suppress(OSError, EOFError, ValueError):
            found = np.load(path, mmap_mode="r", allow_pickle=False).shape
        if not self.steps or found == shape:
            return
        if self.steps[0] < step:
            raise ValueError(
                f"{path} lacks the snapshots from before step {step}, where the training "
                "continues: delete its checkpoint as well, to start afresh, or let a branch keep "
                "snapshots from its fork on"
            )
        if distributed.rank() == 0:
            with written(path):
                np.lib.format.open_memmap(path, "w+", "<f4", shape)

    def write(self, step, theta):
        """Write the row of a step, if it is one of those chosen; rank 0 does."""
        if step not in self.steps or distributed.rank() > 0:
            return
        data = theta.cpu().numpy().astype("<f4")
        with written(self.path), self.path.open("r+b") as file:
            file.seek(-(len(self.steps) - self.steps.index(step)) * data.nbytes, SEEK_END)
            file.write(data.tobytes())
            file.flush()
            fsync(file.fileno())


def _resumed(path, about, loss, start):
    """The training saved at `path`; if there is none, a new one from `start`, or from step 0."""
    if not path.is_file():
        return replace(deepcopy(start or Training(step=0, theta=loss.theta)), seconds=0.0)
    arrays, saved = _read(path, about)
    if arrays["theta"].shape != loss.theta.shape:
        raise ValueError(FOREIGN.format(path))
    on_device = partial(torch.as_tensor, device=loss.theta.device)

    def part(name, convert):
        names = [key for key in arrays if key.startswith(name)]
        return {key.removeprefix(name): convert(arrays[key]) for key in names}

    return Training(
        theta=on_device(arrays["theta"]),
        losses=arrays["losses"].tolist(),
        rows=part("rows.", list),
        state=part("state.", on_device),
        probe_state=part("probe_state.", on_device),
        **{name: saved[name] for name in ("step", "seconds", "environments")},
    )


def _write(path, training, about):
    """Write a checkpoint; rank 0 does."""
    if distributed.rank() > 0:
        return
    arrays = {"theta": training.theta, "losses": training.losses}
    for part in ("state", "probe_state", "rows"):
        arrays |= {f"{part}.{name}": array for name, array in getattr(training, part).items()}
    arrays = {name: np.asarray(a.cpu() if torch.is_tensor(a) else a) for name, a in arrays.items()}
    about = about | {name: getattr(training, name) for name in ("step", "seconds", "environments")}
    about["form"] = FORM
    save(path, arrays, about | {"digest": _digest(arrays, about)})


def _read(path, expected):
    """The arrays of a checkpoint and its description; ValueError if it is damaged, or another's."""
    try:
        saved = load(path)
    except ValueError as error:
        raise ValueError(f"{error}; delete this checkpoint to start afresh") from error
    about = saved.provenance
    if about.pop("digest", None) != _digest(saved.arrays, about) or about.get("form") != FORM:
        raise ValueError(FOREIGN.format(path))  # changed by hand, or of the form before this one
    if others := [name for part in expected for name in _differing(about[part], expected[part])]:
        raise ValueError(
            f"the checkpoint {path} belongs to another run, with another {', '.join(others)}: "
            "delete it to start afresh, or choose another folder with --out"
        )
    return saved.arrays, about


def _differing(one, other, prefix=""):
    """The names of the values in which two dictionaries differ, such as "settings.lr"."""
    names = []
    for name in sorted(one.keys() | other.keys()):
        pair = one.get(name), other.get(name)
        if all(isinstance(value, dict) for value in pair):
            names += _differing(*pair, f"{prefix}{name}.")
        elif pair[0] != pair[1]:
            names.append(prefix + name)
    return names


def _plain(identity):
    """A dictionary as JSON gives it back; TypeError, before any work, if JSON cannot hold it."""
    return json.loads(json.dumps(identity))


def _digest(arrays, about):
    """A hash of all that a checkpoint holds, which shows what was changed by hand."""
    names = sorted(arrays)
    text = np.array(json.dumps([names, about], sort_keys=True))
    return fingerprint(text, *(arrays[name] for name in names))
