"""The sharpness of a network layer by layer."""

from glob import escape

from mslbook.probes.eigenvalues import sharpness


class LayerSharpness(dict):
    """The `Sharpness` of every layer by its name, and of the whole; prints as a table."""

    def __repr__(self):
        wide = max(map(len, self))
        lines = [f"{'layer':{wide}}  parameters  sharpness  products"]
        for name, s in self.items():
            line = f"{name:{wide}}  {s.vectors.shape[1]:10}  {s.values[0]:9.4g}  {s.hvps:8}"
            lines.append(line if s.converged else f"{line}  NOT converged")
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

    def of(params):
        block = loss.block(params, theta)
        return sharpness(block, block.theta, tol=tol, seed=seed)

    return LayerSharpness({name: of(params) for name, params in layers.items()})
