"""A pytest plugin: a rehearsal workspace for each test, on a server that the session shares.

def test_an_order_is_done_in_the_end(tokportal_server):
    client = TokPortal(tokportal_server.api_key, base_url=tokportal_server.base_url)
    ...
    tokportal_server.clock.advance(hours=72)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tokportal_server.entry.rehearsing.server import Rehearsal, RehearsalServer


@pytest.fixture(scope="session")
def tokportal_rehearsals() -> Iterator[RehearsalServer]:
    """A server for this session, started by the first test that wants it."""
    with RehearsalServer() as server:
        yield server


@pytest.fixture
def tokportal_server(
    tokportal_rehearsals: RehearsalServer, request: pytest.FixtureRequest
) -> Rehearsal:
    """A new rehearsal workspace with 1,000 credits: base URL, key, clock and scripts."""
    return tokportal_rehearsals.rehearsal(request.node.name[:100])
