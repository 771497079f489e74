"""``GET /accounts``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.bundles.stages import SET_ACCOUNT, delivered, in_review
from tests.cast import World
from tests.client import Client, Reply
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


def ids(reply: Reply) -> list[UUID]:
    return [UUID(account["id"]) for account in reply.data]


@pytest.fixture
async def three(alice: Client, conn: Connection, world: World, ports: Ports) -> list[UUID]:
    """Three, oldest first: delivered in the USA, banned in France, in review in the USA."""
    first = await delivered(alice, conn, world, ports)
    second = await delivered(alice, conn, world, ports, country="FR")
    await conn.execute(SET_ACCOUNT, second, "banned")
    _, third = await in_review(alice, conn, world, ports)
    return [first, second, third]


async def test_the_newest_come_first_as_the_whole_object(alice: Client, three: list[UUID]) -> None:
    reply = await alice.get("/accounts")

    assert ids(reply) == three[::-1]
    assert reply.json["pagination"] == {"page": 1, "per_page": 25, "total": 3, "total_pages": 1}
    for account in reply.data:
        assert (await alice.get(f"/accounts/{account['id']}")).data == account


async def test_pages_divide_the_list_and_end(alice: Client, three: list[UUID]) -> None:
    pages = [await alice.get("/accounts", params={"page": n, "per_page": 2}) for n in (1, 2, 3)]

    assert [ids(page) for page in pages] == [three[:0:-1], three[:1], []]
    assert [page.json["pagination"]["total_pages"] for page in pages] == [2, 2, 2]


async def test_filters_are_exact_and_all_must_match(alice: Client, three: list[UUID]) -> None:
    usa, france, review = three
    expected: list[tuple[dict[str, Any], list[UUID]]] = [
        ({"platform": "tiktok"}, [review, france, usa]),
        ({"platform": "instagram"}, []),
        ({"platform": "youtube"}, []),
        ({"country": "FR"}, [france]),
        ({"country": "united states"}, [review, usa]),
        ({"country": "Atlantis"}, []),
        ({"banned": "true"}, [france]),
        ({"banned": "1"}, [france]),
        ({"banned": "FALSE"}, [review, usa]),
        ({"banned": "0", "country": "US"}, [review, usa]),
        ({"banned": "True", "country": "USA"}, []),
    ]
    for params, found in expected:
        reply = await alice.get("/accounts", params=params)
        assert ids(reply) == found, params
        assert reply.json["pagination"]["total"] == len(found)


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"banned": "perhaps"}, {"banned"}),
        ({"page": "0"}, {"page"}),
        ({"per_page": "101"}, {"per_page"}),
        ([("country", "USA"), ("country", "FR")], {"country"}),
    ],
)
async def test_what_cannot_be_a_filter_is_refused(
    alice: Client, params: Any, fields: set[str]
) -> None:
    reply = await alice.get("/accounts", params=params)

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == fields


async def test_unknown_parameters_are_named(alice: Client) -> None:
    reply = await alice.get("/accounts", params={"status": "active"})

    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
    assert reply.details == {"parameters": ["status"]}


async def test_each_workspace_lists_its_own(
    bob: Client, charlie: Client, three: list[UUID]
) -> None:
    assert ids(await bob.get("/accounts")) == three[::-1]
    assert ids(await charlie.get("/accounts")) == []
