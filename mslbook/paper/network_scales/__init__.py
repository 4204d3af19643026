"""Section 3.2: the separate scales of networks."""

SECTION = "3.2"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig3_2_landscape": (
        "experiment:PLAIN",
        "VGG11 by full-batch descent: wide lines at several points, and the sharp well in them",
    ),
    "fig3_2_normalised": (
        "experiment:NORMALISED",
        "the same with BatchNorm, which decides whether there is a sharp well",
    ),
    "fig3_2_choices": (
        "ablations:ABLATIONS_WIDE",
        "wide lines at the end of the trainings of fig3_1_choices: what decides whether there is a "
        "sharp well",
    ),
    "fig3_2_paths": (
        "paths:PATHS",
        "VGG11 by full-batch descent, decayed at three epochs: the paths in three dimensions",
    ),
    "fig3_2_paths_cross_entropy": (
        "paths:PATHS_CROSS_ENTROPY",
        "fig3_2_paths with the cross-entropy instead",
    ),
    "fig3_2_paths_minibatches": (
        "paths:PATHS_MINIBATCHES",
        "fig3_2_paths with minibatches instead, so with more steps in an epoch",
    ),
}
