"""The wire: what is the same for every operation."""
