"""Run the revisions: one connection, one transaction per revision, one migrator at a time."""

from __future__ import annotations

import asyncio
from functools import partial

import asyncpg
from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tokportal_server.migrations.texts import HAS_TEXTS, TEXTS, refuse_other_texts

# Any constant will do, as long as every release of the server uses the same one.
_MIGRATION_LOCK = 7_265_311_904


def _run(connection: Connection) -> None:
    # Whoever starts second waits here and then finds nothing to do. The lock is the session's, so
    # that it spans the revisions; a table lock that cannot be had soon is not queued for.
    connection.execute(text(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})"))
    connection.execute(text("SET lock_timeout = '5s'"))
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None:
        known = connection.scalar(text(HAS_TEXTS))
        rows = connection.execute(text(TEXTS)).all() if known else []
        refuse_other_texts({row.revision: row.sha256 for row in rows}, revision)
        if revision not in {script.revision for script in context.script.walk_revisions()}:
            # A newer release has been here. What it adds is no obstacle to this one.
            return
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _migrate(dsn: str) -> None:
    # The driver reads the address itself, as everywhere else: SQLAlchemy knows neither `postgres://`
    # nor what PostgreSQL's own addresses may ask for, such as `sslmode`.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(asyncpg.connect, dsn), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.get_main_option("sqlalchemy.url") or ""))
