"""Accounts that managers have set up: one test file per operation."""
