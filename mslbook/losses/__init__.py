"""Losses: what is descended and measured. The analytic ones are here and need no torch."""

from mslbook.losses.protocol import Loss

__all__ = ["Loss"]
