"""Tests of the tools, with the official client of the Model Context Protocol."""
