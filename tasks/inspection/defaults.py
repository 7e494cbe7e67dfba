"""How much is looked at where no one says."""

GRAPHS = 300
"""Graphs of each split."""
EXAMPLE_COUNT = 5
"""Examples shown."""
