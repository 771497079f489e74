"""The cast: Alice (owner), Bob (her workspace, read-only key), Charlie (stranger), Mona, Olga."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_manager, create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

CREDITS = 1000


@dataclass(frozen=True)
class World:
    """Who there is. ``acme`` is Alice's and Bob's workspace (real time), ``other`` is Charlie's."""

    acme: UUID
    other: UUID
    alice: UUID
    bob: UUID
    charlie: UUID
    alice_key: str
    alice_key_id: UUID
    bob_key: str
    charlie_key: str
    mona: UUID
    olga: UUID

    @property
    def as_mona(self) -> Actor:
        """Mona as operations know her."""
        return Actor("manager", self.mona)

    @property
    def as_olga(self) -> Actor:
        """Olga as operations know her."""
        return Actor("operator", self.olga)


async def give_credits(conn: Connection, workspace: UUID, amount: int) -> None:
    """Grant credits that do not expire."""
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        await ledger.grant(
            tx,
            amount=amount,
            source="grant",
            expires_at=None,
            description="Opening balance",
            business_key="opening",
            actor=SYSTEM,
        )


async def people_the_world(conn: Connection, *, rehearsal: bool = False) -> World:
    """Make the cast with 1,000 credits each; ``rehearsal`` is about Alice's workspace."""
    people = {
        name: await create_person(
            conn=conn, email=f"{name}@example.com", name=name.title(), operator=name == "olga"
        )
        for name in ("alice", "bob", "charlie", "mona", "olga")
    }
    acme = await create_workspace(
        conn=conn, name="Acme", owner_id=people["alice"], rehearsal=rehearsal
    )
    other = await create_workspace(conn=conn, name="Other", owner_id=people["charlie"])
    await create_manager(
        conn=conn,
        person_id=people["mona"],
        display_name="Mona",
        countries=["USA", "FR"],
        platforms=["tiktok", "instagram"],
        rehearsal_workspace_id=acme if rehearsal else None,
    )
    for workspace in (acme, other):
        await give_credits(conn, workspace, CREDITS)
    alice_key_id, alice_key = await create_api_key(
        conn=conn, workspace_id=acme, person_id=people["alice"], name="Alice's key"
    )
    _, bob_key = await create_api_key(
        conn=conn, workspace_id=acme, person_id=people["bob"], name="Bob's key", scope="read"
    )
    _, charlie_key = await create_api_key(
        conn=conn, workspace_id=other, person_id=people["charlie"], name="Charlie's key"
    )
    return World(
        acme=acme,
        other=other,
        alice=people["alice"],
        bob=people["bob"],
        charlie=people["charlie"],
        alice_key=alice_key,
        alice_key_id=alice_key_id,
        bob_key=bob_key,
        charlie_key=charlie_key,
        mona=people["mona"],
        olga=people["olga"],
    )
