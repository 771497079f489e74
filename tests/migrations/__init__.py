"""Tests of how the schema comes into a database."""
