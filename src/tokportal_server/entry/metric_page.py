"""The metrics as a table: everything that ``/metrics`` of a whole server can say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

# Imported for what they load: every module that counts something is in one of them.
from tokportal_server.entry import api, worker
from tokportal_server.workbench.levels import ALL_LEVELS

_PREFIX: Final = "tokportal_"
LOADED: Final = (api, worker)


class Told(NamedTuple):
    """A metric: the name as it stands in ``/metrics``, its kind, what it says, its labels."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]


def metrics() -> list[Told]:
    """Give all metrics of ours, by name; histograms without their `_bucket`, `_sum`, `_count`."""
    return sorted([*_counted(), *_levels()])


def metrics_table() -> str:
    """Give the Markdown table."""
    rows = ["| metric | kind | labels | what it says |", "|---|---|---|---|"]
    for told in metrics():
        labels = ", ".join(f"`{label}`" for label in told.labels)
        rows.append(f"| `{told.name}` | {told.kind} | {labels} | {told.meaning} |")
    return "\n".join(rows)


def _counted() -> Iterator[Told]:
    # The library has no public way from a registry to the labels of what is in it.
    for collector in set(REGISTRY._collector_to_names):  # noqa: SLF001 - see above
        if not isinstance(collector, MetricWrapperBase):
            continue
        labels = tuple(collector._labelnames)  # noqa: SLF001 - see above
        for family in collector.describe():
            if family.name.startswith(_PREFIX):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                yield Told(name, family.type, family.documentation, labels)


def _levels() -> Iterator[Told]:
    for level in ALL_LEVELS:
        yield Told(level.metric, "gauge", level.meaning, level.labels)
