"""Recordings: small arrays with their provenance, written whole or not at all."""

import hashlib
import json
import os
import platform
import secrets
import textwrap
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from importlib.metadata import version
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # on Windows, where nothing keeps two processes out of one folder
    fcntl = None

from mslbook.data import read_npz


@dataclass(frozen=True)
class Recording:
    """The arrays that a run recorded, and the provenance that says how.

    Arrays are attributes of `arrays` by name; `provenance` is a dictionary of plain values.
    """

    arrays: dict[str, np.ndarray]
    provenance: dict

    def __getitem__(self, name):
        return self.arrays[name]

    def about(self):
        """Where the numbers come from, in lines of text for a page to state.

        >>> from mslbook.paper.experiments import recorded
        >>> print(recorded("fig3_1_vgg11", "cifar10", "reduced").about())
        cifar10, training rows 0-999, size reduced
           VGG11 of width 0.125, 145210 parameters, torchvision's initialisation
           half squared error, channels standardised
           full-batch gradient descent, η = 0.05
           seed 0; 2000 steps; 48 minutes in all
           float32 on cpu (x86_64), torch 2.15.0
        """
        its = self.provenance["settings"] | self.provenance
        spent = its["wall_seconds"]
        spent = f"{spent / 60:.0f} minutes" if spent > 90 else f"{spent:.0f} seconds"
        lines = (
            f"{its['data']}, size {its['size']}",
            *(its[part] for part in ("network", "loss", "optimiser") if part in its),
            f"{trained(its)}{spent} in all",
            f"{its.get('precision', 'float32')} on {its['device']}, torch {its['torch']}",
            *filter(None, [self.mixed()]),
        )
        wrapped = (textwrap.fill(line, 80, subsequent_indent="      ") for line in lines)
        return "\n   ".join(wrapped)

    def mixed(self):
        """In a sentence, which environment computed what; nothing if one computed everything.

        What another environment goes on with is another run, so that no run from the start to the
        end in one of them gives these numbers.
        """
        *stays, last = *self.provenance.get("environments", ()), self.provenance
        if not (names := differing(*stays, last)):
            return ""
        parts = {}
        for stay in stays:
            part = f"{stay['training']} from step {stay['step']}"
            parts.setdefault(told(stay, names), []).append(part)
        parts.setdefault(told(last, names), []).append("the recording")
        each = "; ".join(f"{where} for {', '.join(those)}" for where, those in parts.items())
        return f"computed in several environments, so not as by an uninterrupted run: {each}"

    def __repr__(self):
        about = self.provenance
        return f"Recording({about['recipe']} on {about['data']}, {about['size']})"


def trained(its):
    """Seeds and steps of a training; nothing for a recording of pictures alone."""
    if "steps" not in its:
        return ""
    seeds = its.get("seeds", [its.get("seed")])
    seeds = range(seeds) if isinstance(seeds, int) else seeds  # settings may say how many
    seeds = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"{seeds}; {' + '.join(map(str, np.atleast_1d(its['steps'])))} steps; "


def save(path, arrays, provenance):
    """Write arrays and provenance to `path` (.npz) so that no reader ever sees half a file.

    Raises ``OSError`` if that cannot be done, the file that was there before being left intact, and
    ``ValueError`` for an array with a name that NumPy has taken.
    """
    path = Path(path)
    if taken := {"allow_pickle", "file", "provenance"} & arrays.keys():
        raise ValueError(f"no array can have the name {taken.pop()!r}: choose another")
    # Of its own, so that no writer touches what another one has not finished; not by tempfile,
    # which would keep the recording from other users.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with written(path):
        try:
            with temporary.open("xb") as file:
                about = json.dumps(provenance, sort_keys=True)
                np.savez_compressed(file, provenance=about, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def held(path):
    """Keep other processes from the run that records to `path`; yields whether none is at it.

    The kernel lets go of the lock however its holder ends, so that a run that was killed can go on.
    What such a run left half written, also in its folder of checkpoints, is removed.
    """
    lock = path.with_name(f".{path.stem}.lock")
    with written(path):
        file = lock.open("ab")
    with file:
        locked = _lock(file, lock)
        if locked:
            name, folder = escape(path.name), path.with_suffix("")
            for left in (*path.parent.glob(f".{name}.*part"), *folder.glob(".*.part")):
                left.unlink(missing_ok=True)
        try:
            yield locked is not False
        finally:
            if locked:
                lock.unlink(missing_ok=True)


def _lock(file, path):
    """Lock the open file of a path: False if another process has; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):  # held, or just removed by one that has ended
        return False
    except OSError:  # some network file systems have none
        return None


@contextmanager
def written(path):
    """Make the folder of `path`, and put errors of the writing inside into one clear sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.strerror or error}): put that right, then give "
            "the same command again; it goes on from the last checkpoint, which is intact"
        ) from error


def load(path):
    """Read a recording. Raises ``FileNotFoundError``, or ``ValueError`` if it is not one."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no recording {path}: `mslbook list` names what there is")
    arrays = read_npz(path)
    try:
        provenance = json.loads(str(arrays.pop("provenance")))
    except (KeyError, ValueError, RecursionError):
        provenance = None
    if not isinstance(provenance, dict):
        raise ValueError(f"{path} is not a recording of mslbook: it has no provenance")
    return Recording(arrays, provenance)


def environment(device):
    """What a number may depend on beside the recipe: software, device, threads and processes."""
    import torch

    from mslbook.losses import distributed

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "ranks": distributed.ranks(),
        "backend": distributed.backend(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("mslbook", "numpy", "torch")},
    }


def differing(first, *others):
    """The names of the values in which an environment differs from any of the others."""
    names = [name for name in first if name not in ("training", "step")]
    return [name for name in names if any(its.get(name) != first[name] for its in others)]


def told(environment, names):
    """The values of these names, in words."""
    return ", ".join(f"{name} {environment.get(name)}" for name in names)


def _processor():
    """The name of the processor, where the system tells it, and which instructions torch uses."""
    import torch

    name = platform.machine()
    with suppress(OSError):  # Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def fingerprint(*arrays):
    """A short hash of arrays, to tell one data set from another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
