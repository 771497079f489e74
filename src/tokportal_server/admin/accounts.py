"""Delivered accounts as operators see them: found by name; bans, consent, the kill switch."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from tokportal_server.accounts.operations.consent import record_consent, revoke_consent
from tokportal_server.admin.audit_log import about
from tokportal_server.admin.frame import Preview, perform, refused, show, wants_preview
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.workbench.acting import act, workspace_of_account
from tokportal_server.workbench.operations.ban_account import ban_account

# Workspace by workspace, each by its index, as bundles/search.py finds orders.
FIND = """
SELECT w.id AS workspace_id, w.name AS workspace, a.*
  FROM workspaces w CROSS JOIN LATERAL (
      SELECT id, username, platform, country, status FROM saved_accounts
       WHERE workspace_id = w.id AND lower(username) ~>=~ lower($1)
         AND lower(username) ~<~ (lower($1) || chr(1114111))
       ORDER BY lower(username) USING ~<~ LIMIT 20
  ) a
 ORDER BY lower(a.username) USING ~<~ LIMIT 20
"""
BANNED = """
SELECT b.workspace_id, b.saved_account_id AS id, b.reason, b.banned_at, b.credits_refunded,
       cardinality(b.bundles_cancelled) AS cancelled, a.username, a.platform, a.country,
       w.name AS workspace
  FROM account_bans b
  JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
 ORDER BY b.banned_at DESC LIMIT 50
"""
ACCOUNT = """
SELECT a.*, w.name AS workspace, p.name AS manager, now() + w.clock_offset AS now,
       k.reason AS paused
  FROM saved_accounts a
  JOIN workspaces w ON w.id = a.workspace_id
  LEFT JOIN people p ON p.id = a.manager_id
  LEFT JOIN kill_switches k ON k.scope = 'account' AND k.subject_id = a.id
 WHERE a.workspace_id = $1 AND a.id = $2
"""
BUNDLES = """
SELECT id, title, external_ref, status, platform, country, created_at FROM bundles
 WHERE workspace_id = $1 AND saved_account_id = $2
 ORDER BY ordinal DESC LIMIT 50
"""
CONSENTS = """
SELECT owner_name, scope, valid_from, valid_until, revoked_at, revoked_reason
  FROM account_consents WHERE workspace_id = $1 AND saved_account_id = $2
 ORDER BY valid_from DESC
"""


async def show_accounts(visit: Visit) -> Answer:
    """Show the accounts that were banned last, or what a search found."""
    sought = visit.query.get("q", "").strip()[:200]
    facts = {
        "q": sought,
        "found": await visit.conn.fetch(FIND, sought) if sought else None,
        "banned": await visit.conn.fetch(BANNED),
    }
    return await show(visit, "admin_accounts.html", facts)


async def show_account(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show one account; its secrets are not the operators' to read here.

    Raises:
        PageNotFoundError: there is no such account.
    """
    account_id = visit.id("account")
    workspace_id = await _workspace_of(visit)
    account = await visit.conn.fetchrow(ACCOUNT, workspace_id, account_id)
    if account is None:
        raise nothing_here()
    facts = {
        "account": account,
        "bundles": await visit.conn.fetch(BUNDLES, workspace_id, account_id),
        "consents": await visit.conn.fetch(CONSENTS, workspace_id, account_id),
        "audited": await about(visit.conn, workspace_id, account_id),
    }
    return await show(visit, "admin_account.html", facts, refusal, preview)


async def post_ban(visit: Visit) -> Answer:
    """Note a ban, or say what would end with it."""
    looking = wants_preview(visit)
    workspace_id = await _workspace_of(visit)
    ban = partial(
        ban_account,
        actor=visit.operator,
        account_id=visit.id("account"),
        reason=visit.field("reason"),
    )
    try:
        ended = await act(visit.conn, workspace_id, lambda tx: ban(tx=tx), preview=looking)
    except ApiError as error:
        return await refused(visit, "ban", error, show_account)
    if not looking:
        return Redirect(_done(visit, "banned"))
    sentences = (
        text("admin.ban_ends", n=len(ended.bundles)),
        text("admin.ban_refunds", n=ended.credits_refunded),
    )
    return await show_account(visit, None, Preview("ban", visit.form, sentences))


async def post_consent(visit: Visit) -> Answer:
    """Note whose consent the account is used with."""
    workspace_id = await _workspace_of(visit)
    note = partial(
        record_consent,
        actor=visit.operator,
        account_id=visit.id("account"),
        owner_name=visit.field("owner_name"),
        scope=visit.field("scope"),
    )

    async def change() -> None:
        await act(visit.conn, workspace_id, lambda tx: note(tx=tx))

    then = _done(visit, "consent")
    return await perform(visit, "consent", change, again=show_account, then=then)


async def post_revoke(visit: Visit) -> Answer:
    """Note that the consent was taken back."""
    workspace_id = await _workspace_of(visit)
    revoke = partial(
        revoke_consent,
        actor=visit.operator,
        account_id=visit.id("account"),
        reason=visit.field("reason"),
    )

    async def change() -> None:
        await act(visit.conn, workspace_id, lambda tx: revoke(tx=tx))

    then = _done(visit, "consent")
    return await perform(visit, "revoke", change, again=show_account, then=then)


async def _workspace_of(visit: Visit) -> UUID:
    try:
        return await workspace_of_account(visit.conn, visit.id("account"))
    except SavedAccountNotFoundError:
        raise nothing_here() from None


def _done(visit: Visit, what: str) -> str:
    return f"/admin/accounts/{visit.id('account')}?done={what}"


_ONE = "/admin/accounts/{account}"
ACCOUNT_PAGES: Final = (
    Page("admin_accounts", "GET", "/admin/accounts", show_accounts),
    Page("admin_account", "GET", _ONE, show_account),
    Page("admin_ban", "POST", f"{_ONE}/ban", post_ban),
    Page("admin_consent", "POST", f"{_ONE}/consent", post_consent),
    Page("admin_revoke_consent", "POST", f"{_ONE}/consent/revoke", post_revoke),
)
