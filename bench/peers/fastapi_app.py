"""The peer of bench/orders.py: two reads as users of FastAPI and SQLAlchemy write them.

Models of the tables, a session for each request, relations loaded with the rows (one query more
for the slots), answers through Pydantic models. The key is admitted by the same SQL function, the
total read from the same counters, and the answers are the same JSON.

Run in an environment of its own (requirements.txt) with ``BENCH_DSN`` set: ``fastapi_app.py PORT``.
"""

# ruff: noqa: D101, D103 - a stand-in for somebody else's program

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException
from granian import Granian
from granian.constants import Interfaces, Loops
from pydantic import BaseModel, ConfigDict, PlainSerializer
from sqlalchemy import ForeignKeyConstraint, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

POOL = 10
BUCKET = 1_000_000
LIVE = {"published", "published_priority", "accepted", "completed"}


class Base(DeclarativeBase):
    pass


class BundleRow(Base):
    __tablename__ = "bundles"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "saved_account_id"],
            ["saved_accounts.workspace_id", "saved_accounts.id"],
        ),
    )
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    bundle_type: Mapped[str]
    platform: Mapped[str]
    country: Mapped[str]
    status: Mapped[str]
    title: Mapped[str | None]
    external_ref: Mapped[str | None]
    videos_quantity: Mapped[int]
    edits_quantity: Mapped[int]
    auto_finalize_videos: Mapped[bool]
    wants_niche_warming: Mapped[bool]
    wants_deep_warming: Mapped[bool]
    wants_moderation: Mapped[bool]
    niche_warming_instructions: Mapped[str | None]
    moderation_notice: Mapped[str | None]
    saved_account_id: Mapped[UUID | None]
    charge_state: Mapped[str]
    cost_breakdown: Mapped[dict[str, int]] = mapped_column(JSONB)
    published_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ordinal: Mapped[int]
    profile: Mapped[ProfileRow | None] = relationship(viewonly=True, uselist=False)
    account: Mapped[AccountRow | None] = relationship(viewonly=True)
    slots: Mapped[list[SlotRow]] = relationship(viewonly=True)


class ProfileRow(Base):
    __tablename__ = "profiles"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "bundle_id"], ["bundles.workspace_id", "bundles.id"]),
    )
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    bundle_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    status: Mapped[str]
    username: Mapped[str | None]


class AccountRow(Base):
    __tablename__ = "saved_accounts"
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str]


class SlotRow(Base):
    __tablename__ = "slots"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "bundle_id"], ["bundles.workspace_id", "bundles.id"]),
    )
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    bundle_id: Mapped[UUID]
    status: Mapped[str]
    uses_edit_slot: Mapped[bool]


class CounterRow(Base):
    __tablename__ = "counters"
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]


def write_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat('T', 'milliseconds')[:23]}Z"


Time = Annotated[datetime, PlainSerializer(write_time)]


class Cost(BaseModel):
    total: int
    breakdown: dict[str, int]


class Bundle(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    bundle_id: UUID
    bundle_type: str
    platform: str
    country: str
    status: str
    title: str | None
    external_ref: str | None
    videos_quantity: int
    edits_quantity: int
    edits_remaining: int
    auto_finalize_videos: bool
    review_mode: str
    wants_niche_warming: bool
    wants_deep_warming: bool
    wants_moderation: bool
    niche_warming_instructions: str | None
    moderation_notice: str | None
    account_id: UUID | None
    account_status: str | None
    saved_account_id: UUID | None
    username: str | None
    account_configured: bool
    videos_configured_count: int
    videos_status_counts: dict[str, int]
    is_published: bool
    published_at: Time | None
    accepted_at: Time | None
    completed_at: Time | None
    charge_state: str
    cost: Cost
    created_at: Time
    updated_at: Time


class Pagination(BaseModel):
    page: int
    per_page: int
    total: int
    total_pages: int


class OneBundle(BaseModel):
    data: Bundle


class Bundles(BaseModel):
    data: list[Bundle]
    pagination: Pagination


def shown(row: BundleRow) -> Bundle:
    counts = Counter(slot.status for slot in row.slots)
    profile, account = row.profile, row.account
    same = {name: getattr(row, name, None) for name in Bundle.model_fields}
    return Bundle.model_validate(
        same
        | {
            "bundle_id": row.id,
            "edits_remaining": row.edits_quantity - sum(s.uses_edit_slot for s in row.slots),
            "review_mode": "auto" if row.auto_finalize_videos else "manual",
            "account_id": profile and profile.id,
            "account_status": profile and profile.status,
            "username": (account and account.username) or (profile and profile.username),
            "account_configured": profile is not None and profile.status != "pending",
            "videos_configured_count": counts.total() - counts["pending"] - counts["cancelled"],
            "videos_status_counts": dict(counts),
            "is_published": row.status in LIVE,
            "cost": {"total": row.cost_breakdown["total"], "breakdown": row.cost_breakdown},
        }
    )


def connection_options() -> dict[str, Any]:
    """Read the address, whose password and socket SQLAlchemy's own form would not take."""
    parts = urlsplit(os.environ["BENCH_DSN"])
    where = parse_qs(parts.query)
    return {
        "host": where["host"][0],
        "port": int(where["port"][0]),
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.lstrip("/"),
    }


async def connect() -> Any:
    return await asyncpg.connect(**connection_options())


engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_size=POOL)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
ADMIT = text("SELECT * FROM admit(:hash, 1, :bucket, :bucket)")
LOADED = (joinedload(BundleRow.profile), joinedload(BundleRow.account))


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def caller(db: Session, x_api_key: Annotated[str, Header()]) -> UUID:
    hashed = sha256(x_api_key.encode()).digest()
    row = (await db.execute(ADMIT, {"hash": hashed, "bucket": BUCKET})).mappings().one()
    await db.commit()
    if row["outcome"] != "ok":
        raise HTTPException(401)
    found: UUID = row["workspace_id"]
    return found


Workspace = Annotated[UUID, Depends(caller)]


@app.get("/api/ext/bundles")
async def list_bundles(
    db: Session, workspace: Workspace, page: int = 1, per_page: int = 25
) -> Bundles:
    rows = await db.scalars(
        select(BundleRow)
        .where(BundleRow.workspace_id == workspace)
        .options(*LOADED, selectinload(BundleRow.slots))
        .order_by(BundleRow.ordinal.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    total = await db.scalar(
        select(func.coalesce(func.sum(CounterRow.n), 0)).where(
            CounterRow.workspace_id == workspace, CounterRow.kind == "bundle"
        )
    )
    assert total is not None
    return Bundles(
        data=[shown(row) for row in rows],
        pagination=Pagination(
            page=page, per_page=per_page, total=total, total_pages=-(-total // per_page)
        ),
    )


@app.get("/api/ext/bundles/{bundle_id}")
async def get_bundle(db: Session, workspace: Workspace, bundle_id: UUID) -> OneBundle:
    row = await db.scalar(
        select(BundleRow)
        .where(BundleRow.workspace_id == workspace, BundleRow.id == bundle_id)
        .options(*LOADED, selectinload(BundleRow.slots))
    )
    if row is None:
        raise HTTPException(404)
    return OneBundle(data=shown(row))


if __name__ == "__main__":
    Granian(
        "fastapi_app:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        websockets=False,
        log_enabled=False,
    ).serve()
