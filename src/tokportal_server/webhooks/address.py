"""Which URLs may receive events."""

from __future__ import annotations

from collections.abc import Iterator

from tokportal_server.http.validation import Problem
from tokportal_server.lib.outbound import BlockedUrl, OutboundPolicy, check_url


def url_problems(url: str, policy: OutboundPolicy) -> Iterator[Problem]:
    """Yield why ``url`` may not be called, judged as text; its addresses are judged when called."""
    try:
        check_url(url, policy)
    except BlockedUrl as blocked:
        yield Problem("url", f"the URL {blocked.reason}", url)
