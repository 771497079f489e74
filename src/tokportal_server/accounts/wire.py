"""The account object of contract section 9."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.http.paging import PageQuery
from tokportal_server.lib.clock import Timestamp


class ManagerFacts(msgspec.Struct, frozen=True):
    """The manager who looks after an account."""

    id: UUID
    display_name: str


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that a manager has set up; ``delivered_at`` is null until it is finalized."""

    id: UUID
    platform: Literal["tiktok", "instagram"]
    country: str
    username: str
    visible_name: str
    profile_url: str
    profile_picture_url: str | None
    biography: str | None
    status: Literal["active", "banned", "detached"]
    banned: bool
    bundle_id: UUID
    delivered_at: Timestamp | None
    credentials_revealed_at: Timestamp | None
    manager: ManagerFacts | None
    created_at: Timestamp


class ListAccountsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact filters of the list."""

    platform: Annotated[str, Meta(max_length=60)] | None = None
    country: Annotated[str, Meta(max_length=60)] | None = None
    banned: bool | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens an account; only ever sealed in the vault."""

    password: str
    email: str
    email_password: str
    recovery_codes: list[str] = []
