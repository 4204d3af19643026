"""The losses of the computed demos as formulas, and the JavaScript that sympy prints of them.

The library's losses stay plain arrays; a test holds these against them. Adding a loss adds a line.
"""

import sympy
from sympy import Rational
from sympy.codegen.cfunctions import log1p

x, x1, x2 = sympy.symbols("x x1 x2", real=True)


def _f1(z):
    return (1 + abs(z)) * log1p(abs(z)) - abs(z)


def _f2(z):
    return sympy.Piecewise(
        (3 * z**2, abs(z) <= Rational(1, 3)), (1 - Rational(2, 9) / abs(z), True)
    )


def _saturation(z, c):
    return c * z / (1 + z)


# Within the root, what keeps the slope at the minimum from being 0/0 and changes nothing elsewhere.
_RADIUS = sympy.sqrt(x1**2 + x2**2 + sympy.Float(1e-300))
_WIDE = _f1((1 + x1**2 / 1000) * x2)
_NARROW = _saturation(_f1(10 * (1 + x2**2 / 1000) * x1), Rational(1, 4))

FORMULAS = {
    "parabola": x**2 / 2,
    "f1": _f1(x),
    "f2": _f2(x),
    "f3": _f2(x1) + _f2(x1 + x2) + _f1(_RADIUS) / 2,
    "valley": _f1(x2 / (1 + x1 / 100)),
    "two_valleys": _WIDE + _NARROW,
}


def javascript(name):
    """Print a formula as a JavaScript object with its value and its gradient.

    Examples
    --------
    >>> from mslbook.paper.demo.formulas import javascript
    >>> javascript("parabola")
    '{ value: (x) => (1/2)*Math.pow(x, 2), grad: (x) => [x] }'
    """
    formula = FORMULAS[name]
    variables = sorted(formula.free_symbols, key=str)
    value, *grad = (
        " ".join(sympy.jscode(part, user_functions={"log1p": "Math.log1p"}).split())
        for part in (formula, *(formula.diff(variable) for variable in variables))
    )
    names = ", ".join(map(str, variables))
    return f"{{ value: ({names}) => {value}, grad: ({names}) => [{', '.join(grad)}] }}"
