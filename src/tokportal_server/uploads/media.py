"""What slots and profiles show: uploads of the workspace, or files on their way in.

On their way are external files, and presigned uploads that nobody has looked at yet. The owning
slices call :func:`link_media` when they are configured and :func:`media_of` when they answer;
neither waits for a download (contract section 7, Media).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.jobs import enqueue_all
from tokportal_server.lib.outbound import BlockedUrl, OutboundPolicy, check_url
from tokportal_server.lib.storage import check_key
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.uploads.wire import MediaError, MediaKind, MediaObject, MediaStatus, Purpose

FETCH_MEDIA = "fetch_media"
OwnerKind = Literal["profile", "slot", "edit_request"]

# A story's image has no purpose of its own in the reference: it is uploaded with the default.
PURPOSE_OF: Mapping[MediaKind, Purpose] = {
    "video": "video",
    "carousel_image": "carousel",
    "story_image": "carousel",
    "profile_picture": "profile_picture",
}
_FIELD_OF: Mapping[MediaKind, str] = {
    "video": "video_url",
    "carousel_image": "carousel_images",
    "story_image": "story_image_url",
    "profile_picture": "profile_picture_url",
}

FIND_PRESIGNED = """
SELECT storage_key FROM presigned_uploads
 WHERE workspace_id = $1 AND storage_key = ANY($2::text[]) AND purpose = $3
"""
# Locked, since what is not referred to may be swept at this moment.
FIND_UPLOADS = """
SELECT storage_key, id FROM uploads
 WHERE workspace_id = $1 AND storage_key = ANY($2::text[]) AND purpose = $3
 ORDER BY id FOR KEY SHARE
"""
UNLINK = """
DELETE FROM media AS m USING unnest($2::uuid[], $3::text[]) AS w(owner_id, kind)
 WHERE m.workspace_id = $1 AND m.owner_id = w.owner_id AND m.kind = w.kind
"""
LINK = """
INSERT INTO media (workspace_id, id, bundle_id, owner_kind, owner_id, kind, ordinal, source_url,
                   presigned_key, upload_id, status, created_at)
SELECT $1, m.id, $2, $3, m.owner_id, m.kind, m.ordinal, m.source_url, m.presigned_key, m.upload_id,
       CASE WHEN m.upload_id IS NULL THEN 'fetching' ELSE 'ready' END, $4
  FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::integer[], $9::text[], $10::text[],
              $11::uuid[])
       AS m(id, owner_id, kind, ordinal, source_url, presigned_key, upload_id)
"""
MEDIA_OF = """
SELECT m.owner_id, m.kind, m.source_url, m.status,
       COALESCE(u.storage_key, m.presigned_key) AS storage_key,
       COALESCE(u.size_bytes,
                CASE WHEN m.status = 'fetching' THEN m.received_bytes END) AS size_bytes,
       u.content_type, u.width, u.height, u.duration_seconds, u.sha256
  FROM media m
  LEFT JOIN uploads u ON u.workspace_id = m.workspace_id AND u.id = m.upload_id
 WHERE m.workspace_id = $1 AND m.owner_id = ANY($2::uuid[])
 ORDER BY m.owner_id, m.kind, m.ordinal
"""
STATE = """
SELECT status, error FROM media WHERE workspace_id = $1 AND owner_id = $2 ORDER BY kind, ordinal
"""


class MediaNotFoundError(ApiError):
    """A storage path or one of our URLs names no upload of the workspace that fits."""

    code = "MEDIA_NOT_FOUND"
    status = 400
    remedy = (
        "You: upload the file (`POST /upload/video/direct` or `/upload/image/direct`), and send"
        " the `storage_path` of the answer."
    )


@dataclass(frozen=True, slots=True)
class MediaLink:
    """A row of ``media``: exactly one of the others than ``id`` is given.

    An external file or a presigned upload is ``fetching`` and has a job; an upload is ``ready``.
    """

    id: UUID
    upload_id: UUID | None = None
    presigned_key: str | None = None
    source_url: str | None = None

    @property
    def status(self) -> Literal["fetching", "ready"]:
        """Where the file is."""
        return "fetching" if self.upload_id is None else "ready"


@dataclass(frozen=True, slots=True)
class MediaWish:
    """What one owner's media of one kind are to be, in order; members as in :func:`link_media`."""

    owner_id: UUID
    kind: MediaKind
    values: Sequence[str]
    field: str | None = None

    @property
    def fields(self) -> list[str]:
        """The name of each value in an error."""
        return [self.field or _field(self.kind, index) for index in range(len(self.values))]


@dataclass(frozen=True, slots=True)
class MediaState:
    """All media of one owner taken together, with the first failure's error."""

    status: MediaStatus
    error: MediaError | None


def public_url(base_url: str, storage_key: str) -> str:
    """Give the address under which a stored file is served."""
    return f"{base_url}/media/{storage_key}"


async def link_media(
    tx: UnitOfWork,
    *,
    bundle_id: UUID,
    owner_kind: OwnerKind,
    owner_id: UUID,
    kind: MediaKind,
    values: Sequence[str],
    base_url: str,
    policy: OutboundPolicy,
    field: str | None = None,
) -> list[MediaLink]:
    """Make ``values`` the owner's media of one kind, in order, instead of those it had.

    Each value is a ``storage_path``, a URL under ``base_url``/media/, or a URL of somebody else.
    The first two are looked up among the workspace's uploads of the fitting purpose; what is not
    here yet comes by a job after the commit. The caller holds the bundle's lock. No values: no
    media. ``field`` names the value in an error, where that is not the usual name.

    Raises:
        ValidationError: URLs that may not be called under ``policy``, all of them at once.
        MediaNotFoundError: an upload that is not there.
    """
    wish = MediaWish(owner_id, kind, values, field)
    [found] = await find_media(tx, [wish], base_url=base_url, policy=policy)
    if isinstance(found, ApiError):
        raise found
    await replace_media(tx, bundle_id=bundle_id, owner_kind=owner_kind, media=[(wish, found)])
    return found


async def find_media(
    tx: UnitOfWork, wishes: Sequence[MediaWish], *, base_url: str, policy: OutboundPolicy
) -> list[list[MediaLink] | ApiError]:
    """Give the links of each wish, or what :func:`link_media` would raise; nothing is written."""
    keys = [[_upload_key(value, base_url) for value in wish.values] for wish in wishes]
    uploads: dict[Purpose, dict[str, UUID]] = {}
    presigned: dict[Purpose, set[str]] = {}
    for purpose in sorted({PURPOSE_OF[wish.kind] for wish in wishes}):
        named = [
            key
            for wish, own in zip(wishes, keys, strict=True)
            for key in own
            if key is not None and PURPOSE_OF[wish.kind] == purpose
        ]
        uploads[purpose], presigned[purpose] = await _find_uploads(tx, purpose, named)
    found: list[list[MediaLink] | ApiError] = []
    for wish, own in zip(wishes, keys, strict=True):
        here = uploads[PURPOSE_OF[wish.kind]]
        try:
            _refuse_urls(wish.fields, wish.values, own, policy)
            _refuse_missing(wish.kind, wish.fields, own, here, presigned[PURPOSE_OF[wish.kind]])
        except ApiError as error:
            found.append(error)
            continue
        links = [_link(tx, v, k, here) for v, k in zip(wish.values, own, strict=True)]
        found.append(links)
    return found


def _link(tx: UnitOfWork, value: str, key: str | None, uploads: Mapping[str, UUID]) -> MediaLink:
    if key is None:
        return MediaLink(tx.new_id(), source_url=value)
    if key in uploads:
        return MediaLink(tx.new_id(), upload_id=uploads[key])
    return MediaLink(tx.new_id(), presigned_key=key)


async def replace_media(
    tx: UnitOfWork,
    *,
    bundle_id: UUID,
    owner_kind: OwnerKind,
    media: Sequence[tuple[MediaWish, Sequence[MediaLink]]],
) -> None:
    """Put found links in the place of what their owners had, in three statements."""
    owners, kinds = [wish.owner_id for wish, _ in media], [wish.kind for wish, _ in media]
    await tx.conn.execute(UNLINK, tx.workspace_id, owners, kinds)
    rows = [
        (link.id, wish.owner_id, wish.kind, n, link.source_url, link.presigned_key, link.upload_id)
        for wish, links in media
        for n, link in enumerate(links, start=1)
    ]
    if rows:
        columns = zip(*rows, strict=True)
        await tx.conn.execute(LINK, tx.workspace_id, bundle_id, owner_kind, tx.now, *columns)
    wanted = [link.id for _, links in media for link in links if link.status == "fetching"]
    await enqueue_all(
        tx.conn,
        FETCH_MEDIA,
        [{"workspace_id": tx.workspace_id, "media_id": media_id} for media_id in wanted],
    )


def _upload_key(value: str, base_url: str) -> str | None:
    """Give what a value names in our storage, or None if it is an address of somebody else.

    The key is only looked up; nothing is ever opened by it.
    """
    prefix = public_url(base_url, "")
    # Schemes and hosts are the same in any case, and so are all of our paths' first segments.
    if value[: len(prefix)].lower() == prefix.lower():
        return value[len(prefix) :].partition("#")[0].partition("?")[0]
    try:
        return check_key(value)
    except ValueError:
        return None


def _refuse_urls(
    fields: Sequence[str],
    values: Sequence[str],
    keys: Sequence[str | None],
    policy: OutboundPolicy,
) -> None:
    problems = []
    for field, value, key in zip(fields, values, keys, strict=True):
        if key is not None:
            continue
        try:
            check_url(value, policy)
        except BlockedUrl as blocked:
            problems.append(Problem(field, blocked.reason, value))
    refuse(problems)


def _field(kind: MediaKind, index: int) -> str:
    return f"carousel_images[{index}]" if kind == "carousel_image" else _FIELD_OF[kind]


async def _find_uploads(
    tx: UnitOfWork, purpose: Purpose, named: Sequence[str]
) -> tuple[dict[str, UUID], set[str]]:
    """Give the ids of the uploads that are named, and the keys of those still in quarantine."""
    if not named:
        return {}, set()
    wanted = (tx.workspace_id, named, purpose)
    # In this order: a presigned upload becomes an upload, never the other way round.
    presigned = {row["storage_key"] for row in await tx.conn.fetch(FIND_PRESIGNED, *wanted)}
    uploads = {row["storage_key"]: row["id"] for row in await tx.conn.fetch(FIND_UPLOADS, *wanted)}
    return uploads, presigned


def _refuse_missing(
    kind: MediaKind,
    fields: Sequence[str],
    keys: Sequence[str | None],
    uploads: Mapping[str, UUID],
    presigned: AbstractSet[str],
) -> None:
    purpose = PURPOSE_OF[kind]
    for field, key in zip(fields, keys, strict=True):
        if key is not None and key not in uploads and key not in presigned:
            raise MediaNotFoundError(
                f"{field}: this workspace has no upload {key[:120]!r} with purpose {purpose!r}."
                f" Upload the file with that purpose first, and send the storage_path or"
                f" public_url of the answer.",
                details={"field": field, "purpose": purpose},
            )


async def media_of(
    conn: Connection, workspace_id: UUID, owner_ids: Sequence[UUID], *, base_url: str
) -> dict[UUID, list[MediaObject]]:
    """Give the media of slots or profiles, by owner and in order; an owner without has no entry."""
    found: dict[UUID, list[MediaObject]] = defaultdict(list)
    for row in await conn.fetch(MEDIA_OF, workspace_id, owner_ids):
        found[row["owner_id"]].append(_object(row, base_url))
    return dict(found)


def _object(row: asyncpg.Record, base_url: str) -> MediaObject:
    key = row["storage_key"]
    return MediaObject(
        kind=row["kind"],
        url=row["source_url"] if key is None else public_url(base_url, key),
        storage_path=key,
        size_bytes=row["size_bytes"],
        content_type=row["content_type"],
        width=row["width"],
        height=row["height"],
        duration_seconds=row["duration_seconds"],
        sha256=row["sha256"],
        status=row["status"],
    )


def media_status(statuses: Iterable[str]) -> MediaStatus:
    """Take the statuses of one owner's media together; what failed needs somebody, so it wins."""
    seen = set(statuses)
    if "failed" in seen:
        return "failed"
    if "fetching" in seen:
        return "fetching"
    return "ready" if seen else "none"


async def media_state(conn: Connection, workspace_id: UUID, owner_id: UUID) -> MediaState:
    """Give the status of all media of one owner, and why the first that failed did."""
    rows = await conn.fetch(STATE, workspace_id, owner_id)
    errors = [MediaError(**row["error"]) for row in rows if row["status"] == "failed"]
    return MediaState(media_status(row["status"] for row in rows), errors[0] if errors else None)
