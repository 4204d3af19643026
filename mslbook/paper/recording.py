"""Recordings: small arrays with their provenance, written whole or not at all."""

import hashlib
import json
import os
import secrets
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mslbook.data import read_npz


@dataclass(frozen=True)
class Recording:
    """The arrays that a run recorded, and how; ``recording[name]`` is one of them."""

    arrays: dict[str, np.ndarray]  #: by name
    provenance: dict  #: plain values: data, settings, device, precision, versions, steps, wall time

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
        about = self.provenance["settings"] | self.provenance
        spent = about["wall_seconds"]
        spent = f"{spent / 60:.0f} minutes" if spent > 90 else f"{spent:.0f} seconds"
        seeds = about.get("seeds", [about.get("seed")])
        seeds = range(seeds) if isinstance(seeds, int) else seeds  # settings may say how many
        seeds = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
        steps = " + ".join(map(str, np.atleast_1d(about.get("steps", ()))))
        lines = (
            f"{about['data']}, size {about['size']}",
            *(about.get(part) for part in ("network", "loss", "optimiser")),
            (f"{seeds}; {steps} steps; " if steps else "") + f"{spent} in all",
            f"{about.get('precision', 'float32')} on {about['device']}, torch {about['torch']}",
            self.mixed(),
        )
        wrapped = (textwrap.fill(line, 80, subsequent_indent="      ") for line in lines if line)
        return "\n   ".join(wrapped)

    def mixed(self):
        """Which environment computed what, in a sentence; empty if one computed everything."""
        *stays, last = *self.provenance.get("environments", ()), self.provenance
        if not (names := differing(*stays, last)):
            return ""
        parts = {}
        for stay in stays:
            part = f"{stay['training']} from step {stay['step']}"
            parts.setdefault(caption(stay, names), []).append(part)
        parts.setdefault(caption(last, names), []).append("the recording")
        each = "; ".join(f"{where} for {', '.join(those)}" for where, those in parts.items())
        return f"computed in several environments, so not as by an uninterrupted run: {each}"

    def __repr__(self):
        about = self.provenance
        return f"Recording({about['recipe']} on {about['data']}, {about['size']})"


def differing(first, *others):
    """The names of the values in which an environment differs from any of the others."""
    names = [name for name in first if name not in ("training", "step")]
    return [name for name in names if any(other.get(name) != first[name] for other in others)]


def caption(environment, names):
    """The values of these names, in words."""
    return ", ".join(f"{name} {environment.get(name)}" for name in names)


def save(path, arrays, provenance):
    """Write arrays and provenance to `path` (.npz) so that no reader ever sees half a file.

    Raises OSError if it cannot be written, and leaves the file that was there before.
    """
    path = Path(path)
    if taken := {"allow_pickle", "file", "provenance"} & arrays.keys():
        raise ValueError(f"no array can have the name {taken.pop()!r}: choose another")
    # Each writer has a file of its own; not by tempfile, which would keep it from other users.
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
def written(path):
    """Make the folder of `path`, and put errors of the writing inside into one sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.strerror or error}): put that right, then give "
            "the same command again; it goes on from the last checkpoint, which is intact"
        ) from error


def load(path):
    """Read a recording; FileNotFoundError if there is none, ValueError if the file is another."""
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


def fingerprint(*arrays):
    """A short hash of arrays, to distinguish one data set from another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
