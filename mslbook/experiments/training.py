"""Full-batch gradient descent that is measured on its way, survives a kill and resumes."""

import json
import sys
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from mslbook.descent import iterate
from mslbook.experiments.recording import load, save

SAVE_EVERY = 60.0  # seconds between checkpoints, and between lines of progress in a log


@dataclass
class Training:
    """What a training has recorded so far; all of it travels in the checkpoint.

    Attributes
    ----------
    step : the number of updates made
    theta : the parameters after them, (n,)
    losses : the loss of every iterate before `step`
    rows : what `measure` returned at every probed step, a list per name
    carry : tensors that one measurement hands on to the next (a warm start, say)
    seconds : time spent, over all interruptions
    """

    step: int
    theta: torch.Tensor
    losses: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)
    carry: dict = field(default_factory=dict)
    seconds: float = 0.0


def train(loss, lr, steps, every, measure, checkpoint, identity, progress=True):
    """Run `steps` of gradient descent on `loss` from its point; returns the final `Training`.

    At every `every`-th step ``measure(step, theta, carry)`` returns a dictionary of numbers
    to record and the new carry. `checkpoint` is a file, written about once a minute and at the
    end; a run that finds one there goes on from it, to the same numbers. `identity` is a
    dictionary of plain values that says which run it is: a checkpoint of another one is refused.

    Raises ``FloatingPointError`` when the loss is no longer finite, the checkpoint being the last
    good one, and ``ValueError`` for a checkpoint that is damaged or of another run.
    """
    run = resume(loss, checkpoint, identity)
    if run.step == steps and len(run.losses) == steps + 1:
        return run
    begun, saved = time.monotonic() - run.seconds, time.monotonic()
    with progress_bar(f"η = {lr:g}", steps, run.step, progress) as bar:
        for state in iterate(loss, run.theta, lr, first_step=run.step):
            if state.diverged_at >= 0:
                raise FloatingPointError(
                    f"the loss left the floating-point range at step {state.step}: "
                    f"take a learning rate below {lr:g}"
                )
            run.step, run.theta, run.seconds = state.step, state.point, time.monotonic() - begun
            if time.monotonic() - saved > SAVE_EVERY:
                _save(checkpoint, run, identity)
                saved = time.monotonic()
            run.losses.append(float(state.value))
            if state.step % every == 0:
                row, run.carry = measure(state.step, state.point, run.carry)
                for name, number in row.items():
                    run.rows.setdefault(name, []).append(number)
            if state.step == steps:
                break
            bar.update()
    _save(checkpoint, run, identity)
    return run


def progress_bar(name, total, done=0, show=True):
    """A tqdm bar on stderr, lively on a terminal and one line a minute in a log."""
    interval = 0.1 if sys.stderr.isatty() else SAVE_EVERY
    return tqdm(
        desc=name,
        total=total,
        initial=done,
        disable=not show,
        mininterval=interval,
        maxinterval=max(interval, 10),
    )


def _save(path, run, identity):
    arrays = {
        "theta": run.theta.cpu().numpy(),
        "losses": np.asarray(run.losses),
        **{f"row.{name}": np.asarray(column) for name, column in run.rows.items()},
        **{f"carry.{name}": tensor.cpu().numpy() for name, tensor in run.carry.items()},
    }
    save(path, arrays, {"identity": identity, "step": run.step, "seconds": run.seconds})


def resume(loss, path, identity):
    """The `Training` saved at `path`, or a new one from the loss's point if there is none.

    Raises ``ValueError`` for a checkpoint that is damaged or of another run.
    """
    if not path.is_file():
        return Training(step=0, theta=loss.point)
    try:
        saved = load(path)
    except ValueError as error:
        raise ValueError(f"{error}; delete this checkpoint to start afresh") from error
    if saved.provenance.get("identity") != json.loads(json.dumps(identity)):
        raise ValueError(
            f"the checkpoint {path} belongs to another run: delete it to start afresh, or "
            "choose another folder with --out"
        )
    device = loss.point.device
    return Training(
        step=saved.provenance["step"],
        theta=torch.as_tensor(saved["theta"], device=device),
        losses=saved["losses"].tolist(),
        rows={name: list(column) for name, column in _group(saved.arrays, "row")},
        carry={
            name: torch.as_tensor(array, device=device)
            for name, array in _group(saved.arrays, "carry")
        },
        seconds=saved.provenance["seconds"],
    )


def _group(arrays, prefix):
    for name, array in arrays.items():
        if name.startswith(f"{prefix}."):
            yield name.removeprefix(f"{prefix}."), array
