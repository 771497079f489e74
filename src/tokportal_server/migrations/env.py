"""Run the revisions: one connection, one transaction per revision, one migrator at a time."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

# Any constant will do, as long as every release of the server uses the same one.
_MIGRATION_LOCK = 7_265_311_904


def _run(connection: Connection) -> None:
    # Whoever starts second waits here and then finds nothing to do. The lock is the session's, so
    # that it spans the revisions; a table lock that cannot be had soon is not queued for.
    connection.execute(text(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})"))
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _migrate(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.get_main_option("sqlalchemy.url") or ""))
