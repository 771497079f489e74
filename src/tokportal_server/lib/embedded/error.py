"""The one exception of the embedded PostgreSQL."""

from __future__ import annotations

from tokportal_server.lib.errors import OperatorError


class EmbeddedPostgresError(OperatorError):
    """A refusal to start, stop or use the embedded server.

    The message says what is wrong, where, and the way out. Nothing half-made is left behind, and
    no permission of a directory that existed before was changed.
    """
