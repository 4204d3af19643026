"""What the paper predicts of gradient descent, to be compared with what it does."""

from mslbook import _public
from mslbook.theory.cycles import stable_lr, two_cycle
from mslbook.theory.slow_motion import SlowMotion, quasistatic
from mslbook.theory.trapping import Subquadratic, TrappingBall, subquadratic, trapping_radius

__all__ = _public.names(globals())
