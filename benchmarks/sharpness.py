"""Hessian-vector products that sharpness costs, beside ARPACK and power iteration, in one process.

    python benchmarks/sharpness.py

The network of figure 2.1 (left) on scikit-learn's digits is trained up to the edge of stability.
At places along the path every method finds the largest eigenvalues at the same relative tolerance;
warm starts are measured over the training steps that follow. The error is that of the values,
against `sharpness` at a tolerance of 1e-5. Takes a minute or two.
"""

from itertools import islice

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from mslbook.data import load
from mslbook.descent import iterate
from mslbook.paper.edge_of_stability.experiment import network_loss
from mslbook.probes import sharpness

LR, PLACES, STEPS = 0.2, (0, 100, 500, 1000), 5
torch.set_num_threads(1)


def counted(loss, theta):
    product, count = loss.hessian(theta), [0]

    def apply(v):
        count[0] += 1
        return product(torch.as_tensor(v, dtype=theta.dtype).reshape(-1)).numpy()

    return apply, count


def arpack(loss, theta, k, tol):
    apply, count = counted(loss, theta)
    start = np.random.default_rng(0).standard_normal(len(theta)).astype(np.float32)
    operator = LinearOperator((len(theta), len(theta)), matvec=apply, dtype=np.float32)
    values, _ = eigsh(operator, k=k, which="LA", tol=tol, v0=start)
    return np.sort(values)[::-1], count[0]


def power_iteration(loss, theta, k, tol, most=300):
    """Until the value moves by less than `tol` from one step to the next: one eigenvalue."""
    apply, count = counted(loss, theta)
    v, value = np.random.default_rng(0).standard_normal(len(theta)).astype(np.float32), 0.0
    v /= np.linalg.norm(v)
    while count[0] < most:
        image = apply(v)
        before, value, v = value, float(v @ image), image / np.linalg.norm(image)
        if abs(value - before) <= tol * abs(value):
            break
    return np.array([value]), count[0]


def cold(loss, theta, k, tol):
    answer = sharpness(loss, theta, k=k, tol=tol)
    return answer.values, answer.hvps


def error(values, exact):
    return np.abs(values / exact[: len(values)] - 1).max()


def main():
    loss = network_loss(load("digits"), 1000)
    path = {}
    for state in islice(iterate(loss, loss.theta, LR), PLACES[-1] + STEPS + 1):
        if any(place <= state.step <= place + STEPS for place in PLACES):
            path[state.step] = state.theta
    exact = {step: sharpness(loss, theta, k=3, tol=1e-5).values for step, theta in path.items()}

    for k, tol in ((1, 1e-2), (1, 1e-3), (3, 1e-2), (3, 1e-3)):
        print(f"\n{k} largest, tolerance {tol:g}: products, and the largest error of a value")
        methods = {"sharpness, cold": cold, "ARPACK (eigsh)": arpack}
        if k == 1:
            methods["power iteration"] = power_iteration
        mean = {}
        for name, method in methods.items():
            found = {place: method(loss, path[place], k, tol) for place in PLACES}
            mean[name] = np.mean([products for _, products in found.values()])
            worst = max(error(values, exact[place]) for place, (values, _) in found.items())
            report(name, mean[name], mean["sharpness, cold"], worst)
        for name, hand_on in (
            ("sharpness, warm", lambda answer: answer),
            ("  from bare vectors", lambda answer: answer.vectors),
        ):
            spent, worst = [], 0.0
            for place in PLACES:
                answer = sharpness(loss, path[place], k=k, tol=tol)
                for step in range(place + 1, place + STEPS + 1):
                    answer = sharpness(loss, path[step], k=k, tol=tol, start=hand_on(answer))
                    spent.append(answer.hvps)
                    worst = max(worst, error(answer.values, exact[step]))
            report(name, np.mean(spent), mean["sharpness, cold"], worst)


def report(name, products, reference, worst):
    ratio = products / reference
    print(f"  {name:22s} {products:6.1f} products   {ratio:5.2f} x cold   error {worst:.1e}")


if __name__ == "__main__":
    main()
