"""What the tests of the library share."""

import os

import pytest
from ranks import Together, paths_of


@pytest.fixture
def torch():
    """PyTorch, where it is installed; what does not take it is tested without."""
    return pytest.importorskip("torch")


@pytest.fixture
def cuda(torch):
    """Skip where there is no GPU."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(scope="module")
def together(request, tmp_path_factory):
    """Call ``together(task, ranks, ...)``: what each of these processes, joined, answers."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths_of(request.module), prepend=os.pathsep)
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        yield Together(request.module, tmp_path_factory.mktemp("meetings"))
