"""``import mslbook`` brings every public name, when it is asked for."""

import subprocess
import sys

import mslbook


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_package_imports_none_of_its_dependencies():
    code = "import sys, mslbook; print(*sorted({'numpy', 'scipy', 'torch'} & sys.modules.keys()))"
    assert run(code) == []


def test_looking_around_and_descending_needs_no_torch():
    code = (
        "import sys, mslbook; "
        "import mslbook.losses, mslbook.theory; dir(mslbook); "
        "mslbook.descend(mslbook.two_valleys, (-20, 3), mslbook.decays({0: 2.5}), 3); "
        "mslbook.theory.two_cycle(mslbook.f1, 5.0); mslbook.sharpness(mslbook.f3, [1.0, 2.0]); "
        "print('torch' in sys.modules)"
    )
    assert run(code) == ["False"]


def test_every_name_is_there_and_listed():
    for name in ("f1", "QuadraticModel", "descend", "Adam", "sharpness", "trapping_radius", "load"):
        assert name in mslbook.__all__
    assert set(mslbook.__all__) < set(dir(mslbook))
    assert {"losses", "probes"}.isdisjoint(mslbook.__all__)


def test_every_name_resolves(torch):
    for name in mslbook.__all__:
        assert getattr(mslbook, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error():
    assert not hasattr(mslbook, "f4")
    assert not hasattr(mslbook, "_f4")
