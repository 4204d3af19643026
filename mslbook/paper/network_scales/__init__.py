"""Section 3.2: the separate scales of networks."""

SECTION = "3.2"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig3_2_landscape": ("experiment:PLAIN", "VGG11: wide lines through several of its iterates"),
    "fig3_2_normalised": ("experiment:NORMALISED", "the same with BatchNorm"),
    "fig3_2_choices": ("experiment:ABLATIONS_WIDE", "wide lines at the ends of fig3_1_choices"),
    "fig3_2_pairs": ("experiment:PAIRS", "pairs that differ in BatchNorm alone, from three seeds"),
    "fig3_2_paths": ("paths:PATHS", "VGG11 decayed at three epochs: paths in three dimensions"),
    "fig3_2_paths_cross_entropy": ("paths:PATHS_CROSS_ENTROPY", "with the cross-entropy instead"),
    "fig3_2_paths_minibatches": ("paths:PATHS_MINIBATCHES", "with minibatches instead"),
}
