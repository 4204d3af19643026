"""The loss along a line and over a plane through a point, and directions to look along."""

from math import inf

import numpy as np

from mslbook._arrays import array_namespace, as_real, as_row, as_theta
from mslbook.probes._theta import check_theta, precision

MIN_ANGLE_SINE = 1e-3  # of two directions that span a plane


def line(loss, theta, direction, distances):
    """The losses at ``theta + distance * direction / ||direction||``.

    A NumPy array in the precision of theta; in single precision rounding may hide the curvature of
    a network (see `rounding`): take ``loss.to(dtype=torch.float64)``.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    direction : array_like, shape of theta
    distances : array_like, shape (D,)

    Examples
    --------
    >>> from mslbook import f1, line
    >>> line(f1, 0.0, 1.0, [-1, 0, 1]).round(4)
    array([0.3863, 0.    , 0.3863])
    """
    xp, theta = check_theta(loss, theta)
    unit = _unit(xp, theta, direction)
    return _values(loss, theta, unit, as_row("distances", distances))


def plane(loss, theta, directions, first, second, progress=False):
    """The losses at theta + a u + b w, shape (A, B), for every distance a and b.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    directions : pair of array_like, shape of theta
        Brought to length 1, u and w; they need not be orthogonal.
    first, second : array_like, shapes (A,) and (B,)
        Distances along them.
    progress : bool
        Whether to show a bar on stderr.

    Examples
    --------
    >>> from mslbook import plane, valley
    >>> plane(valley, [1.0, 0.0], [[1, 0], [0, 1]], [-1, 0, 1], [0, 1]).shape
    (3, 2)
    """
    xp, theta = check_theta(loss, theta)
    u, w = (_unit(xp, theta, direction) for direction in directions)
    first, second = as_row("first", first), as_row("second", second)
    if float(xp.linalg.vector_norm(w - xp.sum(u * w) * u)) < MIN_ANGLE_SINE:
        raise ValueError("the two directions are parallel and span no plane: choose another one")
    if progress:
        from tqdm import tqdm  # only with the networks, which are slow enough to need it

        first = tqdm(first, desc="plane")
    return np.stack([_values(loss, theta + float(a) * u, w, second) for a in first])


def random_direction(theta, seed=0):
    """Independent standard normal coordinates, the same on every library and device.

    Parameters
    ----------
    theta : array_like
        Of the shape, dtype and device wanted.
    seed : int

    Examples
    --------
    >>> from mslbook import random_direction
    >>> random_direction([0.0, 0.0, 0.0], seed=1).round(3)
    array([0.346, 0.822, 0.33 ])
    """
    theta = as_theta(theta, None)
    numbers = np.random.default_rng(seed).standard_normal(tuple(theta.shape))
    return array_namespace(theta).asarray(numbers, dtype=theta.dtype, device=theta.device)


def filter_normalised(loss, theta, direction):
    """The direction with every filter as long as that of the network.

    A filter is a slice along the first axis of a parameter with two axes or more; biases and
    BatchNorm are not moved (H. Li et al., "Visualizing the loss landscape of neural nets", 2018).

    Parameters
    ----------
    loss : NetworkLoss
    theta, direction : Tensor, shape (n,)

    Examples
    --------
    >>> import torch
    >>> from mslbook import NetworkLoss, filter_normalised, random_direction
    >>> model, x, y = torch.nn.Linear(3, 2), torch.ones(4, 3), torch.tensor([0, 1, 1, 0])
    >>> loss = NetworkLoss(model, (x, y), torch.nn.functional.cross_entropy)
    >>> filter_normalised(loss, loss.theta, random_direction(loss.theta))[6:]
    tensor([0., 0.])
    """
    if not hasattr(loss, "parameters"):
        raise TypeError("only a network has filters: pass a NetworkLoss")
    xp, theta = check_theta(loss, theta)
    norm, pieces, first = xp.linalg.vector_norm, [], 0
    unit = _unit(xp, theta, direction)
    for parameter in loss.parameters.values():
        part = slice(first, first + parameter.numel())
        first = part.stop
        if parameter.ndim < 2:
            pieces.append(0 * unit[part])
            continue
        weights, filters = (v[part].reshape((len(parameter), -1)) for v in (theta, unit))
        wanted, length = (norm(rows, axis=1, keepdims=True) for rows in (weights, filters))
        scale = xp.where(length > 0, wanted / length, 0 * length)
        pieces.append((scale * filters).reshape((-1,)))
    return xp.concat(pieces)


def _values(loss, theta, unit, distances):
    # The points are made one by one, since networks are large.
    values = [float(loss.value(theta + float(d) * unit)) for d in distances]
    return np.array(values, dtype=precision(theta))


def _unit(xp, theta, direction):
    """The direction as a unit vector of the kind of theta."""
    direction = as_real("the direction", direction)
    direction = direction.detach() if hasattr(direction, "detach") else direction
    direction = xp.asarray(direction, dtype=theta.dtype, device=theta.device)
    if direction.shape != theta.shape:
        shape, wanted = tuple(direction.shape), tuple(theta.shape)
        raise ValueError(f"the direction has shape {shape}, theta {wanted}")
    largest = xp.max(xp.abs(direction))
    if not 0 < float(largest) < inf:
        raise ValueError("the direction is 0 or not finite: it points nowhere")
    direction = direction / largest  # or its square could leave the range
    return direction / xp.linalg.vector_norm(direction)
