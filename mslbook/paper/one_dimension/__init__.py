"""Section 4.1: one dimension."""

SECTION = "4.1"
