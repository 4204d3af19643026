"""Section 5: separate scales."""

SECTION = "5"
