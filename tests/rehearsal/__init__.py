"""Tests of rehearsals: the virtual clock and the simulated managers."""
