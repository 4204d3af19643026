"""Multiscale loss landscapes: losses, the descent on them, and probes that measure them.

Every public name is an attribute of this module, imported on first use: ``mslbook.descend``.
"""

from importlib import import_module

__version__ = "0.1.0"

_PACKAGES = ("losses", "optimizers", "descent", "probes", "theory")  # public: their __all__
_MODULES = {  # of modules that not everybody needs, or that need torch
    "losses.network": ("NetworkLoss", "half_squared_error"),
    "track": ("SharpnessTracker",),
    "stochastic": ("Minibatches",),
    "data": ("load",),
    "networks": ("fully_connected", "vgg11", "resnet18", "densenet121"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def _import(module):
    return import_module(f"mslbook.{module}")


def __getattr__(name):
    if name == "__all__":
        return sorted(
            {*_MODULE_OF, *(name for part in _PACKAGES for name in _import(part).__all__)}
        )
    if name in _MODULE_OF:
        return getattr(_import(_MODULE_OF[name]), name)
    if name in _PACKAGES:
        return _import(name)
    if not name.startswith("_"):  # private names are asked for by tools, and import nothing
        for module in map(_import, _PACKAGES):
            if name in module.__all__:
                return globals().setdefault(name, getattr(module, name))  # found once
    raise AttributeError(f"module 'mslbook' has no attribute {name!r}")


def __dir__():
    return [*globals(), *__getattr__("__all__")]
