"""A sweep of a million starts beside the logarithms or divisions in it, and how its cost grows.

    python benchmarks/sweeps.py [STEPS]

Of STEPS steps, by default 100, the last tenth is kept, as 100 would be of 1,000. Beside it, the
logarithms or divisions of as many steps alone, from and to arrays that stay in cache, on as many
threads. Both are timed in turns, and the medians of the ratios are given: of processor time, and of
wall time, which counts only on a machine that has nothing else to do.
A loop compiled by JAX is timed too where JAX is installed. Results:
mslbook/paper/measured/sweeps.json.
"""

import os
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import numpy as np
from _measure import row, save

from mslbook.descent import BLOCK, descend
from mslbook.losses import f1, f2, two_valleys

MILLION, PAIRS = 1_000_000, 3


def divide(x, out):
    np.divide(1.0, x, out=out)


#: loss, learning rate, coordinates, what the floor does, how many times a step, the target
CASES = {
    "f1": (f1, 2.5, (), np.log1p, 1, 2.5),
    "f2": (f2, 2.0, (), divide, 1, 8),
    "two_valleys": (two_valleys, 2.5, (2,), np.log1p, 2, 5.5),
}


def timed(work, *arguments, **options):
    """Processor and wall time of a call, in seconds."""
    wall, cpu = perf_counter(), process_time()
    work(*arguments, **options)
    return process_time() - cpu, perf_counter() - wall


def floor(function, times, steps):
    """The function of a million numbers, so many times a step, on all cores."""
    numbers = np.abs(np.random.default_rng(0).normal(scale=5, size=MILLION)) + 0.1

    def run(first):
        block = numbers[first : first + BLOCK]
        out = np.empty_like(block)
        for _ in range(times * steps):
            function(block, out)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, range(0, MILLION, BLOCK)))


def jax_loop(name, steps):
    """A loop over the gradient, compiled by JAX; None where there is no JAX."""
    try:
        import jax
    except ImportError:
        return None
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def profile(x):
        return (1 + abs(x)) * jnp.log1p(abs(x)) - abs(x)

    def wide(x, y):
        return profile((1 + 0.001 * x * x) * y)

    def valleys(point):
        x, y = point
        narrow = wide(y, 10 * x)
        return jnp.sum(wide(x, y) + 0.25 * narrow / (1 + narrow))

    gradients = {
        "f1": lambda x: jnp.sign(x) * jnp.log1p(abs(x)),
        "f2": lambda x: jnp.where(abs(x) <= 1 / 3, 6 * x, jnp.sign(x) * 2 / (9 * x * x)),
        "two_valleys": jax.grad(valleys),
    }
    _, lr, core, *_ = CASES[name]
    start = jnp.array(starts(MILLION, core).T)
    step = gradients[name]
    loop = jax.jit(lambda x: jax.lax.fori_loop(0, steps, lambda _, x: x - lr * step(x), x))
    loop(start).block_until_ready()
    return lambda: loop(start).block_until_ready()


def starts(count, core):
    return np.random.default_rng(0).normal(scale=5, size=(count, *core))


def compare(name, steps):
    """Seconds a step, and ratios to the floor, of one loss."""
    loss, lr, core, function, times, target = CASES[name]
    points, peer = starts(MILLION, core), jax_loop(name, steps)
    rows = []
    for _ in range(PAIRS):
        ours = timed(descend, loss, points, lr, steps, last=steps // 10)
        rows.append((*ours, *timed(floor, function, times, steps), *(timed(peer) if peer else ())))
    columns = np.array(rows).T
    cpu, wall = columns[0] / columns[2], columns[1] / columns[3]
    found = {
        "ms a step": 1e3 * median(columns[0]) / steps,
        "floor, ms a step": 1e3 * median(columns[2]) / steps,
        "ratio of processor time": median(cpu),
        "ratio of wall time": median(wall),
        "target": target,
    }
    if peer:
        found["jax, ms a step"] = 1e3 * median(columns[4]) / steps
    print(
        f"{name:12}" + "".join(f"  {key} {number:.3g}" for key, number in found.items()), flush=True
    )
    return found


def sweeps(steps):
    """All losses beside their floors."""
    return {name: compare(name, steps) for name in CASES}


def slope(sizes, seconds):
    """The exponent of the growth of time with size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def peak(*arguments, **options):
    """The most memory, in MiB, that a descent takes beside its start."""
    tracemalloc.start()
    descend(*arguments, **options)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def growth():
    """Processor time and memory against the number of trajectories, and of steps."""
    found = {}
    counts, steps = [2**14, 2**16, 2**18, 2**20], [25, 50, 100, 200]
    for name, (loss, lr, core, *_) in CASES.items():
        points = starts(max(counts), core)

        def best(count, steps, loss=loss, lr=lr, points=points):
            return min(timed(descend, loss, points[:count], lr, steps, last=1)[0] for _ in range(3))

        by_count = [best(count, 10) for count in counts]
        by_steps = [best(2**16, number) for number in steps]
        memory = [peak(loss, points[:count], lr, 10, last=1) for count in counts]
        flat = [peak(loss, points[: 2**16], lr, number, last=1) for number in steps]
        found[name] = {
            "seconds by trajectories": dict(zip(map(str, counts), by_count, strict=True)),
            "slope in trajectories": slope(counts, by_count),
            "seconds by steps": dict(zip(map(str, steps), by_steps, strict=True)),
            "slope in steps": slope(steps, by_steps),
            "MiB by trajectories": dict(zip(map(str, counts), memory, strict=True)),
            "slope of memory in trajectories": slope(counts, memory),
            "MiB by steps not kept": dict(zip(map(str, steps), flat, strict=True)),
            "slope of memory in steps not kept": slope(steps, flat),
        }
        slopes = {of: number for of, number in found[name].items() if of.startswith("slope")}
        print(f"{name:12}", *(f" {of} {number:.2f}" for of, number in slopes.items()), flush=True)
    return found


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    found = sweeps(steps)
    save(
        "sweeps", as_table(found), steps=steps, trajectories=MILLION, sweeps=found, growth=growth()
    )


def as_table(found):
    """Rows of processor time: beside the floor and, where it is installed, beside JAX."""
    table = []
    for name, one in found.items():
        floor = "divisions alone" if name == "f2" else "logarithms alone"
        ratio = one["ratio of processor time"]
        table.append(row(f"sweep of a million, {name}", floor, ratio, one["target"]))
        if "jax, ms a step" in one:
            ratio = one["ms a step"] / one["jax, ms a step"]
            table.append(row(f"sweep of a million, {name}", "JAX's compiled loop", ratio, 1))
    return table


if __name__ == "__main__":
    main()
