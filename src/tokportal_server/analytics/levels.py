"""Which analytics a workspace has: its plan is its level (contract section 11)."""

from __future__ import annotations

from typing import Final, Literal, get_args
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError

Level = Literal["starter", "creator", "full"]
_LEVELS: Final[tuple[Level, ...]] = get_args(Level)

LEVEL_OF = "SELECT plan FROM workspaces WHERE id = $1"


class AnalyticsLevelRequiredError(ApiError):
    """The workspace's plan does not include this; ``details`` name both levels."""

    code = "ANALYTICS_LEVEL_REQUIRED"
    status = 403
    remedy = "The operator: moves the workspace to the plan that `details.required_level` names."


def includes(level: Level, required: Level) -> bool:
    """Say whether a level has what ``required`` has; each level has all of those before it."""
    return _LEVELS.index(level) >= _LEVELS.index(required)


async def level_of(conn: Connection, workspace_id: UUID) -> Level:
    """Give the level of a workspace that is there."""
    level: Level = await conn.fetchval(LEVEL_OF, workspace_id)
    return level


async def require_level(
    conn: Connection, workspace_id: UUID, required: Level, *, what: str
) -> Level:
    """Make sure that a workspace may have ``what`` ("The series"); give its level.

    Raises:
        AnalyticsLevelRequiredError: its plan is below ``required``.
    """
    level = await level_of(conn, workspace_id)
    if not includes(level, required):
        raise level_required(level, required, what=what)
    return level


def level_required(level: Level, required: Level, *, what: str) -> AnalyticsLevelRequiredError:
    """Give the 403 of a workspace whose plan is too small for ``what``."""
    return AnalyticsLevelRequiredError(
        f"{what} needs the plan {required}; this workspace has {level}. Ask the operator to change"
        " the plan.",
        details={"required_level": required, "current_level": level},
    )
