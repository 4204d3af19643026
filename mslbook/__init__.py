"""Multiscale loss landscapes: losses, the descent on them, and probes that measure them.

Every public name is an attribute of this module, imported on first use: ``mslbook.descend``.
"""

from importlib import import_module

__version__ = "0.1.0"

_PACKAGES = ("losses", "optimizers", "descent", "probes", "theory")  # public: their __all__
_MODULES = {  # public names of modules that not everybody needs, or that need torch
    "NetworkLoss": "losses.network",
    "half_squared_error": "losses.network",
    "SharpnessTracker": "track",
    "Minibatches": "stochastic",
    "load": "data",
    "fully_connected": "networks",
    "vgg11": "networks",
    "resnet18": "networks",
    "densenet121": "networks",
}


def _import(module):
    return import_module(f"mslbook.{module}")


def __getattr__(name):
    if name == "__all__":
        return sorted({*_MODULES, *(name for part in _PACKAGES for name in _import(part).__all__)})
    if name in _MODULES:
        return getattr(_import(_MODULES[name]), name)
    if name in _PACKAGES:
        return _import(name)
    for part in _PACKAGES if not name.startswith("_") else ():
        if name in (module := _import(part)).__all__:
            return globals().setdefault(name, getattr(module, name))  # found once
    raise AttributeError(f"module 'mslbook' has no attribute {name!r}")


def __dir__():
    return [*globals(), *__getattr__("__all__")]
