"""What the paper predicts of gradient descent, to be held against what it does."""

from mslbook.theory.cycles import stable_lr, two_cycle
from mslbook.theory.slow_motion import SlowMotion, quasistatic

__all__ = ["SlowMotion", "quasistatic", "stable_lr", "two_cycle"]
