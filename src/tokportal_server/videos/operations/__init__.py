"""Writes on slots: one operation a file."""
