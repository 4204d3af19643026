"""Training that is measured on its way, survives a kill and resumes."""

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mslbook import distributed
from mslbook._checks import check_int
from mslbook.paper.recording import (
    differing,
    environment,
    fingerprint,
    load,
    save,
    told,
)

SAVE_EVERY = 120.0  # seconds between checkpoints, and between lines of progress in a log


@dataclass
class Training:
    """What a training has recorded so far; all of it travels in the checkpoint.

    Attributes
    ----------
    step : the number of updates made
    theta : the parameters after them, (n,)
    velocity : the velocity of SGD after them, (n,); None for `iterate`
    losses : the loss of every iterate up to `step`, as the walk yields it: for minibatches that of
        the batch of the next update
    rows : what `measure` returned at every probed step, a list per name
    carry : tensors that one measurement hands on to the next (a warm start, say)
    seconds : time spent on it, over all interruptions
    environments : those it went through, each a dictionary with the label of the `training` and
        the first `step` that it computed there, the steps of a `start` included
    """

    step: int
    theta: torch.Tensor
    velocity: "torch.Tensor | None" = None
    losses: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)
    carry: dict = field(default_factory=dict)
    seconds: float = 0.0
    environments: list = field(default_factory=list)


def train(
    loss, walk, steps, *, probes, measure, checkpoint, identity, label="training",
    start=None, trajectory=None, progress=True,
):  # fmt: skip
    """Make `steps` updates on `loss`, and measure them on the way; returns the final `Training`.

    Parameters
    ----------
    loss : NetworkLoss
    walk : function
        How it is descended: ``walk(loss, theta, first_step=...)`` yields every iterate, such as
        ``partial(iterate, lr=0.1)`` or ``partial(minibatch_sgd, lr=0.1, batch=128, momentum=0.9)``.
    steps : int
        The number of updates, those of `start` included.
    probes : collection of steps
        Such as ``range(0, steps + 1, 40)``, or a set. At each that the run reaches,
        ``measure(step, theta, carry)`` returns a dictionary of numbers to record and the new carry.
    checkpoint : path
        A file written every two minutes and at the end. A run that finds one there goes on from
        it, and ends with the numbers of a run that was never interrupted. In another environment
        (other threads or ranks, another processor, device or version of a library) they are those
        of another run; with `progress` it says so, and `environments` has both. One process at a
        time: see :func:`~mslbook.paper.recording.held`.
    identity : dictionary of plain values
        Which run this is, with everything its numbers depend on: recipe, version, data, optimiser.
        A checkpoint with another identity is refused.
    label : what the progress bar and the errors call the run
    start : Training, optional
        Where another run ended, to branch off from it. What that run recorded is kept, so that the
        branch ends like a single run along this way; `seconds` are its own.
    trajectory : Trajectory, optional
        Keeps points of this run in a file.

    Raises ``FloatingPointError`` when the loss is no longer finite; ``ValueError`` or
    ``TypeError``, before any work, for a checkpoint that is damaged or of another run, an identity
    that JSON cannot hold, and steps or a walk that do not fit; and
    ``OSError`` where a file cannot be written. The last good checkpoint stays.
    """
    steps, probes = check_int("steps", steps), {check_int("a probe", probe) for probe in probes}
    if torch.finfo(loss.theta.dtype).bits < 32:
        raise ValueError(
            f"{label} is in {loss.theta.dtype}, in which small steps drown in rounding: train in "
            "single or double precision, by loss.to(dtype=torch.float32)"
        )
    run = resume(loss, checkpoint, identity, start)
    distributed.check_same("checkpoint", run.theta, torch.tensor(run.step))
    if run.step > steps:
        raise ValueError(f"{label} is at step {run.step} already, beyond the {steps} asked for")
    if trajectory:
        trajectory.check(run.step, loss.dimension)
    if run.step == len(run.losses) - 1 == steps:
        return run
    memory = {} if run.velocity is None else {"state": {"velocity": run.velocity}}
    states = walk(loss, run.theta, first_step=run.step, **memory)
    _enter(run, label, environment(loss.theta.device), progress)
    begun, saved = time.monotonic() - run.seconds, time.monotonic()
    with progress_bar(label, steps, run.step, progress) as bar:
        for state in states:
            if state.diverged_at >= 0:
                raise FloatingPointError(
                    f"{label}: the loss left the floating-point range at step {state.diverged_at}: "
                    "take a learning rate below the one it had there (that of a recipe is among "
                    "its settings, in mslbook/paper)"
                )
            run.step, run.theta = state.step, state.theta
            run.velocity = state.state.get("velocity")
            if trajectory and state.step in trajectory.steps and distributed.rank() == 0:
                trajectory.write(state.step, state.theta.cpu())
            if state.step == len(run.losses):  # not the point gone on from: that one is recorded
                run.losses.append(float(state.value))
                if state.step in probes:
                    _record(run, *measure(state.step, state.theta, run.carry))
            run.seconds = time.monotonic() - begun  # what was measured here included
            if state.step == steps:
                break
            if time.monotonic() - saved > SAVE_EVERY:
                _save(checkpoint, run, identity)
                saved = time.monotonic()
            bar.set_postfix_str(f"loss {run.losses[-1]:.3g}", refresh=False)
            bar.update()
    _save(checkpoint, run, identity)
    distributed.wait_for_all()  # before anyone reads what was written
    return run


def accuracy(outputs, targets):
    """The share of pictures whose largest output (N, classes) is that of their class (N,).

    Of the training pictures, ``accuracy(loss.outputs(theta), loss.targets)``; of others, with
    BatchNorm as training left it, ``accuracy(loss.calibrated(theta).outputs(theta, inputs), ...)``.

    >>> accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.3]]), torch.tensor([0, 0]))
    0.5
    """
    if targets.shape != outputs.shape[:1]:  # which torch might broadcast
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit classes of shape "
            f"{tuple(targets.shape)}: give the class of each picture"
        )
    return float((outputs.argmax(dim=1) == targets).float().mean())


def environments(device, *runs):
    """Where a recording was computed, for its provenance: here, and on the way of these `runs`."""
    stays = [stay for run in runs for stay in run.environments]
    once = [stay for i, stay in enumerate(stays) if stay not in stays[:i]]  # branches share a trunk
    return environment(device) | {"environments": once}


def _enter(run, label, here, progress):
    """Note where the run is computed from now on, and say so if that is not where it was before."""
    before = run.environments[-1] if run.environments else None
    if before and not (names := differing(here, before)):
        return
    if before and progress:
        print(
            f"{label}: what there is, up to step {run.step}, was computed with "
            f"{told(before, names)}, and the rest will be with {told(here, names)}: the numbers "
            "will not be those of an uninterrupted run",
            file=sys.stderr,
        )
    first = run.step + 1 if run.losses else run.step  # the loss of the point gone on from is there
    run.environments.append({"training": label, "step": first, **here})


def progress_bar(name, total, done=0, show=True):
    """A tqdm bar on stderr, lively on a terminal and one line every two minutes in a log."""
    interval = 0.1 if sys.stderr.isatty() else SAVE_EVERY
    return tqdm(
        desc=name,
        total=total,
        initial=done,
        disable=not show,
        mininterval=interval,
        maxinterval=max(interval, 10),
    )


def resume(loss, path, identity, start=None):
    """The `Training` saved at `path`; if there is none, a new one from `start`, or from step 0.

    Raises ``ValueError`` for a checkpoint that is damaged, changed or of another run.
    """
    path, identity = Path(path), plain(identity)
    if not path.is_file():
        return _branch(start) if start else Training(step=0, theta=loss.theta)
    try:
        saved = load(path)
    except ValueError as error:
        raise ValueError(f"{error}; delete this checkpoint to start afresh") from error
    about, whose = saved.provenance, saved.provenance.get("identity")
    if isinstance(whose, dict) and (others := _differing(whose, identity)):
        raise ValueError(
            f"the checkpoint {path} belongs to another run, with another {', '.join(others)}: "
            "delete it to start afresh, or choose another folder with --out"
        )
    if about.pop("digest", None) != _digest(saved.arrays, about) or (
        saved["theta"].shape != loss.theta.shape
    ):
        raise ValueError(
            f"the checkpoint {path} does not hold what this version of mslbook writes there: move "
            "it away or delete it to start afresh, or choose another folder with --out"
        )
    tensors = {
        name: torch.as_tensor(array, device=loss.theta.device)
        for name, array in saved.arrays.items()
        if name in ("theta", "velocity") or name.startswith("carry.")
    }
    return Training(
        step=about["step"],
        theta=tensors["theta"],
        velocity=tensors.get("velocity"),
        losses=saved["losses"].tolist(),
        rows={name: list(column) for name, column in _group(saved.arrays, "row")},
        carry=dict(_group(tensors, "carry")),
        seconds=about["seconds"],
        environments=about["environments"],
    )


def plain(identity):
    """An identity as JSON gives it back."""
    try:
        return json.loads(json.dumps(dict(identity)))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"the identity of a run must be a dictionary of plain values ({error}): numbers, "
            "texts, and lists and dictionaries of them"
        ) from error


def _differing(one, other, prefix=""):
    """The names of the values in which two dictionaries differ, such as "settings.lr"."""
    names = []
    for name in sorted(one.keys() | other.keys()):
        pair = one.get(name), other.get(name)
        if all(isinstance(value, dict) for value in pair):
            names += _differing(*pair, f"{prefix}{name}.")
        elif pair[0] != pair[1] or (name in one) != (name in other):
            names.append(prefix + name)
    return names


def _branch(run):
    rows = {name: list(column) for name, column in run.rows.items()}
    past = {"losses": list(run.losses), "environments": list(run.environments)}
    return replace(run, rows=rows, seconds=0.0, **past)


def _record(run, row, carry):
    for name, number in row.items():
        run.rows.setdefault(name, []).append(number)
    run.carry = carry


def _save(path, run, identity):
    if distributed.rank() > 0:  # which has nothing to add
        return
    tensors = {"theta": run.theta, **{f"carry.{name}": t for name, t in run.carry.items()}}
    if run.velocity is not None:
        tensors["velocity"] = run.velocity
    arrays = {
        "losses": np.asarray(run.losses),
        **{name: tensor.cpu().numpy() for name, tensor in tensors.items()},
        **{f"row.{name}": np.asarray(column) for name, column in run.rows.items()},
    }
    about = {
        "identity": plain(identity),
        "step": run.step,
        "seconds": run.seconds,
        "environments": run.environments,
    }
    save(path, arrays, about | {"digest": _digest(arrays, about)})


def _digest(arrays, about):
    """A hash of all that a checkpoint holds, to tell what was changed by hand."""
    names = sorted(arrays)
    text = np.array(json.dumps([names, about], sort_keys=True))
    return fingerprint(text, *(arrays[name] for name in names))


def _group(arrays, prefix):
    for name, array in arrays.items():
        if name.startswith(f"{prefix}."):
            yield name.removeprefix(f"{prefix}."), array
