"""Rehearsal workspaces: simulated managers and a clock that its owner moves.

Simulated managers act through the workbench's operations alone, with real events and real webhooks;
the clock only grows. Owns no table.
"""
