"""Writes on webhook endpoints: one function a file."""
