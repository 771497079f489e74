"""Whether an account can take new work, and why not."""

from __future__ import annotations

from datetime import datetime

from tokportal_server.orders.errors import SavedAccountUnavailableError
from tokportal_server.orders.locks import Row

_SENTENCES = {
    "not_delivered": "it is in review and not delivered yet",
    "banned": "its platform has banned it",
    "detached": "it is detached, for its management ended with the reveal of its credentials",
    "consent_revoked": "its owner's consent has ended",
}


def unavailable_reason(account: Row, now: datetime) -> str | None:
    """Say why an account cannot take new work, or None (contract section 6, createBundle).

    One of ``banned``, ``detached``, ``consent_revoked``, ``not_delivered``.
    """
    if account["status"] != "active":
        return str(account["status"])
    if consent_has_ended(account, now):
        return "consent_revoked"
    return None if account["delivered_at"] else "not_delivered"


def consent_has_ended(account: Row, now: datetime) -> bool:
    """Say whether the owner's consent was taken back, or has run out."""
    return account["consent_ends_at"] is not None and account["consent_ends_at"] <= now


def unavailable_sentence(account: Row, reason: str) -> str:
    """Tell a reason of :func:`unavailable_reason`, with what was noted about it."""
    told = _SENTENCES[reason]
    return f"{told} ({account['stopped_reason']})" if account["stopped_reason"] else told


def refuse_unavailable(account: Row, now: datetime, *, field: str = "account_id") -> None:
    """Refuse an account that cannot take new work; ``field`` is what names it in the request.

    Raises:
        SavedAccountUnavailableError: with ``details.reason``.
    """
    if reason := unavailable_reason(account, now):
        raise SavedAccountUnavailableError(
            f"{field}: account {account['username']} cannot take new work:"
            f" {unavailable_sentence(account, reason)}.",
            details={"field": field, "reason": reason},
        )
