"""Writes on delivered accounts: one operation a file."""
