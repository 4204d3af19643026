"""All benchmarks in turn, and one table of their ratios beside the targets: `make bench`.

Peers that are not installed are named and left out: pip install -e '.[network,peers]' brings them.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from _measure import RESULTS

HERE = Path(__file__).parent
SCRIPTS = ("sharpness", "sweeps", "lines")
PEERS = ("jax", "curvlinops", "hessian_eigenthings", "pyhessian", "loss_landscapes")


def main():
    if missing := [name for name in PEERS if find_spec(name) is None]:
        print(f"not installed, and left out: {', '.join(missing)}")
    for script in SCRIPTS:
        print(f"\n{script}", flush=True)
        subprocess.run([sys.executable, HERE / f"{script}.py"], check=True)
    print(f"\n{'':60} measured  target")
    for script in SCRIPTS:
        for one in json.loads((RESULTS / f"{script}.json").read_text())["table"]:
            met = "" if one["measured"] <= one["target"] else "  missed"
            ratio = f"{one['measured']:8.3g}  {one['target']:6.3g}{met}"
            print(f"{one['what']:60} {ratio} x {one['beside']}")


if __name__ == "__main__":
    main()
