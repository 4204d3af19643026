"""The layers of a model as losses of their own."""

import torch

from mslbook.losses import _model
from mslbook.losses._batches import Batches
from mslbook.losses.network import NetworkLoss


def layers_of(loss):
    """Every layer that the model of a loss calls as a `LayerLoss`, by its name in the model."""
    model = loss.model.module if isinstance(loss.model, _model.Called) else loss.model
    calls = _model.first_calls(model, lambda: loss.outputs(loss.theta))
    losses = {name: LayerLoss(*call, loss.batchnorm) for name, call in calls.items()}
    return {name: loss for name, loss in losses.items() if loss.dimension}


class LayerLoss(NetworkLoss):
    """A random function of a layer's outputs as a loss of its inputs and parameters, unchecked."""

    def __init__(self, module, args, kwargs, batchnorm="train"):
        _model.check_model(module, batchnorm)
        self.model, self.batchnorm = _model.Called(module, args, kwargs), batchnorm
        self.criterion, self._fixed, self._weights = _model.random_quadratic, {}, None
        self.kind, self._changing = type(module).__name__, range(len(self._modules()))
        self._select("*")
        self._dtype, self._recomputes, self._needs_graph = self.theta.dtype, True, True
        unused = torch.zeros(1)
        self._batches = Batches((unused, unused), None, self.device)
