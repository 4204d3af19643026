"""What is measured along the way: probes of any loss with `value`, `grad` and `hvp`."""

from mslbook.probes.lyapunov import lyapunov
from mslbook.probes.sharpness import Sharpness, sharpness

__all__ = ["Sharpness", "lyapunov", "sharpness"]
