"""Optimizers: how a loss is descended, and the curvature above which each becomes unstable."""

from mslbook import _public
from mslbook.optimizers.adam import Adam
from mslbook.optimizers.base import Optimizer
from mslbook.optimizers.gradient_descent import GradientDescent
from mslbook.optimizers.momentum import Momentum
from mslbook.optimizers.nesterov import Nesterov
from mslbook.optimizers.rmsprop import RMSProp
from mslbook.optimizers.schedule import decays

__all__ = _public.names(globals())
