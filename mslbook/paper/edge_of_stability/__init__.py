"""Section 2.1: the edge of stability."""

SECTION = "2.1"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig2_1_left": ("experiment:EDGE", "fully connected tanh network, at several learning rates")
}
