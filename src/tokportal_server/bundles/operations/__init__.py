"""Writes on bundles and profiles: one operation a file."""
