"""Section 6: the origin of the scales."""

SECTION = "6"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "sec6_norms": (
        "norms:NORMS",
        "lengths of images, raw and standardised, and their spread by direction (seconds, no "
        "checkpoint)",
    ),
    "sec6_deciles": (
        "deciles:DECILES",
        "full-batch descent on images of real, equal and spread lengths: the loss of each tenth",
    ),
    "sec6_deciles_relu": ("deciles:RELU_DECILES", "the same with ReLU in the place of tanh"),
}
