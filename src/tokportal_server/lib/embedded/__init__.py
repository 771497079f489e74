"""PostgreSQL without an installation: the wheel's binaries, initialised and supervised by us.

Why, and what was rejected, is in docs/decisions/0001-embedded-postgresql.md. The modules from
the bottom up: ``error``, ``account`` (who runs it), ``directories`` (where it lives),
``binaries``, ``cluster`` (initdb and its checks), ``connection``, ``postmaster`` (the processes),
``server`` (start, adopt, stop), ``sharing`` (kept running while anybody uses it) and ``upgrading``
(to a newer major version).
"""

from __future__ import annotations

from tokportal_server.lib.embedded.error import EmbeddedPostgresError
from tokportal_server.lib.embedded.server import DATABASE, NEWEST, EmbeddedPostgres, start
from tokportal_server.lib.embedded.sharing import shared
from tokportal_server.lib.embedded.upgrading import major_of

__all__ = [
    "DATABASE",
    "NEWEST",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "major_of",
    "shared",
    "start",
]
