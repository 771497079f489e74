"""Rehearsals for programs: a server of their own, a pytest fixture, and scenarios in YAML.

``host.py`` is the process that runs the server. ``server.py`` is what starts it and talks to it; it
needs nothing but the standard library, since pytest loads it in every session.
"""
