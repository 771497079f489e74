"""A whole installation under load, while its parts are killed, frozen, starved and cut off.

``scene`` sets it up, ``customers`` are the load, ``blows`` the faults, ``plan`` draws them from a
seed, ``books`` reads afterwards what came of what was promised, and ``trial`` does all of it.
"""
