"""What sharpness at every step costs, beside training alone, and cold answers beside ARPACK.

    python benchmarks/sharpness_along.py CIFAR10.npz [STEPS]

One process, one thread, CPU seconds of the process; steps of both kinds alternate, and ratios are
of medians. Errors are of the values, against answers at a residual of 1e-3 from the step before.
Writes benchmarks/results/sharpness.json.
"""

import json
import platform
import sys
from pathlib import Path
from time import process_time

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from mslbook.data import load, standardise
from mslbook.loss import value_grad_and_hessian
from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.networks import vgg11
from mslbook.paper.edge_of_stability.experiment import network_loss
from mslbook.probes import sharpness

RESULTS = Path(__file__).parent / "results" / "sharpness.json"
PLACES = {"fully connected": (100, 500), "VGG11, width 1/8": (100,)}


def vgg_loss(images):
    inputs = torch.tensor(standardise(images.train_images[:250]))
    targets = torch.tensor(images.train_labels[:250]).long()
    model = vgg11(width=1 / 8).to(memory_format=torch.channels_last)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    return NetworkLoss(model, (inputs, targets), half_squared_error)


def timed(run):
    start = process_time()
    return run(), process_time() - start


def along(loss, theta, lr, steps):
    """Ratio, mean products and errors over these steps, with the last theta."""

    def train():
        return theta - lr * loss.value_and_grad(theta)[1]

    def measure():
        _, grad, hessian = value_grad_and_hessian(loss, theta)
        found = sharpness(loss, theta, value_tol=1e-2, start=before, hessian=hessian)
        return found, theta - lr * grad

    before = exact = sharpness(loss, theta)
    alone, both, products, errors = [], [], [], []
    for _ in range(steps):
        alone.append(timed(train)[1])
        (before, following), seconds = timed(measure)
        exact = sharpness(loss, theta, start=exact)
        both.append(seconds)
        products.append(before.hvps)
        errors.append(before.values[0] / exact.values[0] - 1)
        theta = following
    late = slice(6, None)  # when the history is complete
    return {
        "times training alone": np.mean(both[late]) / np.mean(alone[late]),
        "times training alone, median": np.median(both[late]) / np.median(alone[late]),
        "products": np.mean(products[late]),
        "lowest error of a value": min(errors),
        "steps off by more than 1 %": int(np.sum(np.abs(errors) > 0.01)),
        "steps": steps,
    }


def cold(loss, theta, k):
    """Products and seconds of both at a residual of 1e-3, and of graph and products alone."""
    found, ours = timed(lambda: sharpness(loss, theta, k=k))
    product, count = loss.hessian(theta), [0]

    def apply(v):
        count[0] += 1
        return product(torch.as_tensor(v, dtype=theta.dtype).reshape(-1)).numpy()

    start = np.random.default_rng(0).standard_normal(len(theta)).astype(np.float32)
    operator = LinearOperator((len(theta), len(theta)), matvec=apply, dtype=np.float32)
    _, arpack = timed(lambda: eigsh(operator, k=k, which="LA", tol=1e-3, v0=start))

    def alone():
        product = loss.hessian(theta)
        for _ in range(found.hvps):
            product(theta)

    _, floor = timed(alone)
    return {
        "products": found.hvps,
        "residual": found.residuals.max(),
        "ARPACK's products": count[0],
        "times graph and products alone": ours / floor,
        "ARPACK, times the same floor": arpack / floor,
    }


def main(path, steps=24):
    torch.set_num_threads(1)
    images = load(path)
    cases = {
        "fully connected": (network_loss(images, 1000), 0.04),
        "VGG11, width 1/8": (vgg_loss(images), 0.1),
    }
    report = {
        "environment": {
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        }
    }
    for name, (loss, lr) in cases.items():
        theta, step = loss.theta, 0
        for place in PLACES[name]:
            while step < place:
                theta, step = theta - lr * loss.grad(theta), step + 1
            for k in (1, 5):
                report[f"{name}, step {place}, cold, k = {k}"] = cold(loss, theta, k)
                save(report)
            report[f"{name}, step {place}, along training"] = along(loss, theta, lr, int(steps))
            save(report)


def save(report):
    """Print the last row, and write all: a run that is stopped leaves what it found."""
    name = [*report][-1]
    print(name, report[name], flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
