"""The sharpness of a network layer by layer."""

from dataclasses import dataclass
from glob import escape

import numpy as np

from mslbook.probes.eigenvalues import sharpness


@dataclass(frozen=True, repr=False)
class LayerSharpness:
    """The answer of `layer_sharpness`: a row for each layer, and one for the whole at the end."""

    names: tuple[str, ...]  #: of the modules, as in ``model.named_modules()``
    parameters: np.ndarray  #: how many each of them has
    values: np.ndarray  #: the largest eigenvalue of its block of the Hessian
    residuals: np.ndarray  #: ``||Hv - λv|| / |λ|`` there
    converged: np.ndarray  #: whether that is within `tol`
    products: np.ndarray  #: the number of Hessian-vector products made

    def __repr__(self):
        columns = self.names, self.parameters, self.values, self.products, self.converged
        wide = max(map(len, self.names))
        lines = [f"{'layer':{wide}}  parameters  sharpness  products"]
        for name, size, value, products, converged in zip(*columns, strict=True):
            line = f"{name:{wide}}  {size:10}  {value:9.4g}  {products:8}"
            lines.append(line if converged else f"{line}  NOT converged")
        return "\n".join(lines)


def layer_sharpness(loss, theta=None, tol=1e-3, seed=0) -> LayerSharpness:
    """The sharpness of every layer, as a function of its own parameters alone.

    A layer is a module that has parameters itself; shared ones count in the first that has them. A
    block of the Hessian is never sharper than the whole.

    Parameters
    ----------
    loss : NetworkLoss
    theta : Tensor, shape (n,), optional
        By default the model's.
    tol, seed
        As for `sharpness`.

    Examples
    --------
    >>> from torch import nn, ones
    >>> from mslbook import NetworkLoss, half_squared_error, layer_sharpness
    >>> model, x = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1)), ones(4, 1)
    >>> layer_sharpness(NetworkLoss(model, (x, x), half_squared_error), ones(7).double())
    layer      parameters  sharpness  products
    0                   4          4         4
    1                   3          9         3
    the whole           7      18.18         7
    """
    if not hasattr(loss, "block"):
        raise TypeError("only a network has layers: pass a NetworkLoss")
    layers, theta = {}, loss.theta if theta is None else theta
    for name in loss.parameters:
        layers.setdefault(name.rpartition(".")[0] or "the model itself", []).append(escape(name))
    layers["the whole"] = sum(layers.values(), [])

    def row(params):
        block = loss.block(params, theta)
        s = sharpness(block, block.theta, tol=tol, seed=seed)
        return block.dimension, s.values[0], s.residuals[0], s.converged, s.hvps

    columns = zip(*map(row, layers.values()), strict=True)
    return LayerSharpness(tuple(layers), *map(np.array, columns))
