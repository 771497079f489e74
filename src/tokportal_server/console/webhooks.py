"""Webhook endpoints: made, changed, paused, tested, given another secret, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, Final, get_args

import msgspec

from tokportal_server.console.acts import (
    console_address,
    is_writer,
    perform,
    refusal_of,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import options
from tokportal_server.http.errors import ValidationError
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.pages.stale import require_unchanged, version_of
from tokportal_server.pages.texts import text
from tokportal_server.rehearsal.routes import WebhookFaultRequest
from tokportal_server.webhooks.catalogue import CATALOGUE, TEST_EVENT, EventType
from tokportal_server.webhooks.delivery_log import list_deliveries
from tokportal_server.webhooks.errors import WebhookEndpointNotFoundError
from tokportal_server.webhooks.faults import set_fault
from tokportal_server.webhooks.manual import lock_endpoint, make_attempt, record_attempt
from tokportal_server.webhooks.operations.create_webhook_endpoint import create_webhook_endpoint
from tokportal_server.webhooks.operations.delete_webhook_endpoint import delete_webhook_endpoint
from tokportal_server.webhooks.operations.rotate_webhook_secret import rotate_webhook_secret
from tokportal_server.webhooks.operations.test_webhook_endpoint import test_webhook_endpoint
from tokportal_server.webhooks.operations.update_webhook_endpoint import update_webhook_endpoint
from tokportal_server.webhooks.queries import get_endpoint, list_endpoints
from tokportal_server.webhooks.sending import Fault
from tokportal_server.webhooks.wire import (
    CreateWebhookEndpointRequest,
    DeliveryQuery,
    EndpointQuery,
    UpdateWebhookEndpointRequest,
    WebhookEndpoint,
)

FAULT = "SELECT fault, remaining FROM webhook_faults WHERE workspace_id = $1 AND endpoint_id = $2"
_FAULTS: Final[tuple[str, ...]] = get_args(Fault)
_CHOSEN: Final = "events."
_LATEST: Final = 5


async def show_webhooks(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """List the endpoints, with a form for another one."""
    query = EndpointQuery(per_page=100)
    endpoints, _ = await list_endpoints(visit.conn, visit.workspace.id, query)
    facts = {
        "endpoints": endpoints,
        "groups": _groups(()),
        "chosen": _chosen(visit.form),
        "writer": is_writer(visit),
        "address": _root(visit),
        "refusal": refusal,
    }
    return Shown("webhooks.html", facts)


async def create_webhook(visit: Visit) -> Answer:
    """Make an endpoint, and show its signing secret this once."""
    try:
        asked = decode_body(CreateWebhookEndpointRequest, _body(visit.form, "url", "description"))
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            created = await create_webhook_endpoint(
                tx=tx,
                actor=visit.customer,
                vault=visit.ports.vault,
                policy=visit.ports.outbound_policy,
                url=asked.url,
                events=asked.events,
                description=asked.description,
            )
    except ApiError as error:
        return await show_webhooks(visit, _refused("create", error, visit))
    return _secret_page(visit, created.url, created.signing_secret, f"{_root(visit)}/{created.id}")


async def show_webhook(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show one endpoint with its last deliveries, and everything that can be done to it.

    Raises:
        PageNotFoundError: the workspace has no such endpoint.
    """
    endpoint = await endpoint_of(visit)
    query = DeliveryQuery(per_page=_LATEST)
    workspace_id = visit.workspace.id
    latest, _ = await list_deliveries(visit.conn, workspace_id, endpoint.id, query)
    chosen = _chosen(visit.form) if refusal and refusal.form == "edit" else set(endpoint.events)
    facts = {
        "endpoint": endpoint,
        "latest": latest,
        "groups": _groups(endpoint.events),
        "chosen": chosen,
        "version": version_of(_values(endpoint)),
        "explained": {one.type: one.description for one in CATALOGUE},
        "fault": await visit.conn.fetchrow(FAULT, workspace_id, endpoint.id),
        "fault_options": options("fault", _FAULTS),
        "writer": is_writer(visit),
        "root": _root(visit),
        "address": endpoint_address(visit),
        "refusal": refusal,
    }
    return Shown("webhook.html", facts)


async def edit_webhook(visit: Visit) -> Answer:
    """Change address, events and note."""

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(UpdateWebhookEndpointRequest, _body(visit.form, "url", "description"))
        endpoint_id = visit.id("endpoint")
        await lock_endpoint(tx.conn, tx.workspace_id, endpoint_id)
        now = await get_endpoint(tx.conn, tx.workspace_id, endpoint_id)
        require_unchanged(visit.form, _values(now))
        await update_webhook_endpoint(
            tx=tx,
            actor=visit.customer,
            policy=visit.ports.outbound_policy,
            endpoint_id=endpoint_id,
            url=asked.url,
            events=asked.events,
            description=visit.field("description") or None,
        )

    return await _change(visit, "edit", act, done="webhook_edited")


async def switch_webhook(visit: Visit) -> Answer:
    """Pause an endpoint, or go on with it."""
    enabled = visit.field("enabled") == "true"

    async def act(tx: UnitOfWork) -> None:
        await update_webhook_endpoint(
            tx=tx,
            actor=visit.customer,
            policy=visit.ports.outbound_policy,
            endpoint_id=visit.id("endpoint"),
            enabled=enabled,
        )

    return await _change(visit, "switch", act, done="webhook_on" if enabled else "webhook_off")


async def delete_webhook(visit: Visit) -> Answer:
    """Forget an endpoint with its secret."""

    async def act(tx: UnitOfWork) -> None:
        await delete_webhook_endpoint(tx=tx, actor=visit.customer, endpoint_id=visit.id("endpoint"))

    done = f"{_root(visit)}?done=webhook_deleted"
    return await perform(visit, "delete", act, again=show_webhook, then=done)


async def rotate_secret(visit: Visit) -> Answer:
    """Give an endpoint another secret, and show it this once."""
    endpoint = await endpoint_of(visit)
    async with visit.writing(visit.workspace.id, visit.now) as tx:
        secret = await rotate_webhook_secret(
            tx=tx, actor=visit.customer, vault=visit.ports.vault, endpoint_id=endpoint.id
        )
    return _secret_page(visit, endpoint.url, secret, endpoint_address(visit))


async def set_webhook_fault(visit: Visit) -> Answer:
    """Let the next deliveries of a rehearsal's endpoint go wrong."""
    endpoint = await endpoint_of(visit)
    if not visit.workspace.rehearsal:
        raise nothing_here()

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(WebhookFaultRequest, body_of(WebhookFaultRequest, visit.form))
        await set_fault(
            tx=tx, endpoint_id=endpoint.id, fault=asked.fault, deliveries=asked.deliveries
        )

    return await _change(visit, "fault", act, done="webhook_fault")


async def test_webhook(visit: Visit) -> Answer:
    """Send a test event now, and lead to what came of it."""
    try:
        async with visit.connected() as here:
            sendable = await test_webhook_endpoint(
                here.conn,
                visit.workspace.id,
                endpoint_id=visit.id("endpoint"),
                now=visit.now,
                key=None,
            )
        result = await make_attempt(visit.ports, sendable)
        async with visit.connected() as here:
            delivery = await record_attempt(here.conn, result)
    except WebhookEndpointNotFoundError:
        raise nothing_here() from None
    done = "webhook_tested" if delivery.success else "webhook_failed"
    return Redirect(f"{endpoint_address(visit)}/deliveries/{delivery.id}?done={done}")


async def endpoint_of(visit: Visit) -> WebhookEndpoint:
    """Give the endpoint that the page is about.

    Raises:
        PageNotFoundError: the workspace has none with this id.
    """
    try:
        return await get_endpoint(visit.conn, visit.workspace.id, visit.id("endpoint"))
    except WebhookEndpointNotFoundError:
        raise nothing_here() from None


def endpoint_address(visit: Visit) -> str:
    """Give the address of the endpoint that a page is about."""
    return f"{_root(visit)}/{visit.id('endpoint')}"


def _refused(form: str, error: ApiError, visit: Visit) -> Refusal:
    """Read a refusal; that nothing is ticked is said in words of the page."""
    refusal = refusal_of(form, error, visit)
    if isinstance(error, ValidationError) and not _chosen(visit.form):
        return replace(refusal, message=text("webhooks.tick_one"))
    return refusal


async def _change(visit: Visit, form: str, act: Any, *, done: str) -> Answer:
    then = f"{endpoint_address(visit)}?done={done}"
    return await perform(visit, form, act, again=show_webhook, then=then)


def _secret_page(visit: Visit, url: str, secret: str | None, back: str) -> Shown:
    facts = {"url": url, "secret": secret, "back": back, "root": _root(visit)}
    return Shown("webhook_secret.html", facts, 201)


def _values(endpoint: WebhookEndpoint) -> dict[str, object]:
    """Give what the form of an endpoint is made from."""
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "events": sorted(endpoint.events),
    }


def _chosen(form: Mapping[str, str]) -> set[str]:
    """Give the event types that are ticked in a form."""
    return {name.removeprefix(_CHOSEN) for name in form if name.startswith(_CHOSEN)}


def _body(form: Mapping[str, str], *names: str) -> bytes:
    """Write a form of an endpoint as the API's body."""
    fields = {name: form.get(name, "").strip() for name in names}
    document = {name: value for name, value in fields.items() if value}
    return msgspec.json.encode({**document, "events": sorted(_chosen(form))})


def _groups(subscribed: Any) -> list[tuple[str, list[EventType]]]:
    """Give the event types by their first word; what is never sent only if it is subscribed to."""
    offered = [
        one
        for one in CATALOGUE
        if one.type in subscribed or (one.emitted and one.type != TEST_EVENT)
    ]
    by_word = groupby(offered, key=lambda one: one.type.partition(".")[0])
    return [(word, list(types)) for word, types in by_word]


def _root(visit: Visit) -> str:
    return f"{console_address(visit)}/webhooks"


_HERE = "/console/{workspace}/webhooks"
_ONE = f"{_HERE}/{{endpoint}}"
WEBHOOK_PAGES: Final = (
    Page("webhooks", "GET", _HERE, show_webhooks),
    Page("create_webhook", "POST", _HERE, create_webhook),
    Page("webhook", "GET", _ONE, show_webhook),
    Page("edit_webhook", "POST", _ONE, edit_webhook),
    Page("switch_webhook", "POST", f"{_ONE}/switch", switch_webhook),
    Page("delete_webhook", "POST", f"{_ONE}/delete", delete_webhook),
    Page("rotate_webhook_secret", "POST", f"{_ONE}/secret", rotate_secret),
    Page("set_webhook_fault", "POST", f"{_ONE}/fault", set_webhook_fault),
    Page("test_webhook", "POST", f"{_ONE}/test", test_webhook, goes_outside=True),
)
