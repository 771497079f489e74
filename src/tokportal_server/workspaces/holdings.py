"""What a workspace holds, table by table: what its archive has of it, and what erasing does to it.

Every table with a ``workspace_id`` stands here once, in the order in which rows can be deleted:
what points to others first. A test holds the list against the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Holding:
    """One table of a workspace.

    ``what`` says for its owner what a row is. ``withheld`` is why the archive has none of it;
    otherwise it has everything but the columns ``omitted``. ``texts`` are columns of bytes that are
    text. What is ``kept`` when the workspace is erased loses its names and words instead.
    """

    table: str
    what: str
    withheld: str = ""
    omitted: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    kept: bool = False


_OWN_COUNT: Final = "the server's own bookkeeping; it follows from the other tables"
_SEALED: Final = "secrets, which lie sealed; they are read on their own pages"
_PERSONAL: Final = "belongs to single people, who find it in their own data"
_OPERATORS: Final = "the operator's own books"

HOLDINGS: Final[tuple[Holding, ...]] = (
    Holding("webhook_faults", "faults asked for in a rehearsal"),
    Holding("webhook_deliveries", "attempts to deliver events", omitted=("lease_token",)),
    Holding("webhook_payloads", "bodies that were sent", "the events have the same content"),
    Holding("webhook_tallies", "totals of attempts", _OWN_COUNT),
    Holding("webhook_endpoints", "webhook endpoints", omitted=("secret_sealed",)),
    Holding("events", "everything that was announced, in order"),
    Holding("event_sequences", "the number of the last event", _OWN_COUNT),
    Holding("notices", "what people were told", _PERSONAL),
    Holding("api_requests", "calls with the workspace's keys"),
    Holding("idempotency_keys", "answers kept for repeated calls", "short-lived copies of answers"),
    Holding("api_keys", "API keys, without the keys themselves", omitted=("key_hash",)),
    Holding("buckets", "rate limits", _OWN_COUNT),
    Holding("counters", "totals", _OWN_COUNT),
    Holding("journal", "every change of a status"),
    Holding("clock_advances", "moves of a rehearsal's clock", _OWN_COUNT),
    Holding("analytics_sign_ins", "sign-ins at platforms under way", _SEALED),
    Holding(
        "analytics_connections",
        "accounts connected to a platform's API, without the tokens",
        omitted=("sealed", "renew_token"),
    ),
    Holding("analytics_refreshes", "when numbers were read", omitted=("lease_token",)),
    Holding("analytics_quotas", "refreshes used by month"),
    Holding("analytics_reports", "reports that were made", omitted=("token_hash", "content")),
    Holding("post_comments", "comments under tracked posts"),
    Holding("post_snapshots", "readings of posts", omitted=("payload",)),
    Holding("account_snapshots", "readings of accounts", omitted=("payload",)),
    Holding("account_latest", "the latest numbers of each account"),
    Holding("account_days", "numbers of each account by day"),
    Holding("workspace_days", "numbers by day, platform and country"),
    Holding("tracked_posts", "posts whose numbers are read"),
    Holding("verification_codes", "codes that platforms sent", _SEALED),
    Holding("vault_items", "credentials of accounts", _SEALED),
    Holding("account_bans", "bans"),
    Holding("account_consents", "consents of the accounts' owners"),
    Holding("comment_verifications", "how comments were looked for"),
    Holding("comment_tasks", "comment tasks"),
    Holding("edit_requests", "changes of profiles"),
    Holding("thumbnails", "small pictures", "made from the media"),
    Holding("media", "which media belong to what"),
    Holding("uploads", "media; the files are in the folder `media`"),
    Holding("presigned_uploads", "addresses given out for uploads", "good for a day at most"),
    Holding("slot_proofs", "proofs of finished videos", texts=("document",)),
    Holding("slot_options", "paid extras of videos"),
    Holding("corrections", "rounds of corrections"),
    Holding("slots", "videos"),
    Holding("profiles", "profiles that were ordered"),
    Holding("claims", "who worked on an order"),
    Holding("bundle_charges", "what was charged for each order"),
    Holding("rehearsal_scripts", "scripts of a rehearsal's orders"),
    Holding("rehearsal_settings", "settings of a rehearsal"),
    Holding("saved_accounts", "delivered accounts", omitted=("address_hash",)),
    Holding("bundles", "orders"),
    Holding("workspace_prices", "prices of this workspace"),
    Holding("workspace_invitations", "open invitations", omitted=("token_hash",)),
    Holding("workspace_members", "who belongs to the workspace"),
    Holding("workspace_exports", "archives like this one", omitted=("storage_key",)),
    Holding("credit_entry_lots", "which credits paid what", kept=True),
    Holding("credit_entries", "every movement of credits", kept=True),
    Holding("credit_lots", "credits by where they came from", kept=True),
    Holding("wallets", "when credits were last settled", kept=True),
    Holding("earnings", "what managers earned", _OPERATORS, kept=True),
    Holding("audit", "what was decided and by whom", _OPERATORS, kept=True),
)
