"""``python -m mslbook`` is ``mslbook``: the way in for torchrun."""

import sys

from mslbook.paper.cli import main

sys.exit(main())
