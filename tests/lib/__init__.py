"""Tests of the domain-free foundation."""
