"""Figure 3.1, preprint figure 2: the loss along the gradient while descent oscillates.

Networks are trained by full-batch descent and measured along the way. As the paper leaves open how
its networks were initialised, normalised and trained, one factor at a time is changed as well.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from mslbook.networks import densenet121, resnet18, vgg11
from mslbook.optimizers import GradientDescent, Momentum
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, convolutional_loss
from mslbook.probes import line, rounding, sharpness, spectral_density

TOL = 1e-2  # of the residuals, and so a bound on the relative error of the sharpness
# Of lines through an iterate, in steps of descent: 0 is the iterate, 1 the next one.
SLICE, FINE = np.linspace(-2, 3, 81), np.linspace(-2, 3, 201)
SAMPLES = 4  # of the spectral density


@torch.no_grad()
def glorot_vgg11(classes, width, seed):
    """VGG11 with Glorot and Bengio's variance, 2 / (fan-in + fan-out), in place of 2 / fan-out."""
    model = vgg11(classes, width, seed=seed)
    for module in model.features:
        if isinstance(module, nn.Conv2d):
            after, before = module.weight.shape[:2]
            module.weight *= (after / (before + after)) ** 0.5
    return model


def tanh_vgg11(classes, width, seed):
    """VGG11 with tanh in the place of every ReLU."""
    model = vgg11(classes, width, seed=seed)
    features = [nn.Tanh() if isinstance(one, nn.ReLU) else one for one in model.features]
    model.features = nn.Sequential(*features)
    return model


BATCHNORM = "VGG11 with BatchNorm"
NETWORKS = {
    "VGG11": vgg11,
    BATCHNORM: partial(vgg11, batchnorm=True),
    "VGG11 with Glorot's variance": glorot_vgg11,
    "VGG11 with tanh": tanh_vgg11,
    "ResNet18": resnet18,
    "DenseNet121": densenet121,
}


@dataclass(frozen=True)
class Descent:
    """Full-batch descent of a network, measured at the steps `points`, of which the last ends it.

    `network` is a key of `NETWORKS`, `loss` one of `mslbook.paper.images.LOSSES`. A BatchNorm sees
    one `chunk` of images at a time, None for all.
    """

    images: int
    width: float
    lr: float
    points: tuple[int, ...]
    network: str = "VGG11"
    loss: str = "half squared error"
    momentum: float = 0.0
    chunk: int | None = None
    seed: int = 0
    products: int = 48  # of each sample of the spectral density, where that is measured
    name: str = "training"

    @property
    def unit(self):
        """The learning rate of gradient descent that has the same edge, η / (1 + β)."""
        return self.lr / (1 + self.momentum)

    def record(self, run, measure, arrays_of):
        """Train, and measure by ``measure(self, loss, step, theta, state)``.

        The arrays are ``lr``, ``losses`` (steps + 1,) and those of ``arrays_of(self, loss,
        training)``.
        """
        model = NETWORKS[self.network](len(run.images.class_names), self.width, seed=self.seed)
        loss = convolutional_loss(model, run.images, self.images, run.device, self.loss, self.chunk)
        run.describe(
            network=f"{self.network} of width {self.width:g}, {loss.dimension} parameters, "
            "torchvision's initialisation",
            loss=f"{self.loss}, channels standardised",
            optimiser=f"full-batch gradient descent, η = {self.lr:g}",
            seed=self.seed,
            steps=self.points[-1],
        )
        optimizer = Momentum(self.lr, self.momentum) if self.momentum else GradientDescent(self.lr)
        training = run.train(loss, optimizer, self.points[-1], probes=self.points,
                             measure=partial(measure, self, loss), name=self.name)  # fmt: skip
        arrays = {"lr": self.lr, "losses": training.losses}
        return arrays | arrays_of(self, loss, training)


@dataclass(frozen=True)
class Ablations:
    """Several trainings on the same images, under the name that recordings give them."""

    images: int
    choices: tuple[Descent, ...]

    def of_training(self, name):
        """What the numbers of one training depend on: not the others."""
        return next((choice for choice in self.choices if choice.name == name), None)

    def record(self, run, measure, arrays_of):
        """The arrays of every choice, each with its name in front, as in ``tanh.losses``."""
        arrays = {}
        for choice in self.choices:
            found = choice.record(run, measure, arrays_of)
            arrays |= {f"{choice.name}.{name}": array for name, array in found.items()}
        widths = " or ".join(f"{width:g}" for width in sorted({one.width for one in self.choices}))
        run.describe(
            network=f"{self.choices[0].network} of width {widths}, torchvision's initialisation, "
            "but where chosen otherwise",
            loss="half squared error but where chosen otherwise, channels standardised",
            optimiser="full-batch descent",
            steps=[choice.points[-1] for choice in self.choices],
        )
        return arrays


def record(run):
    """Train, and measure on the way and at the end: the arrays of `measured_to_the_end`."""
    return run.settings.record(run, measure, measured_to_the_end)


def record_ablations(run):
    """Train every choice, and measure on the way: the arrays of `measured`."""
    return run.settings.record(run, measure, measured)


def measure(descent, loss, step, theta, state):
    """What is recorded of one iterate, and the warm start of the next."""
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
        "slices": line(loss, theta, -grad, descent.unit * float(length) * SLICE),
    }
    return row, {"start": torch.cat([top.vectors, top.guard])}


def measured(descent, loss, training):
    """What was measured at P points.

    ``probe_steps``, ``sharpness``, ``residuals``, ``hvps``, ``accuracy``, ``gradient_norms``,
    ``alignment`` (of the gradient with the top eigenvector, 0 to 1), ``curvature`` (of the Hessian,
    along the gradient), each (P,); ``slices`` (P, 81), the losses on the line of descent at
    ``slice_steps`` (81,), positive downhill, in steps of the ``unit``.
    """
    return training.rows | {"unit": descent.unit, "slice_steps": SLICE.tolist()}


def measured_to_the_end(descent, loss, training):
    """What was `measured` on the way, and more of the last iterate.

    The losses along the line of descent, ``fine``, and along the top eigenvector pointing downhill,
    ``fine_top``, at ``fine_steps``, each (201,), in steps of ``step_length``; the scatter of their
    second differences, a standard deviation, ``fine_rounding`` and ``fine_top_rounding``; the
    spectral density's ``density_nodes`` and ``density_weights`` (4, products). Of BatchNorm's other
    mode, with frozen statistics: ``frozen_fine``, ``frozen_fine_rounding``, ``frozen_sharpness``.
    """
    theta = training.theta
    grad = loss.grad(theta)
    top = sharpness(loss, theta, tol=TOL, start=training.probe_state["start"]).vectors[0]
    density = spectral_density(loss, theta, descent.products, SAMPLES, descent.seed)
    step = descent.lr * float(grad.norm())
    arrays = {
        "step_length": step,
        "fine_steps": FINE.tolist(),
        "density_nodes": density.nodes.tolist(),
        "density_weights": density.weights.tolist(),
    }
    lines = {"fine": (loss, -grad), "fine_top": (loss, top if grad @ top < 0 else -top)}
    if any(isinstance(module, nn.BatchNorm2d) for module in loss.model.modules()):
        frozen = loss.calibrated(theta)
        lines["frozen_fine"] = (frozen, -grad)
        arrays["frozen_sharpness"] = sharpness(frozen, theta, tol=TOL).values[0]
    for name, (of, direction) in lines.items():
        losses = line(of, theta, direction, step * FINE)
        arrays[name] = losses.tolist()
        arrays[f"{name}_rounding"] = rounding(losses, step * (FINE[1] - FINE[0]))
    return arrays | measured(descent, loss, training)


def every(steps, times):
    """So many times as many steps, and the start."""
    return tuple(range(0, steps * times + 1, steps))


VGG11 = Experiment(
    "fig3_1_vgg11",
    {
        "small": Descent(100, 1 / 16, 0.1, every(25, 16), products=24),
        "reduced": Descent(1000, 1 / 8, 0.05, every(40, 50)),
        "paper": Descent(5000, 1.0, 0.01, every(101, 25), chunk=1000),
    },
    record,
)
RESNET18 = Experiment(
    "fig3_1_resnet18",
    {
        "small": Descent(24, 1 / 8, 0.1, every(10, 6), "ResNet18", products=8),
        "reduced": Descent(500, 1 / 8, 0.05, every(24, 25), "ResNet18", products=32),
        "paper": Descent(5000, 1.0, 0.05, every(100, 50), "ResNet18", chunk=1000),
    },
    record,
)
DENSENET121 = Experiment(
    "fig3_1_densenet121",
    {
        "small": Descent(12, 1 / 16, 0.1, every(10, 2), "DenseNet121", products=4),
        "reduced": Descent(250, 1 / 8, 0.1, every(40, 10), "DenseNet121", products=16),
        "paper": Descent(5000, 1.0, 0.05, every(100, 50), "DenseNet121", chunk=500),
    },
    record,
)


def _seeds(images, width, lr, points, network, seeds=3, chunk=None):
    """One training from several seeds."""
    one = Descent(images, width, lr, points, network, chunk=chunk)
    choices = (replace(one, seed=seed, name=f"seed-{seed}") for seed in range(seeds))
    return Ablations(images, tuple(choices))


# A rate of 0.05 leaves the network with BatchNorm on a plateau, one of 0.1 makes it diverge.
VGG11_BATCHNORM = Experiment(
    "fig3_1_vgg11_bn",
    {
        "small": _seeds(60, 1 / 16, 0.02, every(5, 6), BATCHNORM, seeds=2),
        "reduced": _seeds(1000, 1 / 8, 0.02, every(25, 24), BATCHNORM),
        "paper": _seeds(5000, 1.0, 0.0025, every(101, 50), BATCHNORM, chunk=1000),
    },
    record_ablations,
)


def _ladder(*rungs, points, chunk=1000):
    """VGG11 with BatchNorm at several sizes: widths, how many images, learning rates, and seeds."""
    most = max(images for _, images, *_ in rungs)
    choices = (
        Descent(images, width, lr, points, BATCHNORM, chunk=chunk, seed=seed,
                name=f"width {width:g}, {images} images, seed {seed}")
        for width, images, lr, seeds in rungs
        for seed in range(seeds)
    )  # fmt: skip
    return Ablations(most, tuple(choices))


# As the networks of `VGG11_BATCHNORM`, but wider; always a thousand images share the statistics of
# BatchNorm. Wider networks need smaller rates: at 0.02 one of width 1/4 comes to predict the mean.
LADDER = Experiment(
    "fig3_1_ladder",
    {
        "small": _ladder((1 / 16, 60, 0.02, 2), (1 / 8, 60, 0.02, 1), points=every(5, 6), chunk=30),
        "reduced": _ladder((1 / 4, 1000, 0.01, 2), points=every(51, 12)),
        "paper": _ladder((1 / 4, 5000, 0.01, 3), points=every(51, 30)),
    },
    record_ablations,
)
# In a recording of its own, which takes two hours for a seed.
HALF = Experiment(
    "fig3_1_ladder_half",
    {
        "small": _ladder((1 / 8, 60, 0.02, 1), points=every(5, 6), chunk=30),
        "reduced": _ladder((1 / 2, 1000, 0.005, 1), points=every(51, 12)),
        "paper": _ladder((1 / 2, 5000, 0.005, 3), points=every(51, 30)),
    },
    record_ablations,
)


def _ablations(images, width, times, chunk=None):
    """One factor changed at a time, at learning rates that reach the edge and stay in range.

    The rate is larger with momentum, which otherwise learns before it comes to the edge, and
    smaller with BatchNorm, which begins sharper. Between two points lie an odd number of steps, so
    that an iterate that jumps to and fro is found on either wall in turn.
    """
    slow, quick = every(25, 9 * times // 5), every(19, times)
    one = Descent(images, width, 0.05, slow, chunk=chunk, name="baseline")
    choices = (
        one,
        replace(one, name="cross-entropy", points=quick, loss="cross-entropy"),
        replace(one, name="momentum", points=every(11, times), lr=0.12, momentum=0.9),
        replace(one, name="BatchNorm", points=every(9, times), lr=0.02, network=BATCHNORM),
        replace(one, name="Glorot", network="VGG11 with Glorot's variance"),
        replace(one, name="tanh", points=quick, network="VGG11 with tanh"),
    )
    return Ablations(images, choices)


ABLATIONS = Experiment(
    "fig3_1_choices",
    {
        "small": _ablations(60, 1 / 16, times=10),
        "reduced": _ablations(400, 1 / 8, times=25),
        "paper": _ablations(5000, 1.0, times=100, chunk=1000),
    },
    record_ablations,
)
