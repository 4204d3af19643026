"""Multiscale loss landscapes: losses, the descent on them, and probes that measure them."""

__version__ = "0.1.0"
