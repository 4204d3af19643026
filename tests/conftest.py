"""What the tests of the library share."""

import pytest


@pytest.fixture
def torch():
    """PyTorch, where it is installed; what does not take it is tested without."""
    return pytest.importorskip("torch")


@pytest.fixture
def cuda(torch):
    """Skip where there is no GPU."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
