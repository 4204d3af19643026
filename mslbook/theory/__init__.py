"""What the paper predicts of gradient descent, to be held against what it does."""

from mslbook.theory.cycles import stable_lr, two_cycle

__all__ = ["stable_lr", "two_cycle"]
