"""Whether gradient and curvature are derivatives of the loss: layer by layer, mode by mode."""

import warnings
from dataclasses import dataclass

from mslbook.probes._theta import check_theta

ROUNDING = 1e-8  # the error of a right derivative against differences in double precision
USED = ("gradient", "reverse over reverse", "symmetry")  # by mslbook


@dataclass(frozen=True, repr=False)
class Conformance:
    """The answer of `conformance`, which prints as a table."""

    errors: dict  #: by layer and quantity: the relative error, or why torch has no such derivative
    refused: str | None  #: why `NetworkLoss` refuses the model
    ok: bool  #: whether all is right that mslbook uses: gradient, reverse over reverse, symmetry

    def __repr__(self):
        quantities = next(iter(self.errors.values()))
        rows = [["layer", *quantities]]
        rows += [[name, *map(_in_words, row.values())] for name, row in self.errors.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, ["-" * width for width in widths])
        padded = ([c.ljust(n) for c, n in zip(row, widths, strict=True)] for row in rows)
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in padded)
        return f"{table}\n\nNetworkLoss refuses it: {self.refused}" if self.refused else table

    _repr_markdown_ = __repr__


def conformance(loss, theta=None) -> Conformance:
    """Compare the derivatives of a network with differences, in every mode of torch.

    Parameters
    ----------
    loss : NetworkLoss or tuple
        Examined on a few of its rows; or ``(module, inputs)``, which `NetworkLoss` may refuse.
    theta : Tensor, shape (n,), optional
        By default a point near the model's own, where no parameter is 0.

    Notes
    -----
    Rows are the whole loss and the first layer of each kind, as a function of its inputs and its
    parameters near the model's own. Errors are relative to central differences in double precision:
    the gradient's to those of values, the products' to those of gradients, the third derivative's
    (repeated reverse, twice along one vector) to those of products by reverse over reverse.
    Forward over reverse takes the gradient by ``torch.func.grad``.

    Examples
    --------
    >>> import torch
    >>> from mslbook import conformance
    >>> conformance((torch.nn.Linear(3, 2), torch.ones(4, 3))).ok
    True
    """
    from mslbook.losses._conformance import RTOL, check_network, point
    from mslbook.losses._layers import LayerLoss

    errors, refused, first = {}, None, {}
    if isinstance(loss, tuple):
        if len(loss) != 2:
            raise ValueError(f"give a NetworkLoss, or (module, inputs), not {len(loss)} things")
        module, inputs = loss
        inputs = inputs if isinstance(inputs, dict | tuple) else (inputs,)
        loss = LayerLoss(module, *(((), inputs) if isinstance(inputs, dict) else (inputs, {})))
        try:
            check_network(loss)
        except ValueError as error:
            refused = str(error)
    else:
        loss = loss.few()
        theta = theta if theta is None else check_theta(loss, theta, "hvp")[1]
        errors["the whole loss"] = _errors(loss, point(loss, theta))
    for name, layer in loss.layers().items():
        first.setdefault(layer.kind, (f"{layer.kind} {name}".rstrip(), layer))
    errors |= {name: _errors(layer, point(layer)) for name, layer in first.values()}
    used = [row[quantity] for row in errors.values() for quantity in USED]
    ok = not refused and all(isinstance(error, float) and error <= RTOL for error in used)
    return Conformance(errors, refused, ok)


def _errors(loss, theta):
    """The errors of one loss at theta, by quantity."""
    from torch.func import grad, jacrev, jvp

    from mslbook.losses._conformance import RTOL, difference_error, directions, gradient_error, skew
    from mslbook.losses._model import product, slope

    (u, v), found = directions(theta), {}

    def f(x):
        return loss.evaluate(x, lambda value, _: value)

    def of_product(image):
        return difference_error(lambda t: loss.grad(theta + t * v), image, enough=ROUNDING)[0]

    def thrice(value, x):
        return product(product(slope(value, x), x, v, create_graph=True), x, v)

    def of_third(image):
        if of_product(image) > RTOL:
            return "not compared: the product that it is compared with is wrong"
        third = loss.evaluate(theta.clone().requires_grad_(), thrice)
        floor = 1e-3 * float(image.norm())  # the third derivative may be 0
        return difference_error(lambda t: loss.hvp(theta + t * v, v), third, floor, ROUNDING)[0]

    for quantity, measure in {
        "gradient": lambda: gradient_error(loss, theta, loss.grad(theta), v, ROUNDING)[0],
        "reverse over reverse": lambda: of_product(loss.hvp(theta, v)),
        "forward over reverse": lambda: of_product(jvp(grad(f), (theta,), (v,))[1]),
        "forward over jacrev": lambda: of_product(jvp(jacrev(f), (theta,), (v,))[1]),
        "reverse over forward": lambda: of_product(grad(lambda x: jvp(f, (x,), (v,))[1])(theta)),
        "symmetry": lambda: skew(u, v, loss.hvp(theta, v), loss.hvp(theta, u)),
        "third derivative": lambda: of_third(loss.hvp(theta, v)),
    }.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # torch.func uses torch.jit
                found[quantity] = measure()
        except RuntimeError as error:
            found[quantity] = f"not implemented: {str(error).splitlines()[0]}"
    return found


def _in_words(error):
    if isinstance(error, str):
        return error.split(":")[0]
    if error <= ROUNDING:
        return "rounding"
    return f"{float(f'{100 * error:.1e}'):g} %" if error >= 1e-3 else f"{error:.0e}"
