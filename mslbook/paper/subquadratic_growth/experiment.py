"""Figure 3.1, preprint figure 2: the loss along the gradient while descent oscillates.

One experiment for each network. All are trained by full-batch gradient descent and measured along
the way, and in more detail at the end.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mslbook.networks import densenet121, resnet18, vgg11
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, convolutional_loss
from mslbook.probes import line, rounding, sharpness, spectral_density

TOL = 1e-2  # of the residuals, and so a bound on the relative error of the sharpness
NETWORKS = {"VGG11": vgg11, "ResNet18": resnet18, "DenseNet121": densenet121}
# Of lines through an iterate, in steps of descent: 0 is the iterate, 1 the next one.
SLICE, FINE = np.linspace(-2, 3, 81), np.linspace(-2, 3, 201)
SAMPLES = 4  # of the spectral density


@dataclass(frozen=True)
class Settings:
    """Full-batch descent of a network, measured at every `every`-th step.

    `network` is a key of `NETWORKS`, `loss` one of `mslbook.paper.images.LOSSES`;
    `products` are those of each sample of the spectral density. A BatchNorm sees one `chunk` of
    images at a time, None for all.
    """

    network: str
    images: int
    width: float
    lr: float
    steps: int
    every: int
    loss: str = "half squared error"
    chunk: int | None = None
    products: int = 48
    seed: int = 0


def record(run):
    """Train and measure.

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
    settings, classes = run.settings, len(run.images.class_names)
    model = NETWORKS[settings.network](classes, width=settings.width, seed=settings.seed)
    loss = convolutional_loss(
        model, run.images, settings.images, run.device, settings.loss, settings.chunk
    )
    training = run.train(
        loss,
        GradientDescent(settings.lr),
        settings.steps,
        probes=range(0, settings.steps + 1, settings.every),
        measure=partial(measure, loss, settings.lr),
        name=settings.network,
    )
    run.describe(
        network=f"{settings.network} of width {settings.width:g}, {loss.dimension} parameters, "
        "torchvision's initialisation",
        loss=f"{settings.loss}, channels standardised",
        optimiser=f"full-batch gradient descent, η = {settings.lr:g}",
        seed=settings.seed,
        steps=settings.steps,
    )
    arrays = {"lr": settings.lr, "losses": training.losses, "slice_steps": SLICE.tolist()}
    return arrays | training.rows | _measure_final_iterate(run, loss, training)


def measure(loss, lr, step, theta, state):
    """One probe: a row of numbers to record, and the warm start of the next.

    Its line of descent is cut at the distances `SLICE` in units of a step of gradient descent
    with the learning rate `lr`.
    """
    top = sharpness(loss, theta, tol=TOL, start=state.get("start"))
    grad = loss.grad(theta)
    length = grad.norm()
    unit = grad / length
    row = {
        "probe_steps": step,
        "sharpness": top.values[0],
        "residuals": top.residuals[0],
        "hvps": top.hvps,
        "accuracy": accuracy(loss.outputs(theta), loss.targets),
        "gradient_norms": float(length),
        "alignment": float((unit @ top.vectors[0]).abs()),
        "curvature": float(unit @ loss.hvp(theta, unit)),
        "slices": line(loss, theta, -grad, lr * float(length) * SLICE),
    }
    return row, {"start": torch.cat([top.vectors, top.guard])}


def _measure_final_iterate(run, loss, training):
    theta, settings = training.theta, run.settings
    grad = loss.grad(theta)
    top = sharpness(loss, theta, tol=TOL, start=training.probe_state["start"]).vectors[0]
    step = settings.lr * float(grad.norm())
    arrays = {"step_length": step, "fine_steps": FINE.tolist()}
    lines = {"fine": (loss, -grad), "fine_top": (loss, top if grad @ top < 0 else -top)}
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in loss.model.modules()):
        frozen = loss.calibrated(theta)
        lines["frozen_fine"] = (frozen, -grad)
        arrays["frozen_sharpness"] = sharpness(frozen, theta, tol=TOL).values[0]
    with run.bar("fine lines", len(lines)) as bar:
        for name, (of, direction) in lines.items():
            losses = line(of, theta, direction, step * FINE)
            arrays[name] = losses.tolist()
            arrays[f"{name}_rounding"] = rounding(losses, step * (FINE[1] - FINE[0]))
            bar.update()
    density = spectral_density(loss, theta, settings.products, SAMPLES, settings.seed)
    nodes, weights = density.nodes.tolist(), density.weights.tolist()
    return arrays | {"density_nodes": nodes, "density_weights": weights}


VGG11 = Experiment(
    "fig3_1_vgg11",
    {
        "small": Settings("VGG11", 100, 1 / 16, lr=0.1, steps=400, every=25, products=24),
        "reduced": Settings("VGG11", 1000, 1 / 8, lr=0.05, steps=2000, every=40),
        "paper": Settings("VGG11", 50_000, 1.0, lr=0.05, steps=5000, every=100, chunk=1000),
    },
    record,
)
RESNET18 = Experiment(
    "fig3_1_resnet18",
    {
        "small": Settings("ResNet18", 24, 1 / 8, lr=0.1, steps=60, every=10, products=8),
        "reduced": Settings("ResNet18", 500, 1 / 8, lr=0.05, steps=600, every=24, products=32),
        "paper": Settings("ResNet18", 50_000, 1.0, lr=0.05, steps=5000, every=100, chunk=1000),
    },
    record,
)
DENSENET121 = Experiment(
    "fig3_1_densenet121",
    {
        "small": Settings("DenseNet121", 12, 1 / 16, lr=0.1, steps=20, every=10, products=4),
        "reduced": Settings("DenseNet121", 250, 1 / 8, lr=0.1, steps=400, every=40, products=16),
        "paper": Settings("DenseNet121", 5000, 1.0, lr=0.05, steps=5000, every=100, chunk=500),
    },
    record,
)
