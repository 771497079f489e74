"""Providers of numbers, against platforms on loopback."""
