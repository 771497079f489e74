"""Where the media that a request names may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tokportal_server.http.call import Call
from tokportal_server.lib.outbound import OutboundPolicy


@dataclass(frozen=True, slots=True)
class MediaSource:
    """Our own public address, which marks uploads, and the rules for everybody else's."""

    base_url: str
    policy: OutboundPolicy

    @classmethod
    def of(cls, call: Call) -> Self:
        """Read both from a call."""
        return cls(call.base_url, call.ports.outbound_policy)
