"""Section 3.1: subquadratic growth."""

SECTION = "3.1"

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "fig3_1_vgg11": ("experiment:VGG11", "VGG11 by full-batch descent: loss along the gradient"),
    "fig3_1_vgg11_bn": ("experiment:VGG11_BATCHNORM", "VGG11 with BatchNorm, from three seeds"),
    "fig3_1_ladder": ("experiment:LADDER", "VGG11 with BatchNorm, twice as wide"),
    "fig3_1_ladder_half": ("experiment:HALF", "VGG11 with BatchNorm, half as wide as the paper's"),
    "fig3_1_resnet18": ("experiment:RESNET18", "the same, with BatchNorm in both of its modes"),
    "fig3_1_densenet121": ("experiment:DENSENET121", "the same, for --data cifar100-50x100"),
    "fig3_1_choices": ("experiment:ABLATIONS", "VGG11, one factor changed at a time"),
}
