"""Figure 3.1, preprint figure 2: the loss along the gradient while descent oscillates.

One recipe for each network. All are trained by full-batch gradient descent and looked at along
the way, and more closely at the end.
"""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mslbook.descent import iterate
from mslbook.models import densenet121, resnet18, vgg11
from mslbook.paper.experiments import Recipe, by_size
from mslbook.paper.images import convolutional_loss, identify
from mslbook.paper.training import accuracy, environments, progress_bar, train
from mslbook.probes import line, rounding, sharpness, spectral_density

VERSION = 1
TOL = 1e-2  # of the residuals, and so a bound on the relative error of the sharpness
NETWORKS = {
    "VGG11": vgg11,
    "VGG11 with BatchNorm": partial(vgg11, batchnorm=True),
    "ResNet18": resnet18,
    "DenseNet121": densenet121,
}
# Of lines through an iterate, in steps of descent: 0 is the iterate, 1 the next one.
SLICE, FINE = np.linspace(-2, 3, 81), np.linspace(-2, 3, 201)
SAMPLES = 4  # of the spectral density


@dataclass(frozen=True)
class Settings:
    """Full-batch descent of a network, measured at every `every`-th step.

    `network` is a key of `NETWORKS`, `loss` one of :data:`~mslbook.paper.images.LOSSES`;
    `products` are those of each sample of the spectral density. A BatchNorm sees one `chunk` of
    pictures at a time, None for all.
    """

    network: str
    pictures: int
    width: float
    lr: float
    steps: int
    every: int
    loss: str = "half squared error"
    chunk: int | None = None
    products: int = 48
    seed: int = 0


def record(name, chosen, pictures, size, device, folder, progress):
    """Train and measure; returns the arrays to record and their provenance.

    Arrays, with S steps and P probes: ``lr`` (), ``losses`` (S + 1,); at the probes
    ``probe_steps``, ``sharpness``, ``residuals``, ``hvps``, ``accuracy``, ``gradient_norms``,
    ``alignment`` (of the gradient with the top eigenvector, 0 to 1) and ``curvature`` (of the
    Hessian, along the gradient), each (P,), and ``slices`` (P, 81), the losses on the line of
    descent at ``slice_steps`` (81,): distances in units of the step, positive downhill.

    At the last iterate, the losses at ``fine_steps`` (201,) along the line of descent,
    ``fine``, and along the top eigenvector pointing downhill, ``fine_top``, each (201,), both
    in units of the step, whose length is ``step_length`` (); the scatter of their second
    differences per unit of the parameters squared (a standard deviation), of rounding and of kinks
    together, ``fine_rounding`` and ``fine_top_rounding`` (); the spectral density's
    ``density_nodes`` and ``density_weights`` (4, products). For a network with BatchNorm, what its
    other mode would have reported, with the statistics frozen: ``frozen_fine`` (201,) along the
    same line of descent with ``frozen_fine_rounding`` (), and ``frozen_sharpness`` ().
    """
    count = chosen.pictures
    identity = identify(name, VERSION, pictures, count, size, chosen, device)
    model = NETWORKS[chosen.network](
        len(pictures.class_names), width=chosen.width, seed=chosen.seed
    )
    loss = convolutional_loss(model, pictures, count, device, chosen.loss, chosen.chunk)
    training = train(
        loss,
        partial(iterate, lr=chosen.lr),
        chosen.steps,
        probes=range(0, chosen.steps + 1, chosen.every),
        measure=partial(measure, loss, chosen.lr),
        checkpoint=folder / "checkpoint.npz",
        identity=identity,
        label=f"{chosen.network}, η = {chosen.lr:g}",
        progress=progress,
    )
    begun = time.monotonic()
    arrays = (
        {"lr": chosen.lr, "losses": training.losses, "slice_steps": SLICE}
        | training.rows
        | _close_look(loss, training.theta, chosen, training.carry["start"], progress)
    )
    whole = ("probe_steps", "hvps")
    arrays = {
        name: np.asarray(array, dtype=int if name in whole else np.float32)
        for name, array in arrays.items()
    }
    provenance = (
        identity
        | environments(device, training)
        | {
            "network": f"{chosen.network} of width {chosen.width:g}, {loss.dimension} "
            "parameters, torchvision's initialisation",
            "loss": f"{chosen.loss}, channels standardised",
            "optimiser": f"full-batch gradient descent, η = {chosen.lr:g}",
            "seed": chosen.seed,
            "steps": chosen.steps,
            "wall_seconds": round(training.seconds + time.monotonic() - begun),
        }
    )
    return arrays, provenance


VGG11 = Recipe(
    "fig3_1_vgg11",
    by_size(
        small=Settings("VGG11", 100, 1 / 16, lr=0.1, steps=400, every=25, products=24),
        reduced=Settings("VGG11", 1000, 1 / 8, lr=0.05, steps=2000, every=40),
        paper=Settings("VGG11", 50_000, 1.0, lr=0.05, steps=5000, every=100, chunk=1000),
    ),
    record,
)
RESNET18 = Recipe(
    "fig3_1_resnet18",
    by_size(
        small=Settings("ResNet18", 24, 1 / 8, lr=0.1, steps=60, every=10, products=8),
        reduced=Settings("ResNet18", 500, 1 / 8, lr=0.05, steps=600, every=24, products=32),
        paper=Settings("ResNet18", 50_000, 1.0, lr=0.05, steps=5000, every=100, chunk=1000),
    ),
    record,
)
DENSENET121 = Recipe(
    "fig3_1_densenet121",
    by_size(
        small=Settings("DenseNet121", 12, 1 / 16, lr=0.1, steps=20, every=10, products=4),
        reduced=Settings("DenseNet121", 250, 1 / 8, lr=0.1, steps=400, every=40, products=16),
        paper=Settings("DenseNet121", 5000, 1.0, lr=0.05, steps=5000, every=100, chunk=500),
    ),
    record,
)


def measure(loss, lr, step, theta, carry):
    """One probe: a row of numbers to record, and the warm start of the next.

    Its line of descent is cut at the distances `SLICE` in units of a step of gradient descent
    with the learning rate `lr`.
    """
    found = sharpness(loss, theta, tol=TOL, start=carry.get("start"))
    grad = loss.grad(theta)
    length = grad.norm()
    unit = grad / length
    row = {
        "probe_steps": step,
        "sharpness": found.values[0],
        "residuals": found.residuals[0],
        "hvps": found.hvps,
        "accuracy": accuracy(loss.outputs(theta), loss.targets),
        "gradient_norms": float(length),
        "alignment": float((unit @ found.vectors[0]).abs()),
        "curvature": float(unit @ loss.hvp(theta, unit)),
        "slices": line(loss, theta, -grad, lr * float(length) * SLICE),
    }
    return row, {"start": torch.cat([found.vectors, found.guard])}


def _close_look(loss, theta, chosen, start, progress):
    """What is measured at the last iterate alone."""
    grad = loss.grad(theta)
    top = sharpness(loss, theta, tol=TOL, start=start).vectors[0]
    step = chosen.lr * float(grad.norm())
    found = {"step_length": step, "fine_steps": FINE}
    lines = {"fine": (loss, -grad), "fine_top": (loss, top if grad @ top < 0 else -top)}
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in loss.model.modules()):
        frozen = loss.calibrated(theta)
        lines["frozen_fine"] = (frozen, -grad)
        found["frozen_sharpness"] = sharpness(frozen, theta, tol=TOL).values[0]
    with progress_bar("fine lines", len(lines), show=progress) as bar:
        for name, (seen, direction) in lines.items():
            found[name] = line(seen, theta, direction, step * FINE)
            found[f"{name}_rounding"] = rounding(found[name], step * (FINE[1] - FINE[0]))
            bar.update()
    density = spectral_density(loss, theta, chosen.products, SAMPLES, chosen.seed)
    return found | {"density_nodes": density.nodes, "density_weights": density.weights}
