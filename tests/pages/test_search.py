"""Search: what is found, and that nobody finds what they may not see."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, ordered, published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_a_customer_finds_their_own_orders_by_title_reference_account_and_id(
    guest: Guest, alice: Client, charlie: Client, world: World
) -> None:
    bundle = await published(alice, title="Spring <b>", external_ref="ref-7")
    await published(charlie, title="Spring of another")
    await guest.sign_in("alice")
    for sought in ("spring", "REF", "acme.d", bundle):
        page = await guest.get(f"/search?q={sought}")
        assert f'href="/console/{world.acme}/bundles/{bundle}"' in page.html, sought
        assert "Spring <b>" in page.text
        assert "<b>" not in page.html
        assert "another" not in page.text


async def test_strangers_find_nothing_not_even_by_id(guest: Guest, charlie: Client) -> None:
    bundle = await ordered(charlie, title="Secret")
    await guest.sign_in("alice")
    for sought in ("Secret", bundle):
        assert "Nothing that you may see" in (await guest.get(f"/search?q={sought}")).text


async def test_a_manager_finds_what_they_hold_and_what_they_could_claim(
    guest: Guest, alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    mine, free = await published(alice, title="Held"), await published(alice, title="Free")
    other = await published(alice, country="DE")
    await claimed(conn, world, ports, mine)
    await guest.sign_in("mona")
    page = await guest.get("/search?q=acme")
    assert f'href="/desk/{world.acme}/{mine}"' in page.html
    # The customer's own words are not the manager's to see.
    assert "Held" not in page.text
    assert free not in page.html
    assert "can claim" in (await guest.get(f"/search?q={free}")).text
    assert "Nothing" in (await guest.get(f"/search?q={other}")).text


async def test_an_operator_finds_everybodys(guest: Guest, alice: Client, charlie: Client) -> None:
    found = [await ordered(one, title="Autumn") for one in (alice, charlie)]
    await guest.sign_in("olga")
    page = await guest.get("/search?q=autumn")
    assert all(f'href="/admin/orders/{bundle}"' in page.html for bundle in found)


@pytest.mark.parametrize(
    "sought", ["%25", "_", "a%00b", "x" * 3000, "%F0%9F%98%80", "'", "</script>", "%E2%80%AE"]
)
async def test_whatever_is_sought_is_no_failure(guest: Guest, alice: Client, sought: str) -> None:
    await ordered(alice, title="Winter")
    await guest.sign_in("alice")
    page = await guest.get(f"/search?q={sought}")
    assert page.status in {200, 400}
    assert "Winter" not in page.text


async def test_nothing_is_searched_before_anything_is_asked(guest: Guest) -> None:
    await guest.sign_in("alice")
    assert "Nothing that you may see" not in (await guest.get("/search")).text
