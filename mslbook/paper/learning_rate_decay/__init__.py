"""Section 2.2: learning-rate decay."""

SECTION = "2.2"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig2_1_right": (
        "experiment:DESCENT",
        "VGG11 by full-batch descent, the learning rate decayed early or late: loss, test accuracy",
    ),
    "fig2_1_right_equal_time": (
        "experiment:EQUAL_TIME",
        "its early decay, run on until it has had as much time as the late one",
    ),
    "fig2_1_right_sgd": (
        "experiment:SGD",
        "the same by SGD with cross-entropy, which interpolates its images before the decay",
    ),
    "fig2_1_right_cross_entropy": (
        "experiment:CROSS_ENTROPY",
        "fig2_1_right with the cross-entropy instead, one seed",
    ),
    "fig2_1_right_minibatches": (
        "experiment:MINIBATCHES",
        "fig2_1_right with minibatches instead, so with more steps in an epoch, one seed",
    ),
}
