"""What the paper predicts of gradient descent, to be compared with what it does."""

from mslbook.theory.cycles import stable_lr, two_cycle
from mslbook.theory.f3_bound import c_of_f3_exceeds
from mslbook.theory.slow_motion import SlowMotion, quasistatic
from mslbook.theory.trapping import Subquadratic, TrappingBall, subquadratic, trapping_radius

__all__ = [
    "SlowMotion",
    "Subquadratic",
    "TrappingBall",
    "c_of_f3_exceeds",
    "quasistatic",
    "stable_lr",
    "subquadratic",
    "trapping_radius",
    "two_cycle",
]
