"""The former name of :mod:`mslbook.distributed`, until its callers have moved."""

import sys

from mslbook import distributed

sys.modules[__name__] = distributed
