"""Ordering, setting up and publishing bundles: one test file per operation."""
