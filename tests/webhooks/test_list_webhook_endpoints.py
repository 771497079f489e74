from __future__ import annotations

import pytest

from tests.client import Client
from tests.webhooks.api import created


async def test_lists_the_workspaces_endpoints_newest_first(alice: Client, bob: Client) -> None:
    made = [await created(alice) for _ in range(3)]
    reply = await bob.get("/webhooks")
    assert [row["id"] for row in reply.data] == [row["id"] for row in reversed(made)]
    assert all("signing_secret" not in row for row in reply.data)
    assert reply.json["pagination"] == {"page": 1, "per_page": 25, "total": 3, "total_pages": 1}


async def test_gives_pages(alice: Client) -> None:
    made = [await created(alice) for _ in range(3)]
    reply = await alice.get("/webhooks?page=2&per_page=2")
    assert [row["id"] for row in reply.data] == [made[0]["id"]]
    assert reply.json["pagination"] == {"page": 2, "per_page": 2, "total": 3, "total_pages": 2}


async def test_filters_by_state_and_by_event(alice: Client) -> None:
    on = await created(alice, events=["bundle.created"])
    off = await created(alice, events=["report.created"], enabled=False)

    async def listed(query: str) -> list[str]:
        return [row["id"] for row in (await alice.get(f"/webhooks?{query}")).data]

    assert await listed("enabled=true") == await listed("enabled=1") == [on["id"]]
    assert await listed("enabled=FALSE") == await listed("enabled=0") == [off["id"]]
    assert await listed("event=report.created") == [off["id"]]
    assert await listed("event=bundle.created&enabled=false") == []


async def test_shows_nobody_elses(alice: Client, charlie: Client) -> None:
    await created(alice)
    assert (await charlie.get("/webhooks")).data == []


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.get("/webhooks")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("enabled=maybe", "enabled"),
        ("event=bundle.exploded", "event"),
        ("page=0", "page"),
        ("per_page=101", "per_page"),
        ("enabled=true&enabled=false", "enabled"),
    ],
)
async def test_refuses_a_filter_that_makes_no_sense(alice: Client, query: str, field: str) -> None:
    reply = await alice.get(f"/webhooks?{query}")
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == [field]


async def test_refuses_an_unknown_parameter(alice: Client) -> None:
    reply = await alice.get("/webhooks?url=x")
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
