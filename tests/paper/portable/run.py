"""Validate all notebooks as machines of other kinds would execute them: `make portable`.

A machine has the kernels of one processor. But libraries have switches that make them use the
kernels of lesser ones, and one_ulp.py, which lets functions err, stands for all machines that we do
not have. A switch that changes nothing here, since its library is another one or the processor has
no better kernels, is named and left out.
"""

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
NBVAL = (
    "pytest -q -n auto --dist loadscope -p no:cacheprovider --nbval --nbval-current-env "
    "--nbval-kernel-startup-timeout 600 --nbval-sanitize-with tests/paper/nbval_sanitize.cfg"
)


@dataclass(frozen=True)
class Library:
    """A library that has kernels for several processors.

    Its `switch` is a variable of the environment; its `program` prints which kernels it uses, in
    what `pattern` finds.
    """

    switch: str
    program: str
    pattern: str

    def kernels(self, value=None):
        """Which kernels the library uses when its switch has this value."""
        environment = os.environ | ({self.switch: value} if value else {})
        command = [sys.executable, "-c", self.program]
        printed = subprocess.check_output(command, env=environment, text=True)
        return re.findall(self.pattern, printed)


NUMPY = Library(
    "NPY_DISABLE_CPU_FEATURES",
    "import numpy; print(*numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []))",
    r"\w+",
)
OPENBLAS = Library(
    "OPENBLAS_CORETYPE",
    "import numpy.linalg, scipy.linalg, threadpoolctl; print(threadpoolctl.threadpool_info())",
    r"'architecture': '(\w+)'",
)
TORCH = Library(
    "ATEN_CPU_CAPABILITY",
    "import torch; print(torch.backends.cpu.get_cpu_capability())",
    r"\w+",
)
ONEDNN = Library(
    "ONEDNN_MAX_CPU_ISA",
    "import os; os.environ['ONEDNN_VERBOSE'] = '1'\n"
    "import torch; torch.nn.Conv2d(16, 32, 3)(torch.ones(8, 16, 32, 32))",
    r"cpu,isa:(.*)",
)
MKL = Library(
    "MKL_CBWR",
    "import torch\n"
    "with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):\n"
    "    torch.ones(64, 64) @ torch.ones(64, 64)",
    r"CNR:(?!OFF|AUTO)(\w+)",  # AUTO is what it takes on a processor of another maker
)


def kernels():
    """The values of the switches, by the processors whose kernels they ask for.

    NumPy wants the names of the kernels it shall not use, and versions of it have other names.
    """
    found = NUMPY.kernels()
    beyond_avx2 = [name for name in found if name.startswith(("X86_V4", "AVX512", "AVX10"))]
    arm = platform.machine() in ("aarch64", "arm64")
    return {
        "AVX2": {
            NUMPY: " ".join(beyond_avx2),
            OPENBLAS: "Haswell",
            TORCH: "avx2",
            ONEDNN: "AVX2",
            MKL: "AVX2",
        },
        "the oldest processors": {
            NUMPY: " ".join(found),
            OPENBLAS: "ARMV8" if arm else "Nehalem",
            TORCH: "default",
            ONEDNN: "SSE41",
            MKL: "COMPATIBLE",
        },
    }


def effective(values):
    """The variables that change which kernels a library uses; the others are named."""
    variables = {}
    for library, value in values.items():
        if library.kernels(value) == library.kernels():
            print(f"  skipped, without effect here: {library.switch}={value!r}", flush=True)
        else:
            variables[library.switch] = value
    return variables


def validate(name, variables, notebooks="notebooks"):
    """Whether notebooks give what they store in an environment with these variables."""
    print(f"{name}:", *(f"{key}={value!r}" for key, value in variables.items()), flush=True)
    command = [sys.executable, "-m", *NBVAL.split(), notebooks]
    environment = os.environ | variables
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


ONE_ULP = {"PYTHONSTARTUP": str(HERE / "startup.py"), "PYTHONPATH": str(HERE)}


def main():
    """Validate on one machine after the other; exit with 1 if any of them differs."""
    one, two = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
    passed = {}
    for processor, values in kernels().items():
        name = f"The kernels of {processor}"
        if variables := effective(values):
            passed[name] = validate(name, one | variables)
        else:
            print(f"{name} are those of this machine.", flush=True)
    passed["Two threads"] = validate("Two threads", two)
    passed["Another rounding"] = validate("Another rounding", one | ONE_ULP)
    for name, good in passed.items():
        print(f"{name}: {'all outputs are those stored' if good else 'OUTPUTS DIFFER'}")
    sys.exit(not all(passed.values()))


if __name__ == "__main__":
    main()
