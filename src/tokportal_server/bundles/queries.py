"""Bundles and profiles as objects of the contract."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import msgspec

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.bundles.wire import (
    Bundle,
    Cost,
    CostBreakdown,
    Deviation,
    ListAccountBundlesQuery,
    ListBundlesQuery,
    Profile,
    ProfileCorrection,
)
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import ListingNotFoundError, bundle_not_found
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import public_url
from tokportal_server.workspaces.reference import country_filter

# One row a bundle: its profile, its account, and its slots counted by status.
_SELECT = """
SELECT b.*, p.id AS account_id, p.status AS account_status,
       COALESCE(a.username, p.username) AS shown_username,
       COALESCE(s.counts, '{}') AS counts, COALESCE(s.edits_used, 0) AS edits_used
  FROM bundles b
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN LATERAL (
      SELECT jsonb_object_agg(g.status, g.n) AS counts, sum(g.edits)::integer AS edits_used FROM (
          SELECT status, count(*) AS n, count(*) FILTER (WHERE uses_edit_slot) AS edits
            FROM slots
           WHERE workspace_id = b.workspace_id AND bundle_id = b.id GROUP BY status
      ) g
  ) s ON true
 WHERE b.workspace_id = $1
"""
# Of references there is an index in lower case alone.
_FILTERS = """
   AND ($4::text IS NULL OR b.status = $4)
   AND ($5::text IS NULL OR b.bundle_type = $5)
   AND ($6::text IS NULL OR b.platform = $6)
   AND ($7::text IS NULL OR lower(b.external_ref) = lower($7) AND b.external_ref = $7)
   AND ($8::text IS NULL OR p.status = $8)
   AND ($9::text IS NULL OR b.country = $9)
   AND ($10::date IS NULL OR b.created_at >= $10::timestamp AT TIME ZONE 'UTC')
   AND ($11::date IS NULL OR b.created_at < ($11 + 1)::timestamp AT TIME ZONE 'UTC')
"""
_PAGE = " ORDER BY b.ordinal DESC LIMIT $2 OFFSET $3"
GET = _SELECT + " AND b.id = $2"
NEWEST = _SELECT + _PAGE
NEWEST_OF_STATUS = _SELECT + " AND b.status = $4" + _PAGE
FILTERED = _SELECT + _FILTERS + _PAGE
COUNT_FILTERED = """
SELECT count(*) FROM (SELECT FROM bundles b
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
 WHERE b.workspace_id = $1
   AND ($2::text IS NULL OR b.status = $2)
   AND ($3::text IS NULL OR b.bundle_type = $3)
   AND ($4::text IS NULL OR b.platform = $4)
   AND ($5::text IS NULL OR lower(b.external_ref) = lower($5) AND b.external_ref = $5)
   AND ($6::text IS NULL OR p.status = $6)
   AND ($7::text IS NULL OR b.country = $7)
   AND ($8::date IS NULL OR b.created_at >= $8::timestamp AT TIME ZONE 'UTC')
   AND ($9::date IS NULL OR b.created_at < ($9 + 1)::timestamp AT TIME ZONE 'UTC')
 LIMIT $10) n
"""
# The one door keeps these counts, so that a total does not read a million rows.
COUNTED = """
SELECT COALESCE(sum(n), 0)::bigint FROM counters
 WHERE workspace_id = $1 AND kind = 'bundle' AND ($2::text IS NULL OR status = $2)
"""
PROFILE = """
SELECT p.*, b.saved_account_id, a.profile_url, u.storage_key AS picture_key FROM profiles p
  JOIN bundles b ON b.workspace_id = p.workspace_id AND b.id = p.bundle_id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN media i ON i.workspace_id = p.workspace_id AND i.owner_id = p.id
                   AND i.kind = 'profile_picture' AND i.source_url IS NULL
  LEFT JOIN uploads u ON u.workspace_id = i.workspace_id AND u.id = i.upload_id
 WHERE p.workspace_id = $1 AND p.bundle_id = $2
"""
PROFILE_CORRECTIONS = """
SELECT round, comment, fields, requested_at, resolved_at FROM corrections
 WHERE workspace_id = $1 AND bundle_id = $2 AND slot_id IS NULL ORDER BY round
"""
OF_ACCOUNT = (
    _SELECT + " AND b.saved_account_id = $4 AND ($5::text IS NULL OR b.status = $5)" + _PAGE
)
COUNT_OF_ACCOUNT = """
SELECT count(*) FROM bundles
 WHERE workspace_id = $1 AND saved_account_id = $2 AND ($3::text IS NULL OR status = $3)
"""
ACCOUNT_EXISTS = "SELECT 1 FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
BUNDLE_EXISTS = "SELECT 1 FROM bundles WHERE workspace_id = $1 AND id = $2"
_LIVE = frozenset({"published", "published_priority", "accepted", "completed"})


async def get_bundle(conn: Connection, workspace_id: UUID, bundle_id: UUID) -> Bundle:
    """Give one bundle.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
    """
    row = await conn.fetchrow(GET, workspace_id, bundle_id)
    if row is None:
        raise bundle_not_found(bundle_id)
    return _bundle(row)


async def list_bundles(
    conn: Connection,
    workspace_id: UUID,
    query: ListBundlesQuery,
    *,
    first: date | None = None,
    last: date | None = None,
    count_up_to: int | None = None,
) -> tuple[list[Bundle], Page]:
    """Give a page of bundles, newest first.

    ``first`` and ``last`` bound the days, in UTC, on which they were ordered; the API has no such
    filter (contract section 6), pages have. Of a filtered list no more than ``count_up_to`` are
    counted, if that is given: then the answer takes as long however many fit.
    """
    country = await country_filter(conn, query.country)
    others = (
        query.bundle_type,
        query.platform,
        query.external_ref,
        query.account_status,
        country,
        first,
        last,
    )
    window = (workspace_id, query.per_page, query.offset)
    if any(value is not None for value in others):
        rows = await conn.fetch(FILTERED, *window, query.status, *others)
        total = await conn.fetchval(
            COUNT_FILTERED, workspace_id, query.status, *others, count_up_to
        )
    else:
        if query.status is None:
            rows = await conn.fetch(NEWEST, *window)
        else:
            rows = await conn.fetch(NEWEST_OF_STATUS, *window, query.status)
        total = await conn.fetchval(COUNTED, workspace_id, query.status)
    return [_bundle(row) for row in rows], query.of(total)


async def list_account_bundles(
    conn: Connection, workspace_id: UUID, account_id: UUID, query: ListAccountBundlesQuery
) -> tuple[list[Bundle], Page]:
    """Give a page of the bundles of one account, newest first.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    if await conn.fetchval(ACCOUNT_EXISTS, workspace_id, account_id) is None:
        raise account_not_found(account_id)
    rows = await conn.fetch(
        OF_ACCOUNT, workspace_id, query.per_page, query.offset, account_id, query.status
    )
    total = await conn.fetchval(COUNT_OF_ACCOUNT, workspace_id, account_id, query.status)
    return [_bundle(row) for row in rows], query.of(total)


def _bundle(row: Row) -> Bundle:
    counts: dict[str, int] = row["counts"]
    planned = sum(n for status, n in counts.items() if status not in ("pending", "cancelled"))
    breakdown = msgspec.convert(row["cost_breakdown"], CostBreakdown)
    # Written out, since a page makes a hundred of these and every look-up counts.
    return Bundle(
        id=row["id"],
        bundle_type=row["bundle_type"],
        platform=row["platform"],
        country=row["country"],
        status=row["status"],
        title=row["title"],
        external_ref=row["external_ref"],
        videos_quantity=row["videos_quantity"],
        edits_quantity=row["edits_quantity"],
        auto_finalize_videos=row["auto_finalize_videos"],
        wants_niche_warming=row["wants_niche_warming"],
        wants_deep_warming=row["wants_deep_warming"],
        wants_moderation=row["wants_moderation"],
        niche_warming_instructions=row["niche_warming_instructions"],
        moderation_notice=row["moderation_notice"],
        account_id=row["account_id"],
        account_status=row["account_status"],
        saved_account_id=row["saved_account_id"],
        charge_state=row["charge_state"],
        published_at=wire_time(row["published_at"]),
        accepted_at=wire_time(row["accepted_at"]),
        completed_at=wire_time(row["completed_at"]),
        created_at=wire_time(row["created_at"]),
        updated_at=wire_time(row["updated_at"]),
        bundle_id=row["id"],
        edits_remaining=row["edits_quantity"] - row["edits_used"],
        review_mode="auto" if row["auto_finalize_videos"] else "manual",
        username=row["shown_username"],
        account_configured=row["account_status"] not in (None, "pending"),
        videos_configured_count=planned,
        videos_status_counts=counts,
        is_published=row["status"] in _LIVE,
        cost=Cost(total=breakdown.total, breakdown=breakdown),
    )


async def get_profile(
    conn: Connection, workspace_id: UUID, bundle_id: UUID, *, base_url: str
) -> Profile:
    """Give the profile that a bundle sets up; an uploaded picture by its public address.

    Raises:
        BundleNotFoundError, ListingNotFoundError: there is no such bundle, or it is videos_only.
    """
    row = await conn.fetchrow(PROFILE, workspace_id, bundle_id)
    if row is None:
        if await conn.fetchval(BUNDLE_EXISTS, workspace_id, bundle_id) is None:
            raise bundle_not_found(bundle_id)
        raise ListingNotFoundError(
            f"Bundle {bundle_id} is videos_only: its account is delivered already."
        )
    rounds = await conn.fetch(PROFILE_CORRECTIONS, workspace_id, bundle_id)
    return _profile(row, rounds, base_url)


def _profile(row: Row, rounds: list[Row], base_url: str) -> Profile:
    key = row["picture_key"]
    same = (
        "bundle_id",
        "status",
        "username",
        "visible_name",
        "biography",
        "link_in_bio",
        "niche_warming_instructions",
        "saved_account_id",
        "profile_url",
    )
    times = ("configured_at", "submitted_at", "review_deadline_at", "finalized_at")
    return Profile(
        **{name: row[name] for name in same},
        **{name: wire_time(row[name]) for name in times},
        id=row["bundle_id"],
        account_id=row["id"],
        profile_picture_url=row["profile_picture_url"]
        if key is None
        else public_url(base_url, key),
        deviations=msgspec.convert(row["deviations"], list[Deviation]),
        corrections=[
            ProfileCorrection(
                round=item["round"],
                comment=item["comment"],
                fields=item["fields"],
                requested_at=wire_time(item["requested_at"]),
                resolved_at=wire_time(item["resolved_at"]),
            )
            for item in rounds
        ],
    )
