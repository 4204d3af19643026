"""What all benchmarks share: pairs in turns, their ratios, the environment, the file of results."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time

RESULTS = Path(__file__).parents[1] / "mslbook" / "paper" / "measured"
PACKAGES = ("mslbook", "torch", "numpy", "scipy", "jax", "curvlinops-for-pytorch",
            "hessian-eigenthings", "pyhessian", "loss-landscapes")  # fmt: skip


def seconds(work):
    """Processor seconds of a call, of all threads of this process."""
    start = process_time()
    work()
    return process_time() - start


def ratio(work, floor, pairs=7):
    """The median ratio of two calls, made in turns, after one of each that is not counted."""
    work(), floor()
    return median(seconds(work) / seconds(floor) for _ in range(pairs))


def environment():
    """What numbers depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load when it began": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": found,
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def row(what, beside, measured, target):
    """A row of the table: a ratio, to what it is one, and at most how much it should be."""
    print(f"{what:60} {measured:7.3g} x {beside:40} target {target:g}", flush=True)
    return {"what": what, "beside": beside, "measured": float(measured), "target": target}


def save(name, table, **further):
    """Write a table, with the environment, to where the book reads it."""
    RESULTS.mkdir(exist_ok=True)
    found = {"environment": environment(), "table": table} | further
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
