"""Section 2.2: learning-rate decay."""

SECTION = "2.2"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig2_1_right": ("experiment:DESCENT", "VGG11, the learning rate decayed early, late or never"),
    "fig2_1_right_equal_time": ("experiment:EQUAL_TIME", "its early decay, run for equal time"),
    "fig2_1_right_sgd": ("experiment:SGD", "the same by SGD with the cross-entropy"),
    "fig2_1_right_cross_entropy": ("experiment:CROSS_ENTROPY", "with the cross-entropy alone"),
    "fig2_1_right_minibatches": ("experiment:MINIBATCHES", "with minibatches alone"),
}
