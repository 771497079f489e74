"""Writes on workspaces, people and keys: one function a file."""
