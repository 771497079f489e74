"""Tests of the pulse of comments."""
