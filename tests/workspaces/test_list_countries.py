"""``GET /countries``."""

from __future__ import annotations

from tests.bundles.stages import SET_COUNTRY
from tests.client import Client
from tokportal_server.lib.db import Connection

NAMED = {"USA", "UK", "FR", "DE", "CA", "IT", "ES", "PH"}


async def test_lists_the_countries_by_code_to_anybody(nobody: Client) -> None:
    countries = (await nobody.get("/countries")).data

    codes = [country["code"] for country in countries]
    assert codes == sorted(codes)
    assert len(codes) >= 16
    assert set(codes) >= NAMED
    for country in countries:
        assert set(country) == {"code", "name", "enabled_for"}
        assert country["enabled_for"] == ["account", "videos"]
    assert {c["code"]: c["name"] for c in countries}["USA"] == "United States"


async def test_shows_what_a_country_is_closed_for(nobody: Client, conn: Connection) -> None:
    await conn.execute(SET_COUNTRY, "FR", ["videos"])
    await conn.execute(SET_COUNTRY, "DE", [])

    countries = {c["code"]: c["enabled_for"] for c in (await nobody.get("/countries")).data}

    assert (countries["FR"], countries["DE"]) == (["videos"], [])


async def test_ignores_a_key_that_nobody_has(server: str) -> None:
    async with Client(server, "sk_" + "0" * 64) as stranger:
        assert (await stranger.get("/countries")).status == 200


async def test_takes_no_parameters(nobody: Client) -> None:
    reply = await nobody.get("/countries", params={"enabled": "true"})

    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
    assert reply.details == {"parameters": ["enabled"]}
