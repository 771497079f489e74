"""A row for each table of which the scene of the pages has none, and an end of all work."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tests.cast import World
from tests.privacy.planting import MARKER
from tokportal_server.lib.db import Connection

# What a row points to need not be there. Last, work that is paid, jobs that failed, and switches.
ROWS: Final = """
INSERT INTO account_bans (workspace_id, saved_account_id, reason, bundles_cancelled,
    credits_refunded, banned_at)
VALUES ('{workspace}', '{person}', 'spam', '{{}}', 0, now());
INSERT INTO account_consents (workspace_id, saved_account_id, owner_name, scope, valid_from)
VALUES ('{workspace}', '{person}', 'Ann', 'posts', now());
INSERT INTO analytics_connections (workspace_id, saved_account_id, provider, platform_user_id,
    username, scopes, sealed, expires_at, connected_by)
VALUES ('{workspace}', '{person}', 'tiktok_api', 'u1', 'ann', '{{video.list}}', 'sealed',
    now(), '{person}');
INSERT INTO analytics_quotas (workspace_id, month, used)
SELECT '{workspace}', '2026-01-01', 1;
INSERT INTO analytics_refreshes (workspace_id, saved_account_id, failure_reason)
VALUES ('{workspace}', '{person}', 'away');
INSERT INTO analytics_reports (workspace_id, id, token_hash, title, template, content,
    actor_kind, created_at, expires_at)
VALUES ('{workspace}', '{person}', sha256('t'), 'March', 'plain', 'x', 'customer', now(), now());
INSERT INTO analytics_sign_ins (workspace_id, state_hash, saved_account_id, person_id,
    provider, expires_at)
VALUES ('{workspace}', sha256('s'), '{person}', '{person}', 'tiktok_api', now());
INSERT INTO clock_advances (workspace_id, key, distance, lease_until)
VALUES ('{workspace}', 'k' || '{person}'::uuid, interval '1 hour', now());
INSERT INTO comment_verifications (workspace_id, task_id, attempt_n, scraped_at, outcome_kind,
    reason, comments_scraped)
VALUES ('{workspace}', '{person}', 1, now(), 'scrape_failed', 'x', 0);
INSERT INTO edit_requests (workspace_id, id, saved_account_id, status, requested_username,
    requested_visible_name, price, changes, created_at)
VALUES ('{workspace}', gen_random_uuid(), '{person}', 'rejected', 'ann', 'Ann', 0, '[]', now());
INSERT INTO idempotency_keys (workspace_id, key, fingerprint, body, expires_at)
VALUES ('{workspace}', 'k' || '{person}'::uuid, 'f', 'answer', now());
INSERT INTO presigned_uploads (workspace_id, storage_key, bundle_id, purpose, filename)
VALUES ('{workspace}', 'a/b', '{person}', 'video', 'a.mp4');
INSERT INTO rehearsal_scripts (workspace_id, bundle_id, script)
VALUES ('{workspace}', '{person}', 'slow');
INSERT INTO rehearsal_settings (workspace_id)
SELECT '{workspace}';
INSERT INTO slot_options (workspace_id, slot_id, name, price, bought_at)
VALUES ('{workspace}', '{person}', 'sound_volume', 1, now());
INSERT INTO slot_proofs (workspace_id, slot_id, document)
VALUES ('{workspace}', '{person}', '{{"a": 1}}');
INSERT INTO thumbnails (workspace_id, upload_id, storage_key, size_bytes, width, height, sha256)
VALUES ('{workspace}', '{person}', 'a/c', 1, 1, 1, 'x');
INSERT INTO verification_codes (workspace_id, saved_account_id, sealed, received_at)
VALUES ('{workspace}', '{person}', 'sealed', now());
INSERT INTO webhook_faults (workspace_id, endpoint_id, fault, remaining)
VALUES ('{workspace}', '{person}', 'slow', 1);
INSERT INTO workspace_exports (workspace_id, storage_key, asked_by, expires_at)
VALUES ('{workspace}', 'exports/x', '{person}', now() + interval '7 days');
INSERT INTO workspace_invitations (workspace_id, token_hash, email, role, invited_by,
    expires_at)
VALUES ('{workspace}', sha256('i'), 'new@example.com', 'viewer', '{person}', now());
INSERT INTO workspace_prices (workspace_id, name, amount, set_by)
VALUES ('{workspace}', 'video_slot', 1, '{person}');
INSERT INTO earnings (workspace_id, manager_id, month, type, kind, job_id, bundle_id, subject,
    country, amount, currency, at)
VALUES ('{workspace}', '{person}', '2026-01-01', 'job', 'video', '{person}', '{person}',
    'Video 1 of Bakery', 'USA', 100, 'EUR', now());
INSERT INTO pgqueuer (status, priority, entrypoint, payload)
SELECT 'failed', 0, 'thumbnail', convert_to(jsonb_build_object('workspace_id',
    '{workspace}'::uuid, 'upload_id', '{person}'::uuid, 'name', '{marker}')::text, 'UTF8');
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, traceback)
SELECT id, 'failed', 0, 'thumbnail', jsonb_build_object('traceback', '{marker}', 'w',
    '{workspace}'::uuid, 'p', '{person}'::uuid)
  FROM pgqueuer;
INSERT INTO kill_switches (scope, subject_id, reason)
SELECT 'workspace', '{workspace}', '{marker}';
INSERT INTO kill_switches (scope, subject_id, reason)
SELECT 'account', id, '{marker}'
  FROM saved_accounts
 WHERE workspace_id = '{workspace}' LIMIT 1;
"""
# What nobody works at any more; how it came to that is not what is proven here.
FINISH = (
    "UPDATE bundles SET status = 'cancelled' WHERE workspace_id = $1",
    "UPDATE comment_tasks SET status = 'cancelled' WHERE workspace_id = $1",
    "UPDATE edit_requests SET status = 'rejected' WHERE workspace_id = $1",
    "UPDATE events SET dispatched_at = now() WHERE workspace_id = $1",
    "DELETE FROM pgqueuer WHERE entrypoint = 'earnings' AND $1::uuid IS NOT NULL",
)


async def finish(conn: Connection, workspace_id: UUID) -> None:
    """End all work of a workspace at once, and say that all of it is booked and told."""
    for statement in FINISH:
        await conn.execute(statement, workspace_id)


async def fill_the_rest(conn: Connection, world: World) -> None:
    """Give Alice's workspace something of everything, past foreign keys."""
    async with conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(ROWS.format(workspace=world.acme, person=world.mona, marker=MARKER))
