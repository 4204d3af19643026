"""When a network reaches the edge: recipes of minutes, and the numbers to expect of each.

This folder belongs to no section of the paper; it sets experiments of others beside them.
"""

# By name: where it is, and what it is in words.
EXPERIMENTS = {
    "what_to_expect": (
        "experiment:RECIPES",
        "small networks that reach 2/η, and two that never do; for --data cifar10 another",
    )
}
