from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.cast import World
from tests.console.test_keys import seen_of
from tests.console.test_orders import console
from tests.pages.guest import Guest, Seen
from tests.webhooks.receiver import Received, Receiver, answering, receiving
from tests.webhooks.rig import TYPE, Rig
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.signing import verify_signature
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher

ACTS = "SELECT action FROM audit WHERE action LIKE 'webhook_endpoint.%' ORDER BY ordinal"
ENDPOINT = "SELECT id, events, enabled, description FROM webhook_endpoints"
GIVE_UP = "UPDATE webhook_deliveries SET next_attempt_at = NULL WHERE status = 'failed'"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Somebody who listens."""
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def rig(ports: Ports, world: World) -> Rig:
    """Endpoints and events without the API in between."""
    return Rig(ports, world, Dispatcher(ports, {}), Deliverer(ports))


def secret_of(seen: Seen) -> str:
    """Give the secret that a page shows once."""
    found = re.search(r'data-copy="(whsec_[0-9a-f]{64})"', seen.html)
    assert found, seen.text
    return found.group(1)


def is_signed(received: Received, secret: str) -> bool:
    """Say whether a delivery carries the signature of a secret."""
    signature = received.headers["TokPortal-Signature"]
    return verify_signature(secret, signature, received.body, now=int(real_now().timestamp()))


async def test_an_endpoint_is_made_shown_once_tested_changed_paused_and_deleted(
    customer: Guest, receiver: Receiver, conn: Connection, world: World
) -> None:
    root = console(world, "webhooks")
    assert "None yet." in (await customer.get(root)).text
    form = {"url": receiver.url, "description": "Mine", "events.bundle.created": "true"}
    made = await customer.post(root, form)
    assert made.status == 201
    secret = secret_of(made)
    row = await conn.fetchrow(ENDPOINT)
    assert row
    there = f"{root}/{row['id']}"
    assert secret not in (await customer.get(there)).html
    tested = await customer.post(f"{there}/test")
    assert tested.to.endswith("?done=webhook_tested")
    got = receiver.received[0]
    assert is_signed(got, secret)
    seen = await customer.get(tested.to)
    assert "webhook.test" in seen.text
    assert got.event_id in seen.text
    form = {"url": receiver.url, "description": "", "events.video.finalized": "true"}
    edit = form | seen_of(await customer.get(there))
    assert "done=webhook_edited" in (await customer.post(there, edit)).to
    changed = await conn.fetchrow(ENDPOINT)
    assert changed
    assert (changed["events"], changed["description"]) == (["video.finalized"], None)
    assert "webhook_off" in (await customer.post(f"{there}/switch", {"enabled": "false"})).to
    assert "webhook_on" in (await customer.post(f"{there}/switch", {"enabled": "true"})).to
    other = secret_of(await customer.post(f"{there}/secret"))
    assert other != secret
    await customer.post(f"{there}/test")
    late = receiver.received[1]
    assert is_signed(late, other)
    assert not is_signed(late, secret)
    assert "webhook_deleted" in (await customer.post(f"{there}/delete")).to
    for act in ("", "/switch", "/secret", "/test", "/delete"):
        assert (await customer.post(f"{there}{act}", edit)).status == 404, act
    acts = [row["action"] for row in await conn.fetch(ACTS)]
    ends = ["create", "rotate_secret", "delete"]
    assert acts == [f"webhook_endpoint.{end}" for end in ends]


async def test_refuses_addresses_and_choices_and_keeps_what_was_ticked(
    customer: Guest, conn: Connection, world: World
) -> None:
    root = console(world, "webhooks")
    for url in ("ftp://example.com", "http://10.0.0.1/x", ""):
        refused = await customer.post(root, {"url": url, "events.bundle.created": "true"})
        assert refused.status == 400, url
        assert 'id="create-url-wrong"' in refused.html
        assert 'name="events.bundle.created" value="true" checked' in refused.html
    none = await customer.post(root, {"url": "https://example.com/x"})
    assert none.status == 400
    assert "tick at least one event" in none.text
    odd = await customer.post(root, {"url": "https://example.com/x", "events.no.such": "true"})
    assert odd.status == 400
    assert await conn.fetchrow(ENDPOINT) is None


async def test_a_delivery_shows_both_bodies_and_its_attempts_and_is_sent_again(
    customer: Guest, receiver: Receiver, rig: Rig, conn: Connection, world: World
) -> None:
    receiver.behave = answering(500, text="out of <b>order</b>")
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.dispatcher.run_once()
    await rig.deliverer.run_once()
    await rig.deliverer.drain()
    there = console(world, "webhooks", endpoint.id)
    listed = await customer.get(f"{there}/deliveries?success=false")
    assert TYPE in listed.text
    assert "failed" in listed.text
    assert "Nothing fits" in (await customer.get(f"{there}/deliveries?success=true")).text
    first = await conn.fetchval("SELECT id FROM webhook_deliveries WHERE status = 'failed'")
    seen = await customer.get(f"{there}/deliveries/{first}")
    assert "out of <b>order</b>" in seen.text or "out of &lt;b&gt;" in seen.html
    assert "<b>order</b>" not in seen.html
    assert receiver.event_ids[0] in seen.text
    assert seen.text.count("attempt ") >= 2
    # It is tried again by itself: nothing is given up yet.
    assert "Everything has arrived" in (await customer.get(f"{there}/undelivered")).text
    await conn.execute(GIVE_UP)
    assert TYPE in (await customer.get(f"{there}/undelivered")).text
    receiver.behave = answering(200)
    again = await customer.post(f"{there}/deliveries/{first}/retry")
    assert again.to.endswith("?done=webhook_tested")
    assert receiver.event_ids[0] == receiver.event_ids[1]
    assert "Everything has arrived" in (await customer.get(f"{there}/undelivered")).text
    await rig.switch(endpoint.id, enabled=False)
    paused = await customer.post(f"{there}/deliveries/{first}/retry")
    assert paused.status == 409
    assert "Switch it on to send this again" in paused.text
    assert (await customer.get(f"{there}/deliveries/{uuid4()}")).status == 404
    assert (await customer.post(f"{there}/deliveries/{uuid4()}/retry")).status == 404


async def test_a_viewer_sees_without_forms_and_a_stranger_sees_nothing(
    viewer: Guest, stranger: Guest, rig: Rig, world: World
) -> None:
    endpoint = await rig.endpoint("https://example.com/hooks")
    there = console(world, "webhooks", endpoint.id)
    for where in (console(world, "webhooks"), there, f"{there}/deliveries", f"{there}/undelivered"):
        seen = await viewer.get(where)
        assert "example.com" in seen.text
        assert 'method="post" action="/console' not in seen.html
        assert (await stranger.get(where)).status == 404
    assert (await stranger.get(_elsewhere(there, world))).status == 404
    for act in ("", "/switch", "/secret", "/test", "/delete", "/fault"):
        assert (await viewer.post(f"{there}{act}")).code == "PAGE_FORBIDDEN"
        form = {"url": "https://example.com/other", "events.bundle.created": "true"}
        assert (await stranger.post(_elsewhere(f"{there}{act}", world), form)).status == 404


async def test_the_fault_lab_is_for_rehearsals(
    customer: Guest, rig: Rig, conn: Connection, world: World
) -> None:
    endpoint = await rig.endpoint("https://example.com/hooks")
    there = console(world, "webhooks", endpoint.id)
    assert "Fault lab" not in (await customer.get(there)).text
    form = {"fault": "twice", "deliveries": "2"}
    assert (await customer.post(f"{there}/fault", form)).status == 404
    await conn.execute("UPDATE workspaces SET rehearsal = true WHERE id = $1", world.acme)
    assert "Fault lab" in (await customer.get(there)).text
    wrong = await customer.post(f"{there}/fault", {"fault": "odd", "deliveries": "2"})
    assert wrong.status == 400
    assert "done=webhook_fault" in (await customer.post(f"{there}/fault", form)).to
    assert "2 of the next deliveries go wrong" in (await customer.get(there)).text


def _elsewhere(where: str, world: World) -> str:
    return where.replace(str(world.acme), str(world.other))


async def test_two_who_change_one_endpoint_do_not_overwrite_each_other(
    customer: Guest, rig: Rig, conn: Connection, world: World
) -> None:
    endpoint = await rig.endpoint("https://example.com/hooks")
    there = console(world, "webhooks", endpoint.id)
    seen = seen_of(await customer.get(there))
    await conn.execute("UPDATE webhook_endpoints SET events = '{video.finalized}'")
    form = {"url": "https://example.com/new", "events.bundle.created": "true"}
    refused = await customer.post(there, {**form, **seen})
    assert refused.status == 409
    assert "video.finalized" in refused.text
    assert 'value="https://example.com/new"' in refused.html
    assert (await customer.post(there, {**form, **seen_of(refused)})).status == 303
    row = await conn.fetchrow(ENDPOINT)
    assert row
    assert row["events"] == ["bundle.created"]
