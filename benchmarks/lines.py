"""Lines and planes beside their forward passes, the memory of a product, and start-up.

    python benchmarks/lines.py

A line of 101 points is compared with as many forward passes without a graph, and with the peer
loss-landscapes where that is installed. A plane of 51 x 51 points is evaluated whole and
adaptively. Peak memory is that of a fresh process. Results: mslbook/paper/measured/lines.json.
"""

import os
import resource
import subprocess
import sys
from functools import partial
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import torch
from _measure import ratio, row, save
from torch import nn

from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.networks import vgg11
from mslbook.probes import adaptive_plane, filter_normalised, line, plane, random_direction

POINTS, GRID = 101, 51


def dense(*sizes):
    layers = [nn.Flatten()]
    for before, after in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


NETWORKS = {  # model, images, classes; data are random, since their cost is that of any
    "fully connected, 656,810 weights, 1,000 images": (lambda: dense(3072, 200, 200, 10), 1000),
    "VGG11 of an eighth of the width, 250 images": (lambda: vgg11(width=1 / 8), 250),
    "fully connected, 98,666 weights, 100 images": (lambda: dense(3072, 32, 10), 100),
    "fully connected, 402 weights, 64 images": (lambda: dense(3072 // 96, 10, 10), 64),
}


def network_loss(name):
    build, count = NETWORKS[name]
    torch.manual_seed(0)
    model = build()
    first = next(model.parameters())
    shape = (3, 32, 32) if first.ndim > 2 or first.shape[1] == 3072 else (first.shape[1],)
    inputs, targets = torch.randn(count, *shape), torch.randint(10, (count,))
    return NetworkLoss(model, (inputs, targets), half_squared_error, batchnorm="eval")


def forward_passes(loss, count):
    model = loss.model.eval()
    with torch.no_grad():
        for _ in range(count):
            float(loss.criterion(model(loss.inputs), loss.targets))


def peer_line(loss, theta, direction):
    """The line of loss-landscapes between two models; None where it is not installed."""
    try:
        import loss_landscapes
        from loss_landscapes.metrics import Loss
    except ImportError:
        return None
    from copy import deepcopy

    end = deepcopy(loss.model)
    nn.utils.vector_to_parameters(theta + direction, end.parameters())
    metric = Loss(loss.criterion, loss.inputs, loss.targets)
    return partial(loss_landscapes.linear_interpolation, loss.model.eval(), end, metric, POINTS)


def lines():
    table, peers = [], {}
    for name in NETWORKS:
        loss = network_loss(name)
        theta, direction = loss.theta, random_direction(loss.theta)
        ours = partial(line, loss, theta, direction, np.linspace(0, 1, POINTS))
        passes = partial(forward_passes, loss, POINTS)
        table.append(row(f"line, {name}", "forward passes", ratio(ours, passes, 5), 1.03))
        if peer := peer_line(loss, theta, direction):
            peers[name] = ratio(peer, passes, 5)
    return table, peers


def planes():
    table, errors = [], {}
    for name in [*NETWORKS][2:]:
        loss = network_loss(name).to(dtype=torch.float64)
        theta = loss.theta
        directions = [filter_normalised(loss, theta, random_direction(theta, s)) for s in (0, 1)]
        away = float(directions[0].norm()) * np.linspace(-1, 1, GRID)
        whole = plane(loss, theta, directions, away, away)
        picture = adaptive_plane(loss, theta, directions, away, away)
        share, error = picture.evaluated.mean(), np.abs(picture.values - whole).max()
        table.append(row(f"adaptive plane, {name}", "evaluations of all points", share, 0.2))
        errors[name] = {"stated": picture.error, "found": float(error / np.ptp(whole))}
    return table, errors


def product_memory(chunk):
    """Print the MiB that a product adds, VGG11 of a quarter of the width on 1,000 images."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(1000, 3, 32, 32), torch.randint(10, (1000,))
    data, model = (inputs, targets), vgg11(width=1 / 4)
    loss = NetworkLoss(model, data, half_squared_error, chunk=chunk, batchnorm="eval")
    theta = loss.theta
    loss.subset(slice(2)).hvp(theta, theta)
    before = resident()
    loss.hvp(theta, theta)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024) - before)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def memory():
    found = {}
    for chunk in (10, 25, 100, 250):
        command = [sys.executable, __file__, "memory", str(chunk)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[str(chunk)] = float(output.split()[-1])
        print(f"a product in chunks of {chunk} adds {found[str(chunk)]:.0f} MiB", flush=True)
    return found


def start_up():
    """Processor time of importing one loss, beside NumPy alone, in fresh processes."""

    def run(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    pairs = [(run("from mslbook.losses import f1"), run("import numpy")) for _ in range(12)]
    return median(ours / numpy for ours, numpy in pairs[1:])


def main():
    (lines_table, peers), (planes_table, errors) = lines(), planes()
    start = row("from mslbook.losses import f1", "import numpy", start_up(), 1.3)
    table = [*lines_table, *planes_table, start]
    save("lines", table, peers={"loss-landscapes": peers}, errors=errors, memory=memory())


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        product_memory(int(sys.argv[2]))
    else:
        main()
