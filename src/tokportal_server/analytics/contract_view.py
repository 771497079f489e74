"""The analytics contract as an answer (``getAnalyticsContract``)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, get_args

import msgspec

from tokportal_server.analytics.dashboard import access_of
from tokportal_server.analytics.definitions import (
    CONTRACT_VERSION,
    LEVELS,
    METRIC_DEFINITIONS,
    MODE_DEFINITIONS,
    REASONS,
    REDACTION_RULES,
    MetricDefinition,
    ModeDefinition,
)
from tokportal_server.analytics.export_posts import COLUMNS
from tokportal_server.analytics.levels import Level
from tokportal_server.analytics.observations import SOURCES
from tokportal_server.analytics.period import MOST_DAYS
from tokportal_server.analytics.post_list import SortBy
from tokportal_server.analytics.refreshing import COOLDOWN, FORCED_COOLDOWN
from tokportal_server.analytics.reports.content import Template
from tokportal_server.analytics.wire import Access, Granularity, Mode, SeriesMetric
from tokportal_server.lib.settings import Settings

_HOUR: Final = timedelta(hours=1)


class FreshnessTargets(msgspec.Struct, frozen=True, kw_only=True):
    """How old numbers are meant to get; null means that nothing is collected by itself."""

    scheduled_refresh_hours: int | None
    manual_cooldown_hours: int
    forced_cooldown_hours: int
    snapshots_kept_days: int
    comments_kept_days: int


class AnalyticsContract(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers mean, and what this workspace may see of them."""

    version: str
    metrics: list[MetricDefinition]
    modes: list[ModeDefinition]
    missing_reasons: dict[str, str]
    freshness_targets: FreshnessTargets
    redaction_rules: list[str]
    access: Access
    levels: dict[str, list[str]]
    enums: dict[str, list[str]]
    export_columns: list[str]
    most_days: int


_ENUMS = {
    "series.metric": SeriesMetric,
    "series.granularity": Granularity,
    "series.mode": Mode,
    "videos.sort_by": SortBy,
    "reports.template": Template,
}


def analytics_contract(level: Level, settings: Settings) -> AnalyticsContract:
    """Give the contract as it holds for a workspace of this level."""
    return AnalyticsContract(
        version=CONTRACT_VERSION,
        metrics=list(METRIC_DEFINITIONS),
        modes=list(MODE_DEFINITIONS),
        missing_reasons=dict(REASONS),
        freshness_targets=FreshnessTargets(
            scheduled_refresh_hours=settings.analytics_refresh_hours or None,
            manual_cooldown_hours=COOLDOWN // _HOUR,
            forced_cooldown_hours=FORCED_COOLDOWN // _HOUR,
            snapshots_kept_days=settings.analytics_snapshots_kept_days,
            comments_kept_days=settings.analytics_comments_kept_days,
        ),
        redaction_rules=list(REDACTION_RULES),
        access=access_of(level),
        levels={name: list(included) for name, included in LEVELS.items()},
        enums={name: list(get_args(values)) for name, values in _ENUMS.items()}
        | {"source": list(SOURCES), "videos.sort_order": ["asc", "desc"]},
        export_columns=list(COLUMNS),
        most_days=MOST_DAYS,
    )
