"""What a package exports."""

from inspect import ismodule


def names(namespace):
    """The names that a package has imported to export: ``__all__ = _public.names(globals())``."""
    return [name for name, it in namespace.items() if not (name.startswith("_") or ismodule(it))]
