"""Section 6: does the length of an image set the scale of its loss, in a network that is trained?

The network of figure 2.1 (left) is trained on the same images under CONDITIONS of their lengths.
Sorted into tenths by each of ORDERS, their losses are measured in each of PHASES.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from mslbook.losses.network import NetworkLoss
from mslbook.optimizers import GradientDescent
from mslbook.paper.edge_of_stability import experiment as figure_2_1
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy
from mslbook.probes import growth, line, second_difference, sharpness

CONDITIONS = ("real", "equal", "shuffled", "hundredfold")
PHASES = ("start", "edge", "end")  # edge: the first probe with a sharpness of at least 2/η
ORDERS = ("length", "speed", "random")  # speed: by how much the first layer changes along v
TOL = 1e-2  # of the residuals: the eigenvalues themselves are off by the square of it
POINTS = 65  # along a line
TABLES = ("length", "speed", "loss", "share", "sharpness", "first_layer", "lines")
PROBED = ("probe_steps", "accuracy", "top", "residual", "growth")


@dataclass(frozen=True)
class Settings:
    """How much of the experiment to run; lines reach `reach` to either side."""

    images: int
    lr: float
    steps: int
    probes: int
    seeds: int
    reach: float
    activation: str = "tanh"
    conditions: tuple[str, ...] = CONDITIONS


def lengths_of(condition, real, seed):
    """The lengths (N,) that a condition gives to images of these real lengths, as large on average.

    They are exchanged at random if "shuffled", log-uniform over two orders if "hundredfold".

    >>> lengths_of("equal", np.array([1.0, 7.0]), seed=0)
    array([5., 5.])
    """
    random = np.random.default_rng(seed)
    new = {
        "real": lambda: real,
        "equal": lambda: np.ones_like(real),
        "shuffled": lambda: random.permutation(real),
        "hundredfold": lambda: 10.0 ** random.uniform(-1, 1, len(real)),
    }[condition]()
    return new * np.sqrt(np.mean(real**2) / np.mean(new**2))


def network_loss(images, count, condition="real", seed=0, device="cpu", activation="tanh"):
    """The loss of a condition on the first `count` training images, and their order by length.

    Where all have one length, they are in the order of their real ones.
    """
    loss = figure_2_1.network_loss(images, count, device, seed, activation)
    inputs = loss.inputs.flatten(1).cpu().numpy().astype(float)
    real = np.linalg.norm(inputs, axis=1)
    new = lengths_of(condition, real, seed)
    inputs = torch.tensor(inputs * (new / real)[:, None], dtype=torch.float32, device=device)
    loss = NetworkLoss(loss.model, (inputs, loss.targets), loss.criterion)
    loss, _ = project_to_input_span(loss, slice(None))
    return loss, np.argsort(real if condition == "equal" else new, kind="stable")


def project_to_input_span(loss, rows):
    """The loss on the inputs `rows`, without the weights that they cannot see, which is faster.

    The first layer's weights are kept on the span of the inputs alone: loss, length of the
    gradient, descent and the eigenvalues of the Hessian other than 0 stay the same. Returns the new
    loss, and the function that takes vectors of the old loss's coordinates to the new ones.
    """
    part, model = loss.subset(rows), deepcopy(loss.model)
    inputs, weight = part.inputs.flatten(1), model[1].weight
    basis, size = torch.linalg.qr(inputs.T)[0], weight.numel()

    def project(vector):
        return torch.cat([(vector[:size].view_as(weight) @ basis).flatten(), vector[size:]])

    model[1].weight = nn.Parameter(weight.detach() @ basis)
    return NetworkLoss(model, (inputs @ basis, part.targets), loss.criterion), project


def first_layer_change(loss, direction):
    """||V x + c|| (N,) of each image x, where V and c are the first layer's of a direction (n,)."""
    V, c, *_ = direction.split([parameter.numel() for parameter in loss.model.parameters()])
    V = V.view_as(loss.model[1].weight)
    return (loss.inputs.flatten(1) @ V.T + c).norm(dim=1).cpu().numpy()


def first_layer_sharpness(loss, theta, tol=TOL):
    """The sharpness in the weights of the first layer alone."""
    first = loss.block("1.weight", theta)
    return sharpness(first, first.theta, tol=tol).values[0]


def measure_tenths(loss, theta, v, by_length, distances, seed=0):
    """What each tenth of the images has of the loss at `theta`, where v is its top eigenvector.

    `by_length` (N,) is the first of ORDERS. Arrays (3, 10): ``length`` and ``speed``, means;
    ``loss``, ``share`` (v . H v of the tenth's loss), ``sharpness`` (of the tenth alone) and
    ``first_layer`` (the same in the first layer's weights alone); and ``lines`` (3, 10, D), the
    losses along v.
    """
    by_speed = np.argsort(first_layer_change(loss, v))
    at_random = np.random.default_rng(seed).permutation(len(by_length))
    orders = (by_length, by_speed, at_random)
    tenths = [rows for order in orders for rows in np.array_split(order, 10)]
    cells = [_measure_tenth(loss, theta, v, rows, distances) for rows in tenths]
    columns = {name: np.array([cell[name] for cell in cells]) for name in TABLES}
    return {name: column.reshape(3, 10, *column.shape[1:]) for name, column in columns.items()}


def _measure_tenth(loss, theta, v, rows, distances):
    along = line(loss.subset(rows), theta, v, distances)
    part, project = project_to_input_span(loss, rows)
    theta, v = project(theta), project(v)
    return {
        "length": float(part.inputs.norm(dim=1).mean()),
        "speed": first_layer_change(part, v).mean(),
        "loss": float(part.value(theta)),
        "share": float(v @ part.hvp(theta, v)),
        "sharpness": sharpness(part, theta, tol=TOL, start=v[None]).values[0],
        "first_layer": first_layer_sharpness(part, theta),
        "lines": along,
    }


def width(distances, values):
    """How far from the middle of a line its curvature, the mean of both sides, is down a tenth.

    `distances` (D,) are equally spaced and symmetrical, D odd; inf if it stays above nine tenths.

    >>> distances = np.linspace(-1, 1, 65)
    >>> print(f"{width(distances, distances**2 - distances**4 + distances):.2f}")
    0.13
    """
    spacing = (distances[-1] - distances[0]) / (len(distances) - 1)
    curvature = second_difference(values, spacing)
    middle = len(curvature) // 2
    even = (curvature[middle:] + curvature[middle::-1]) / (2 * curvature[middle])
    below = np.flatnonzero(even < 0.9)
    if not len(below):
        return np.inf
    i = below[0]
    return spacing * (i - 1 + (even[i - 1] - 0.9) / (even[i - 1] - even[i]))


def record(run):
    """Train under every condition from every seed, and measure the tenths.

    Arrays, with C conditions, S seeds, P + 1 probes and 3 PHASES (NaN where there is no edge):
    ``losses`` (C, S, steps + 1); ``probe_steps``, ``accuracy``, ``top`` (the sharpness) and
    ``residual`` (C, S, P + 1); ``growth`` (C, S, P + 1, 2, 5), of the loss along the gradient and
    the top eigenvector: curvature, two drops and two exponents; ``edge_steps`` (C, S);
    ``distances`` (65,); those of `measure_tenths` behind (C, S, 3), ``lines`` behind (C, 3) for
    the first seed alone; ``widths`` (C, S, 3, 3, 10), the `width` of each line.
    """
    settings = run.settings
    distances = np.linspace(-settings.reach, settings.reach, POINTS)
    columns = [
        phases_of(_train(run, condition, seed, distances), 2 / settings.lr, distances)
        for condition in settings.conditions
        for seed in range(settings.seeds)
    ]
    arrays = {}
    for name in columns[0]:
        array = np.array([column[name] for column in columns], dtype=np.float32)
        arrays[name] = array.reshape(len(settings.conditions), settings.seeds, *array.shape[1:])
    run.describe(
        network="fully connected {}, hidden layers of {} and {}, PyTorch's default "
        "initialisation".format(settings.activation, *figure_2_1.HIDDEN),
        loss="half squared error to the one-hot target, pixels standardised",
        optimiser="full-batch gradient descent",
        arms=settings.conditions,
        moments=PHASES,
        orders=ORDERS,
    )
    return arrays | {"lines": arrays["lines"][:, 0], "distances": distances}


def _train(run, condition, seed, distances):
    settings = run.settings
    loss, by_length = network_loss(
        run.images, settings.images, condition, seed, run.device, settings.activation
    )

    def measure(step, theta, state):
        top = sharpness(loss, theta, tol=TOL, start=state.get("start"))
        directions = (loss.grad(theta), top.vectors[0])
        lines = [growth(distances, line(loss, theta, d, distances)) for d in directions]
        row = {
            "probe_steps": step,
            "accuracy": accuracy(loss.outputs(theta), loss.targets),
            "top": top.values[0],
            "residual": top.residuals[0],
            "growth": [[g.curvature, *g.drops, *g.exponents] for g in lines],
        }
        past = top.values[0] >= 2 / settings.lr
        arrived = state.get("arrived", torch.tensor(False))
        if step in (0, settings.steps) or (past and not arrived):
            row |= {"moment_steps": step}
            row |= measure_tenths(loss, theta, top.vectors[0], by_length, distances, seed)
        state = {"start": torch.cat([top.vectors, top.guard]), "arrived": arrived | bool(past)}
        return row, state

    probes = range(0, settings.steps + 1, settings.steps // settings.probes)
    return run.train(loss, GradientDescent(settings.lr), settings.steps, probes=probes,
                     measure=measure, name=f"{condition}-{seed}")  # fmt: skip


def phases_of(training, edge, distances):
    """What is recorded of one training: its probes, and the tables of the three phases in order."""
    rows = {name: np.array(column, dtype=float) for name, column in training.rows.items()}
    steps, past = rows["moment_steps"], rows["top"] >= edge
    edge_step = rows["probe_steps"][np.argmax(past)] if past.any() else np.nan
    phases = [int(np.argmax(steps == step)) for step in (0, edge_step, steps[-1])]
    tables = {name: rows[name][phases] for name in TABLES}
    tables["widths"] = np.apply_along_axis(partial(width, distances), -1, tables["lines"])
    if not past.any():
        for table in tables.values():
            table[1] = np.nan
    tables |= {name: rows[name] for name in PROBED}
    return tables | {"losses": training.losses, "edge_steps": edge_step}


DECILES = Experiment(
    "sec6_deciles",
    {
        "small": Settings(300, 0.03, steps=300, probes=6, seeds=1, reach=0.4),
        "reduced": Settings(1000, 0.025, steps=1200, probes=16, seeds=3, reach=0.4),
        "paper": Settings(5000, 0.0125, steps=8000, probes=160, seeds=5, reach=0.4),
    },
    record,
    digits={
        "small": Settings(300, 0.4, steps=240, probes=6, seeds=1, reach=1.6),
        "paper": Settings(1000, 0.2, steps=1500, probes=50, seeds=5, reach=1.6),
    },
)

RELU = {"activation": "relu", "conditions": CONDITIONS[:3]}
RELU_DECILES = Experiment(
    "sec6_deciles_relu",
    {size: replace(settings, **RELU) for size, settings in DECILES.settings.items()},
    record,
    digits={size: replace(settings, **RELU) for size, settings in DECILES.digits.items()},
)
