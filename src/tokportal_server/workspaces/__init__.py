"""Workspaces: who the customers are, their people, their API keys, and what the operator offers.

Owns workspaces, members, people, managers, API keys, countries, platforms, the clock's offset and
the kill switches; what a workspace holds, its archives and its erasing. Emits nothing.
"""
