"""Tests of the command line, mostly through real processes."""
