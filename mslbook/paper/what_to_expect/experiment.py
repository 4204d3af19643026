"""Small networks under full-batch gradient descent, from several seeds, on their way to 2/η.

On the digits there are four recipes, of which one sorts strings instead; on CIFAR-10 there is one.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from mslbook.data import standardise, standardise_channels
from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.networks import fully_connected, seeded
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, labels_of
from mslbook.probes import sharpness

TOL = 1e-2  # of the residuals, and so a bound on the relative error of the sharpness
CLASSES, PER_CLASS = 4, 250  # of CIFAR-10
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of its channels
STRINGS, LETTERS, LENGTH = 250, 4, 8  # to be sorted
WIDTH = 32  # of the transformer


@dataclass(frozen=True)
class Recipe:
    """One network on one set of data; its sharpness is measured every so many steps."""

    network: str  #: a key of `NETWORKS`
    data: str  #: a key of `DATA`
    lr: float
    steps: int
    every: int
    loss: str = "half squared error"  #: a key of `LOSSES`


@dataclass(frozen=True)
class Recipes:
    """Recipes by name, each from so many seeds; those on images use the first `images`."""

    images: int
    seeds: int
    recipes: dict[str, Recipe]


class Sorter(nn.Module):
    """A causal transformer: it reads a string and some of it in order, and says what comes next."""

    def __init__(self):
        super().__init__()
        places = 2 * LENGTH - 1
        self.letter, self.place = nn.Embedding(LETTERS, WIDTH), nn.Embedding(places, WIDTH)
        how = {"dropout": 0, "activation": "gelu", "batch_first": True, "norm_first": True}
        layers = (nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, **how) for _ in range(2))
        self.layers, self.norm = nn.ModuleList(layers), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, LETTERS)
        for embedding in (self.letter, self.place):
            nn.init.normal_(embedding.weight, std=0.5)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)
        past = nn.Transformer.generate_square_subsequent_mask(places)
        self.register_buffer("past", past, persistent=False)

    def forward(self, letters):
        """Outputs (N, LENGTH, LETTERS) for letters (N, 2 LENGTH - 1)."""
        x = self.letter(letters) + self.place.weight
        for layer in self.layers:
            x = layer(x, self.past)
        return self.head(self.norm(x[:, LENGTH - 1 :]))


def cnn():
    """Two convolutions of 3 x 3 pixels with tanh and average pooling, for the digits."""
    return nn.Sequential(
        *[nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)],
        *[nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)],
        *[nn.Flatten(), nn.Linear(64, 10)],
    )


def from_seed(make):
    """The network ``make()`` as a function of a seed; the global random state is unchanged."""

    def network(seed):
        with seeded(seed):
            return make()

    return network


def digits(images, count, standardised):
    """The first images, standardised over all of them, and their labels."""
    return standardised(images.train_images[:count]), images.train_labels[:count]


def four_classes(images, count):
    """The first 250 images of each of four classes, by the usual means and deviations."""
    labels = images.train_labels[:count]
    rows = np.hstack([np.flatnonzero(labels == one)[:PER_CLASS] for one in range(CLASSES)])
    mean, deviation = (np.reshape(of, (3, 1, 1)) for of in (MEAN, DEVIATION))
    inputs = (images.train_images[rows] / 255 - mean) / deviation
    return inputs.astype(np.float32), labels[rows]


def strings(images, count):
    """Random strings, each followed by itself in order but for the last letter; and in order."""
    given = np.random.default_rng(0).integers(LETTERS, size=(STRINGS, LENGTH))
    ordered = np.sort(given, axis=1)
    return np.hstack([given, ordered[:, :-1]]), ordered


def flat(criterion):
    """A criterion of outputs (..., classes) for one of rows: every letter counts as a row."""
    return lambda outputs, targets: criterion(outputs.flatten(0, -2), targets.flatten())


NETWORKS = {
    "MLP 3072–256–256–4 GELU": partial(fully_connected, [3072, 256, 256, 4], "gelu"),
    "MLP 64–50–50–10 GELU": partial(fully_connected, [64, 50, 50, 10], "gelu"),
    "CNN 8–16 tanh": from_seed(cnn),
    "transformer": from_seed(Sorter),
}
DATA = {
    "1,000 images of CIFAR-10": four_classes,
    "500 digits": partial(digits, standardised=standardise_channels),
    "500 digits, by pixel": partial(digits, standardised=standardise),
    "250 strings": strings,
}
LOSSES = {"half squared error": half_squared_error, "cross-entropy": nn.functional.cross_entropy}


def network_loss(recipe, images, count, seed=0, device="cpu"):
    """The `NetworkLoss` of a recipe, its network made from a seed."""
    inputs, targets = DATA[recipe.data](images, count)
    pair = torch.tensor(inputs, device=device), labels_of(targets, device)
    return NetworkLoss(NETWORKS[recipe.network](seed).to(device), pair, flat(LOSSES[recipe.loss]))


def record(run):
    """Train every recipe from every seed.

    Arrays, each with the name of its recipe in front, as in ``cnn.sharpness``, for S seeds and P
    measurements: ``lr``, ``parameters``; ``probe_steps`` (P,); ``sharpness``, ``residuals``,
    ``losses`` and ``accuracy``, (S, P).
    """
    arrays, seconds = {}, {}
    for name, recipe in run.settings.recipes.items():
        trainings = [_train(run, name, recipe, seed) for seed in range(run.settings.seeds)]
        rows = {key: [one.rows[key] for one in trainings] for key in trainings[0].rows}
        rows["losses"] = [one.losses[:: recipe.every] for one in trainings]
        rows["probe_steps"] = [*range(0, recipe.steps + 1, recipe.every)]
        rows |= {"lr": recipe.lr, "parameters": len(trainings[0].theta)}
        arrays |= {f"{name}.{key}": array for key, array in rows.items()}
        seconds[name] = [round(one.seconds) for one in trainings]
    recipes = run.settings.recipes.values()
    run.describe(
        network=", ".join(dict.fromkeys(f"{one.network} on {one.data}" for one in recipes)),
        loss=" or ".join(dict.fromkeys(one.loss for one in recipes)),
        optimiser="full-batch gradient descent",
        seeds=run.settings.seeds,
        steps=[one.steps for one in recipes],
        seconds=seconds,
    )
    return arrays


def _train(run, name, recipe, seed):
    loss = network_loss(recipe, run.images, run.settings.images, seed, run.device)

    def measure(step, theta, state):
        top = sharpness(loss, theta, tol=TOL, start=state.get("start"))
        outputs, targets = loss.outputs(theta).flatten(0, -2), loss.targets.flatten()
        row = {
            "sharpness": top.values[0],
            "residuals": top.residuals[0],
            "accuracy": accuracy(outputs, targets),
        }
        return row, {"start": torch.cat([top.vectors, top.guard])}

    probes = range(0, recipe.steps + 1, recipe.every)
    return run.train(loss, GradientDescent(recipe.lr), recipe.steps, probes=probes,
                     measure=measure, name=f"{name}-{seed}")  # fmt: skip


def _on_digits(seeds, share=1):
    """The recipes on the digits and on strings, for a share of their steps."""
    crossing, never = ("CNN 8–16 tanh", "500 digits"), "MLP 64–50–50–10 GELU"
    recipes = {
        "cnn": Recipe(*crossing, 0.2, 1200 // share, 5),
        "transformer": Recipe("transformer", "250 strings", 0.1, 600 // share, 5),
        "cnn-cross-entropy": Recipe(*crossing, 0.3, 1200 // share, 5, "cross-entropy"),
        "mlp": Recipe(never, "500 digits, by pixel", 0.2, 1200 // share, 5),
    }
    return Recipes(500, seeds, recipes)


def _on_cifar10(seeds, steps=1000, every=5):
    network, data = "MLP 3072–256–256–4 GELU", "1,000 images of CIFAR-10"
    return Recipes(5000, seeds, {"mlp-cifar10": Recipe(network, data, 0.02, steps, every)})


RECIPES = Experiment(
    "what_to_expect",
    {
        "small": _on_cifar10(seeds=1, steps=50),
        "reduced": _on_cifar10(seeds=2),
        "paper": _on_cifar10(seeds=3, every=1),
    },
    record,
    digits={"small": _on_digits(seeds=1, share=10), "reduced": _on_digits(seeds=3)},
)
