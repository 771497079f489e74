"""Send a revision's SQL text to the server as it stands.

SQLAlchemy's ``text()`` would read ``:x`` and ``%`` as placeholders, and asyncpg refuses several
statements in a prepared one; its simple protocol, reached through the driver's own connection,
takes a whole file in one go.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

from tokportal_server.migrations.texts import RECORD_TEXT, digest, text_of


def apply(revision: str) -> None:
    """Run ``sql/<revision>.sql`` in the transaction of the running revision, and record it."""
    statements = text_of(revision)
    connection = op.get_bind()
    # SQLAlchemy opens the transaction with the first statement that passes through its own hands; a
    # file sent past it before that would commit by itself.
    connection.exec_driver_sql("SELECT 1")
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute(statements))
    await_only(driver.execute(RECORD_TEXT, PurePath(revision).name, digest(statements)))
