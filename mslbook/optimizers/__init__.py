"""Optimizers: how a loss is descended, and the curvature above which each becomes unstable."""

from mslbook.optimizers.adam import Adam as Adam
from mslbook.optimizers.base import Optimizer as Optimizer
from mslbook.optimizers.gradient_descent import GradientDescent as GradientDescent
from mslbook.optimizers.momentum import Momentum as Momentum
from mslbook.optimizers.nesterov import Nesterov as Nesterov
from mslbook.optimizers.rmsprop import RMSProp as RMSProp
from mslbook.optimizers.schedule import decays as decays
