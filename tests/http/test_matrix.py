"""What is the same for every operation, walked over all of them: keys, scopes, ids, replays."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.http.examples import EXAMPLES, built, path_of, perform, writes
from tests.http.seed import Seed
from tokportal_server.http.registry import Operation
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX
from tokportal_server.workspaces.operations.api_keys import create_api_key, revoke_api_key

NOWHERE = Seed(**dict.fromkeys(Seed.__annotations__, str(uuid4())))
BUILT = built()
PRIVATE = {name: op for name, op in BUILT.items() if not op.public}
WITH_ID = {name: op for name, op in PRIVATE.items() if "{id}" in op.path}
# Contract section 1: somebody else's object does not exist, but for this one.
FORBIDDEN = {"updateBundle": 403}


def _told(reply: Reply) -> str:
    return f"{reply.status} {reply.code}" if reply.status >= 400 else str(reply.status)


async def test_every_built_operation_has_an_example() -> None:
    assert set(EXAMPLES) == set(BUILT)


async def test_every_example_is_answered_as_its_operation_says(alice: Client, seed: Seed) -> None:
    told = {}
    # What is deleted is asked for last.
    for name, op in sorted(PRIVATE.items(), key=lambda item: item[1].method == "DELETE"):
        reply = await perform(alice, op, seed, headers={"X-TokPortal-Dry-Run": "true"})
        refused_with = EXAMPLES[name].refused_with
        if (reply.status, refused_with) != (op.status, None) and (
            refused_with is None or reply.code != refused_with
        ):
            told[name] = (_told(reply), reply.body)
    assert told == {}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "AUTH_MISSING_KEY"),
        ("", "AUTH_MISSING_KEY"),
        ("sk_123", "AUTH_INVALID_KEY"),
        ("sk_" + "A" * 64, "AUTH_INVALID_KEY"),
        ("sk_" + "0" * 64, "AUTH_INVALID_KEY"),
    ],
)
async def test_nobody_passes_without_a_key_of_ours(server: str, key: str | None, code: str) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    async with Client(server, None) as client:
        told = {
            name: _told(await perform(client, op, NOWHERE, headers=headers))
            for name, op in PRIVATE.items()
        }
    assert told == dict.fromkeys(PRIVATE, f"401 {code}")


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_a_key_that_has_ended_opens_nothing(
    server: str, world: World, conn: Connection, end: str
) -> None:
    expires_at = real_now() - timedelta(seconds=1) if end == "expired" else None
    key_id, key = await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name=end, expires_at=expires_at
    )
    if end == "revoked":
        assert await revoke_api_key(conn=conn, workspace_id=world.acme, key_id=key_id)
    async with Client(server, key) as client:
        told = {name: _told(await perform(client, op, NOWHERE)) for name, op in PRIVATE.items()}
    assert told == dict.fromkeys(PRIVATE, f"401 AUTH_{end.upper()}_KEY")


async def test_a_public_operation_ignores_a_bad_key_and_takes_no_token(
    server: str, world: World, conn: Connection
) -> None:
    for key in (None, "nonsense", "sk_" + "0" * 64, world.alice_key):
        async with Client(server, key) as client:
            for op in BUILT.values():
                if op.public:
                    reply = await perform(client, op, NOWHERE)
                    assert reply.status == 200
                    assert "X-RateLimit-Limit" not in reply.headers
    assert await conn.fetchval("SELECT count(*) FROM buckets") == 0


@pytest.mark.hazard(33)
@pytest.mark.parametrize(("scope", "methods"), [("read", {"GET"}), ("write", set())])
async def test_a_scope_lets_its_own_methods_through_and_no_other(
    server: str, world: World, conn: Connection, scope: str, methods: set[str]
) -> None:
    _, key = await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name=scope, scope=scope
    )
    if scope == "write":
        methods = {"POST", "PUT", "PATCH", "DELETE"}
    async with Client(server, key) as client:
        refused = set()
        for name, op in PRIVATE.items():
            reply = await perform(client, op, NOWHERE)
            if reply.status == 403 and reply.code == "AUTH_INSUFFICIENT_SCOPE":
                refused.add(name)
    assert refused == {name for name, op in PRIVATE.items() if op.method not in methods}


@pytest.mark.hazard(33)
async def test_somebody_elses_object_is_not_found(charlie: Client, seed: Seed) -> None:
    told = {name: (await perform(charlie, op, seed)).status for name, op in WITH_ID.items()}
    assert told == {name: FORBIDDEN.get(name, 404) for name in WITH_ID}


async def test_somebody_elses_object_is_not_found_by_a_body_either(
    charlie: Client, seed: Seed
) -> None:
    bundle = await charlie.post(
        "/bundles",
        {
            "bundle_type": "videos_only",
            "videos_quantity": 1,
            "account_id": seed.account,
        },
    )
    assert bundle.code == "SAVED_ACCOUNT_NOT_FOUND"
    for name in (
        "uploadVideo",
        "uploadVideoDirect",
        "uploadImage",
        "uploadImageDirect",
        "uploadImageFromUrl",
    ):
        assert (await perform(charlie, BUILT[name], seed)).code == "BUNDLE_NOT_FOUND"


async def test_a_malformed_id_names_nothing(alice: Client) -> None:
    for bad in ["17", "not-an-id", "%20", "{}", "0" * 32, "g" * 36, "a" * 5000, "%C3%A9"]:
        told = {}
        for name, op in WITH_ID.items():
            path = op.path.replace("{position}", "1").replace("{delivery_id}", str(uuid4()))
            reply = await perform(alice, op, NOWHERE, path=path.replace("{id}", bad))
            if reply.status != 404 or reply.code != op.path_errors[0].code:
                told[name] = _told(reply)
        assert told == {}


async def test_an_unknown_id_is_not_found_under_its_own_code(alice: Client) -> None:
    told = {name: _told(await perform(alice, op, NOWHERE)) for name, op in WITH_ID.items()}
    assert told == {name: f"404 {op.path_errors[0].code}" for name, op in WITH_ID.items()}


async def test_a_live_call_refuses_the_id_of_a_dry_run(alice: Client) -> None:
    imagined = Seed(**dict.fromkeys(Seed.__annotations__, str(_imagined())))
    told = {name: _told(await perform(alice, op, imagined)) for name, op in WITH_ID.items()}
    assert told == dict.fromkeys(WITH_ID, "400 DRY_RUN_ID_IN_LIVE_REQUEST")


async def test_the_operations_of_a_rehearsal_are_answered_in_one(
    alice: Client, conn: Connection, seed: Seed
) -> None:
    await conn.execute("UPDATE workspaces SET rehearsal = true")
    moved = await perform(alice, BUILT["advanceRehearsalClock"], NOWHERE)
    read = await perform(alice, BUILT["getRehearsalClock"], NOWHERE)
    assert (moved.data["virtual"], read.data["virtual"]) == (True, True)
    assert read.data["now"] >= moved.data["now"]
    weighed = await perform(alice, BUILT["setRehearsalScripts"], NOWHERE)
    described = await perform(alice, BUILT["getRehearsalScripts"], NOWHERE)
    assert weighed.data == described.data
    chosen = await perform(alice, BUILT["setRehearsalBundleScript"], seed)
    assert chosen.data == {"bundle_id": seed.fresh, "script": "careless"}


def _imagined() -> UUID:
    return UUID(DRY_RUN_PREFIX + uuid4().hex[:12])


async def test_a_dry_run_header_that_says_neither_yes_nor_no_stops_the_call(
    alice: Client, seed: Seed
) -> None:
    told = {}
    for name, op in writes().items():
        reply = await perform(alice, op, seed, headers={"X-TokPortal-Dry-Run": "yes"})
        told[name] = (_told(reply), *reply.problems)
    assert told == dict.fromkeys(told, ("400 VALIDATION_ERROR", "X-TokPortal-Dry-Run"))


async def test_an_unknown_query_parameter_is_refused_by_name(alice: Client, seed: Seed) -> None:
    told = {}
    for name, op in BUILT.items():
        path = f"{path_of(name, seed)}?surprise=1"
        reply = await perform(alice, op, seed, path=path)
        told[name] = (reply.code, reply.details["parameters"])
    assert told == dict.fromkeys(told, ("UNKNOWN_PARAMETER", ["surprise"]))


async def test_an_idempotency_key_repeats_the_answer_and_refuses_another_request(
    alice: Client, seed: Seed
) -> None:
    told = {}
    for name, op in sorted(writes().items(), key=lambda item: item[1].method == "DELETE"):
        if EXAMPLES[name].refused_with is None:
            told[name] = await _repeated(alice, op, seed)
    assert told == dict.fromkeys(told, (True, True, "IDEMPOTENCY_KEY_REUSED"))
    assert len(told) > 10


async def _repeated(alice: Client, op: Operation, seed: Seed) -> tuple[bool, bool, str]:
    """Say whether the call succeeds, replays byte for byte, and refuses another body."""
    key = {"Idempotency-Key": str(uuid4())}
    first = await perform(alice, op, seed, headers=key)
    # A form's boundary is another each time, and no part of the request.
    again = await perform(alice, op, seed, headers=key)
    other = await perform(alice, op, seed, headers=key, another_body=True)
    works = first.status == op.status and "Idempotent-Replayed" not in first.headers
    replayed = again.headers.get("Idempotent-Replayed") == "true"
    same = (again.status, again.body) == (first.status, first.body)
    return works, replayed and same, other.code
