"""Section 6: the origin of the scales."""

SECTION = "6"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "sec6_norms": ("norms:NORMS", "lengths of images and their spread by direction, in seconds"),
    "sec6_deciles": ("deciles:DECILES", "images of real, equal and spread lengths, by tenths"),
    "sec6_deciles_relu": ("deciles:RELU_DECILES", "the same with ReLU in the place of tanh"),
}
