"""Section 4.3: the general setting."""

SECTION = "4.3"
