"""Tests of the rules that this repository holds itself to."""
