"""Section 4.2: many dimensions."""

SECTION = "4.2"
