"""Rules between settings, which no single one of them can break."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final

_PAIRS: Final = (
    ("smtp_username", "smtp_password"),
    ("tiktok_client_key", "tiktok_client_secret"),
    ("instagram_app_id", "instagram_app_secret"),
)


def contradictions(values: Mapping[str, Any]) -> list[str]:
    """Say which settings cannot be meant so, or not together, each with the way out."""
    problems = [
        f"TOKPORTAL_TRUSTED_PROXIES: {one!r} is neither an address nor a network."
        for one in values.get("trusted_proxies", ())
        if not _is_network(one)
    ]
    if "vault_key" in values and "vault_key_file" in values:
        problems.append(
            "TOKPORTAL_VAULT_KEY and TOKPORTAL_VAULT_KEY_FILE are both set: keep one of them."
        )
    if "smtp_host" in values and "mail_from" not in values:
        problems.append("TOKPORTAL_SMTP_HOST needs TOKPORTAL_MAIL_FROM: whom mail comes from.")
    for one, other in _PAIRS:
        if (one in values) != (other in values):
            names = f"TOKPORTAL_{one.upper()} and TOKPORTAL_{other.upper()}"
            problems.append(f"{names} belong together: set both, or neither.")
    if values.get("database_pooler") == "transaction" and "database_direct_url" not in values:
        problems.append(
            "TOKPORTAL_DATABASE_POOLER=transaction needs TOKPORTAL_DATABASE_DIRECT_URL: workers "
            "and migrations cannot work through such a pooler."
        )
    if "database_direct_url" in values and "database_url" not in values:
        problems.append(
            "TOKPORTAL_DATABASE_DIRECT_URL is set without TOKPORTAL_DATABASE_URL: set both."
        )
    return problems


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
