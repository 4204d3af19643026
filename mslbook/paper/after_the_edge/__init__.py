"""Section 4.4: after the edge."""

SECTION = "4.4"
