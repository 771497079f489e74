"""Wiring: which operations there are, and what each process opens before it works."""
