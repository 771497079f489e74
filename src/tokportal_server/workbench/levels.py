"""How things stand in the database right now, for metrics: what waits, what is late, how much lies.

Workspaces that only rehearse are left out wherever orders are counted: their clocks are moved, so
their times say nothing. No label has an id in it; how many lines there are does not grow with use.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from tokportal_server import __version__
from tokportal_server.credits.lapses import WARN_AHEAD
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import UNAVAILABLE, Connection, Database, ServiceUnavailableError
from tokportal_server.lib.jobs.held import loads
from tokportal_server.workbench.deadlines import DUE, IDLE_AFTER

log = structlog.get_logger(__name__)

# More than these would cost more to count than it says.
_MOST_COUNTED: Final = 100_000
_MOST_DEADLINES: Final = 200
_KEPT_SECONDS: Final = 10.0
_SIZES_KEPT_SECONDS: Final = 600.0
_PATIENCE_SECONDS: Final = 5.0

EVENTS = """
SELECT count(*) AS waiting, COALESCE(extract(epoch FROM now() - min(recorded_at)), 0) AS oldest
  FROM (SELECT recorded_at FROM events WHERE dispatched_at IS NULL
         ORDER BY recorded_at LIMIT $1) e
"""
DELIVERIES = """
WITH pending AS (
    SELECT CASE WHEN d.lease_token IS NOT NULL THEN 'in_flight'
                WHEN NOT e.enabled THEN 'disabled'
                WHEN e.hold_until > now() + w.clock_offset THEN 'on_hold'
                WHEN d.due_at <= now() + w.clock_offset THEN 'due'
                ELSE 'later' END AS state,
           GREATEST(now() + w.clock_offset - d.due_at, interval '0') AS late
      FROM (SELECT workspace_id, endpoint_id, due_at, lease_token FROM webhook_deliveries
             WHERE status = 'pending' LIMIT $1) d
      JOIN webhook_endpoints e ON e.workspace_id = d.workspace_id AND e.id = d.endpoint_id
      JOIN workspaces w ON w.id = d.workspace_id
)
SELECT s.state, count(p.state) AS waiting,
       COALESCE(extract(epoch FROM max(p.late) FILTER (WHERE p.state = 'due')), 0) AS oldest
  FROM unnest(ARRAY['due', 'later', 'in_flight', 'on_hold', 'disabled']) AS s(state)
  LEFT JOIN pending p ON p.state = s.state GROUP BY s.state ORDER BY s.state
"""
ENDPOINTS = """
SELECT s.state, count(e.state) AS n
  FROM unnest(ARRAY['working', 'failing', 'on_hold', 'disabled', 'off']) AS s(state)
  LEFT JOIN (
      SELECT CASE WHEN e.disabled_reason IS NOT NULL THEN 'disabled' WHEN NOT e.enabled THEN 'off'
                  WHEN e.hold_until > now() + w.clock_offset THEN 'on_hold'
                  WHEN e.consecutive_failures > 0 THEN 'failing' ELSE 'working' END AS state
        FROM webhook_endpoints e JOIN workspaces w ON w.id = e.workspace_id) e ON e.state = s.state
 GROUP BY s.state ORDER BY s.state
"""
ORDERS = """
SELECT c.status, sum(c.n)::bigint AS n
  FROM counters c JOIN workspaces w ON w.id = c.workspace_id AND NOT w.rehearsal
 WHERE c.kind = 'bundle' GROUP BY c.status ORDER BY c.status
"""
UNCLAIMED = """
SELECT count(*) AS waiting, COALESCE(extract(epoch FROM now() - min(b.published_at)), 0) AS oldest
  FROM bundles b JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
 WHERE b.status IN ('published', 'published_priority')
"""
CLAIMS = """
SELECT count(*) AS live, count(*) FILTER (WHERE c.due_at < now()) AS overdue
  FROM claims c JOIN workspaces w ON w.id = c.workspace_id AND NOT w.rehearsal
 WHERE c.status = 'live'
"""
WALLETS = """
SELECT count(*) FILTER (WHERE v.is_low) AS low
  FROM wallets v JOIN workspaces w ON w.id = v.workspace_id AND NOT w.rehearsal
"""
SWITCHES = """
SELECT s.scope, count(k.scope) AS n
  FROM unnest(ARRAY['all', 'workspace', 'account', 'maintenance']) AS s(scope)
  LEFT JOIN kill_switches k ON k.scope = s.scope GROUP BY s.scope ORDER BY s.scope
"""
SESSIONS = """
SELECT count(*) AS used, current_setting('max_connections')::integer AS most
  FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
DOCTOR = "SELECT extract(epoch FROM examined_at) AS at, contradictions FROM doctor_runs"
SIZES = """
SELECT pg_database_size(current_database()) AS database,
       (SELECT COALESCE(sum(size_bytes), 0)::bigint FROM uploads) AS media
"""


@dataclass(frozen=True, slots=True)
class Level:
    """A metric: its name, what it says, and its labels, which are columns of a row too."""

    metric: str
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """A statement with its arguments, and the metrics that its columns are."""

    statement: str
    levels: Mapping[str, Level]
    arguments: tuple[Any, ...] = ()


_LOOKS: Final = (
    Look(
        EVENTS,
        {
            "waiting": Level("tokportal_events_waiting", "Events not dispatched yet."),
            "oldest": Level(
                "tokportal_events_oldest_seconds", "Age of the oldest event not dispatched yet."
            ),
        },
        (_MOST_COUNTED,),
    ),
    Look(
        DELIVERIES,
        {
            "waiting": Level(
                "tokportal_deliveries_waiting",
                "Webhook deliveries to be made: due, later, in flight, on hold with their endpoint,"
                " or of one that is off.",
                ("state",),
            ),
            "oldest": Level(
                "tokportal_deliveries_oldest_seconds",
                "By how much the most overdue delivery that could be made is late.",
                ("state",),
            ),
        },
        (_MOST_COUNTED,),
    ),
    Look(
        ENDPOINTS,
        {
            "n": Level(
                "tokportal_webhook_endpoints",
                "Webhook endpoints: working, failing, on hold by an open breaker, disabled by the"
                " server after too many failures, or switched off by their owners.",
                ("state",),
            )
        },
    ),
    Look(ORDERS, {"n": Level("tokportal_orders", "Bundles by status.", ("status",))}),
    Look(
        UNCLAIMED,
        {
            "waiting": Level("tokportal_orders_unclaimed", "Bundles that no manager has taken."),
            "oldest": Level(
                "tokportal_orders_unclaimed_oldest_seconds",
                "How long the oldest unclaimed bundle has been offered.",
            ),
        },
    ),
    Look(
        CLAIMS,
        {
            "live": Level("tokportal_claims_live", "Bundles that managers work on."),
            "overdue": Level(
                "tokportal_claims_overdue", "Claims past their time that have not been ended."
            ),
        },
    ),
    Look(
        WALLETS,
        {"low": Level("tokportal_workspaces_low_on_credits", "Workspaces below their mark.")},
    ),
    Look(
        SWITCHES,
        {"n": Level("tokportal_switches", "What operators have stopped, by scope.", ("scope",))},
    ),
    Look(
        SESSIONS,
        {
            "used": Level("tokportal_database_sessions", "Sessions of the PostgreSQL server."),
            "most": Level("tokportal_database_sessions_limit", "`max_connections` of PostgreSQL."),
        },
    ),
    Look(
        DOCTOR,
        {
            "at": Level(
                "tokportal_doctor_last_run_timestamp_seconds",
                "When the doctor last examined the books; absent if never.",
            ),
            "contradictions": Level(
                "tokportal_doctor_contradictions",
                "Contradictions that the doctor found last; only 0 is good.",
            ),
        },
    ),
)
_SIZES: Final = Look(
    SIZES,
    {
        "database": Level("tokportal_database_bytes", "Size of the database."),
        "media": Level("tokportal_media_bytes", "Size of all stored uploads."),
    },
)
_INFO: Final = Level("tokportal_info", "The release that runs; always 1.", ("version",))
_UP: Final = Level("tokportal_database_up", "Whether the database answered.")
_DISK_FREE: Final = Level("tokportal_disk_free_bytes", "Free space of the home's disk.")
_DISK: Final = Level("tokportal_disk_bytes", "Size of the home's disk.")
_DUE: Final = Level(
    "tokportal_deadlines_due", f"Deadlines to be settled, counted up to {_MOST_DEADLINES}."
)
_DUE_SINCE: Final = Level(
    "tokportal_deadlines_oldest_seconds", "By how much the oldest due deadline is late."
)
_JOBS: Final = Level(
    "tokportal_jobs",
    "Background jobs: due, later, running, or held after their last attempt.",
    ("job", "state"),
)
_JOBS_SINCE: Final = Level(
    "tokportal_jobs_oldest_seconds", "How long the oldest due job has waited.", ("job",)
)
ALL_LEVELS: Final = (
    _INFO,
    _UP,
    *(level for look in (*_LOOKS, _SIZES) for level in look.levels.values()),
    _DUE,
    _DUE_SINCE,
    _JOBS,
    _JOBS_SINCE,
    _DISK,
    _DISK_FREE,
)


class Levels:
    """Reads the levels, at most once in ten seconds; sizes, which cost more, once in ten minutes.

    ``home`` is the directory whose disk is looked at.
    """

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home
        self._reading = asyncio.Lock()
        self._read: list[Metric] = []
        self._sizes: list[Metric] = []
        self._stale_at = self._sizes_stale_at = float("-inf")

    async def read(self) -> list[Metric]:
        """Give the levels; if the database does not answer, only that, and the disk's."""
        async with self._reading:
            if time.monotonic() >= self._stale_at:
                self._read = [_info(), *self._of_disk(), *await self._of_database()]
                self._stale_at = time.monotonic() + _KEPT_SECONDS
        return self._read

    async def _of_database(self) -> list[Metric]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._database.connection() as conn:
                found = [metric for look in _LOOKS for metric in await _take(conn, look)]
                found += await _deadlines(conn)
                found += await _jobs(conn)
                if time.monotonic() >= self._sizes_stale_at:
                    self._sizes = list(await _take(conn, _SIZES))
                    self._sizes_stale_at = time.monotonic() + _SIZES_KEPT_SECONDS
        except (*UNAVAILABLE, ServiceUnavailableError, TimeoutError) as error:
            log.warning("levels_not_read", error=str(error) or type(error).__name__)
            return [_family(_UP, 0.0)]
        return [_family(_UP, 1.0), *found, *self._sizes]

    def _of_disk(self) -> Iterator[Metric]:
        usage = shutil.disk_usage(self._home)
        yield _family(_DISK, usage.total)
        yield _family(_DISK_FREE, usage.free)


async def _take(conn: Connection, look: Look) -> Iterator[GaugeMetricFamily]:
    rows = await conn.fetch(look.statement, *look.arguments)
    return (_rows_of(level, rows, column) for column, level in look.levels.items())


async def _deadlines(conn: Connection) -> list[GaugeMetricFamily]:
    """Tell what the sweeper of deadlines should have settled by now, and has not."""
    now = real_now()
    rows = await conn.fetch(DUE, now, None, IDLE_AFTER, WARN_AHEAD, _MOST_DEADLINES)
    late = [(now - row["due_at"]).total_seconds() for row in rows]
    return [_family(_DUE, len(rows)), _family(_DUE_SINCE, max(late, default=0.0))]


async def _jobs(conn: Connection) -> list[GaugeMetricFamily]:
    counts, oldest = _family(_JOBS), _family(_JOBS_SINCE)
    now = real_now()
    for load in await loads(conn):
        for state in ("due", "later", "running", "held"):
            counts.add_metric([load.name, state], getattr(load, state))
        waited = (now - load.since).total_seconds() if load.since else 0.0
        oldest.add_metric([load.name], max(0.0, waited))
    return [counts, oldest]


def _rows_of(level: Level, rows: Sequence[asyncpg.Record], column: str) -> GaugeMetricFamily:
    family = _family(level)
    for row in rows:
        family.add_metric([row[label] for label in level.labels], float(row[column]))
    return family


def _family(level: Level, value: float | None = None) -> GaugeMetricFamily:
    """Give a metric with its one value, or without any yet."""
    labels = None if value is not None else level.labels
    return GaugeMetricFamily(level.metric, level.meaning, value=value, labels=labels)


def _info() -> GaugeMetricFamily:
    family = _family(_INFO)
    family.add_metric([__version__], 1)
    return family
