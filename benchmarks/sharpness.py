"""What sharpness at every step costs, beside training alone, and cold answers beside ARPACK.

    python benchmarks/sharpness.py [digits | CIFAR10.npz] [STEPS]

One process, one thread, CPU seconds of the process; steps of both kinds alternate, and ratios are
of medians. Errors are of the values, against answers at a residual of 1e-3 from the step before.
Writes mslbook/paper/measured/sharpness.json.
"""

import json
import sys
from time import process_time

import numpy as np
import torch
from _measure import row, save
from scipy.sparse.linalg import LinearOperator, eigsh

from mslbook.data import load
from mslbook.loss import value_grad_and_hessian
from mslbook.paper.edge_of_stability.experiment import network_loss
from mslbook.probes import sharpness


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


def main(path="digits", steps=16):
    torch.set_num_threads(1)
    loss, lr = network_loss(load(path), 1000), 0.04 if path != "digits" else 0.2
    theta = loss.theta
    for _ in range(100):
        theta = theta - lr * loss.grad(theta)
    found = along(loss, theta, lr, int(steps))
    what, ratio = "every step, fully connected, step 100", found["times training alone, median"]
    table = [row(what, "training alone", ratio, 2.3)]
    details = {what: found}
    for k in (1, 5):
        what, details[f"cold, {k}"] = f"cold, {k} eigenvalues", cold(loss, theta, k)
        one = details[f"cold, {k}"]
        products = one["products"] / one["ARPACK's products"]
        time = one["times graph and products alone"]
        table.append(row(f"{what}: products", "ARPACK's products", products, 1))
        table.append(row(f"{what}: time", "graph and products alone", time, 1.2))
    save("sharpness", table, details=json.loads(json.dumps(details, default=float)))


if __name__ == "__main__":
    main(*sys.argv[1:])
