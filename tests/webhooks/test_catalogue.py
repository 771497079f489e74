from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.client import Client
from tokportal_server.webhooks.catalogue import CATALOGUE, NAMES, EventType
from tokportal_server.workbench.machines import MACHINES

EMITTED = [entry for entry in CATALOGUE if entry.emitted]


@pytest.mark.parametrize("entry", EMITTED, ids=lambda entry: entry.type)
def test_every_example_validates_against_its_schema(entry: EventType) -> None:
    assert entry.schema is not None
    Draft202012Validator.check_schema(entry.schema)
    validator = Draft202012Validator(entry.schema, format_checker=FormatChecker())
    assert list(validator.iter_errors(entry.example)) == []
    broken = dict.fromkeys(entry.example or {})
    assert not validator.is_valid(broken)


def test_lists_every_event_of_the_state_machines_as_emitted() -> None:
    announced = {t.event for m in MACHINES for t in m.transitions if t.event is not None}
    assert announced <= {entry.type for entry in EMITTED}


def test_shows_the_statuses_of_the_transition_that_emits_the_event() -> None:
    examples = {entry.type: entry.example or {} for entry in EMITTED}
    for machine in MACHINES:
        for event in {t.event for t in machine.transitions} - {None}:
            shown = examples[str(event)]
            transition = machine.transition(shown["previous_status"], shown["status"])
            assert transition.event == event


def test_accepts_names_of_newer_clients_and_says_they_are_never_sent() -> None:
    silent = {entry.type for entry in CATALOGUE if not entry.emitted}
    assert {"account.remade", "warming.session_started", "subscription.ended"} <= silent


def test_lists_no_type_twice() -> None:
    assert len(NAMES) == len(CATALOGUE)


async def test_is_public(nobody: Client) -> None:
    reply = await nobody.get("/webhooks/events")
    assert reply.status == 200
    assert {entry["type"] for entry in reply.data["events"]} == NAMES
    assert reply.data["delivery"]["retry_delays_seconds"][:3] == [5, 300, 1800]
    assert reply.data["signature"]["header"] == "TokPortal-Signature"


async def test_shows_an_envelope_that_its_schema_accepts(alice: Client) -> None:
    envelope = (await alice.get("/webhooks/events")).data["envelope"]
    assert Draft202012Validator(envelope["schema"]).is_valid(envelope["example"])
    assert envelope["example"]["data"]["sequence"] == 1


async def test_ignores_a_bad_key(server: str) -> None:
    async with Client(server, "sk_" + "0" * 64) as stranger:
        assert (await stranger.get("/webhooks/events")).status == 200


async def test_refuses_an_unknown_parameter(nobody: Client) -> None:
    reply = await nobody.get("/webhooks/events?page=1")
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
