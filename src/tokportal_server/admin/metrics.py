"""``/metrics``: the counters of all processes of this server, and how things stand in the database.

Several processes share one port, so each keeps its numbers in files of a common folder and whoever
is asked adds them up (``lib/vitals.py``). What stands in the database is asked anew every few
seconds at most, however often somebody asks here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tokportal_server.http.client_address import client_address
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.vitals import are_shared, forget_the_dead
from tokportal_server.workbench.levels import Levels

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class MetricsForbiddenError(ApiError):
    """Metrics are read on the server's own machine, or with the token that was set for them."""

    code = "METRICS_FORBIDDEN"
    status = 403
    remedy = "The operator: set `TOKPORTAL_METRICS_TOKEN`, and have the collector send it."


class Exposition:
    """What this process answers to whoever collects metrics."""

    def __init__(self, ports: Ports) -> None:
        self._levels = Levels(ports.database, ports.settings.home)

    async def text(self) -> bytes:
        """Give all of it in Prometheus's text format; without the database, what there is."""
        levels = await self._levels.read()
        registry = CollectorRegistry()
        registry.register(_Given(levels))
        if are_shared():
            forget_the_dead()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(REGISTRY) + generate_latest(registry)


class _Given(Collector):
    """Metrics that have been read already; registries only know objects that are asked."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        """Give them."""
        return self._metrics


def metrics_route(ports: Ports) -> HTTPRouteHandler:
    """Give the route, bound to this process's ports."""
    exposition = Exposition(ports)

    @get("/metrics")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Metrics of the server, for Prometheus."""
        scope: Any = request.scope
        scope["tokportal_operation"] = "metrics"
        address = client_address(scope, ports.settings.trusted_proxies)
        if not may_read(address, dict(scope["headers"]), ports.settings):
            raise MetricsForbiddenError(
                "Metrics are given to this machine only. For a collector elsewhere, set"
                " TOKPORTAL_METRICS_TOKEN and send it as `Authorization: Bearer`."
            )
        return Response(await exposition.text(), media_type=CONTENT_TYPE)

    return metrics


def may_read(address: str, headers: Mapping[bytes, bytes], settings: Settings) -> bool:
    """Tell whether somebody may read metrics: with the token, or, if none is set, from here.

    What a proxy has handed on is from elsewhere, also if nobody has told us to trust the proxy.
    """
    if settings.metrics_token is not None:
        sent = headers.get(b"authorization", b"")
        return hmac.compare_digest(sent, f"Bearer {settings.metrics_token}".encode())
    if not settings.trusted_proxies and (headers.keys() & _HANDED_ON):
        return False
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


_HANDED_ON: Final = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
