"""``python -m mslbook`` is ``mslbook``: the way in for torchrun."""

import sys

from mslbook.cli import main

sys.exit(main())
