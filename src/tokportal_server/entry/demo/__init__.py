"""``tokportal-server demo``: the whole product on one machine, and one order walked through it.

1. Start database, API, worker and a webhook receiver on loopback.
2. Make a rehearsal workspace with credits, people and an API key.
3. Walk one order through the public API with the published Python client.
4. Say where everything is, and stay up until stopped.
"""

from __future__ import annotations

from tokportal_server.entry.demo.run import run

__all__ = ["run"]
