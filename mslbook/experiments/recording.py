"""Recordings: small arrays with their provenance, written whole or not at all."""

import hashlib
import json
import os
import platform
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from mslbook.data import read_npz

RESULTS = Path(__file__).parent.parent / "results"


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

        >>> from mslbook.experiments import recorded
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
        )
        wrapped = (textwrap.fill(line, 80, subsequent_indent="      ") for line in lines)
        return "\n   ".join(wrapped)

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

    Raises ``OSError`` if that cannot be done, the file that was there before being left intact.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")  # of one killed here, the next takes it over
    with written(path):
        try:
            with temporary.open("wb") as file:
                about = json.dumps(provenance, sort_keys=True)
                np.savez_compressed(file, provenance=about, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


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
    except (KeyError, ValueError):
        raise ValueError(f"{path} is not a recording of mslbook: it has no provenance") from None
    return Recording(arrays, provenance)


def environment(device):
    """What a number may depend on beside the recipe: software, device, threads and processes."""
    import torch

    from mslbook.losses import distributed

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "ranks": distributed.ranks(),
        "backend": distributed.backend(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("mslbook", "numpy", "torch")},
    }


def fingerprint(*arrays):
    """A short hash of arrays, to tell one data set from another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
