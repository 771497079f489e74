"""Operations that newer published clients know and the reference does not have (section 13)."""

from __future__ import annotations

import re

_OPERATIONS = (
    ("PATCH", "/me", "updateCurrentUserSettings"),
    ("GET", "/accounts/{id}/managed-subscription", "getAccountManagedSubscription"),
    (
        "POST",
        "/accounts/{id}/managed-subscription/reactivate",
        "reactivateAccountManagedSubscription",
    ),
    ("POST", "/accounts/{id}/managed-subscription/cancel", "cancelAccountManagedSubscription"),
    ("PATCH", "/accounts/{id}/commenting-profile", "updateAccountCommentingProfile"),
    ("POST", "/accounts/{id}/rewarm", "rewarmAccount"),
    ("PUT", "/bundles/{id}/warming-terms", "configureBundleWarmingTerms"),
    ("GET", "/accounts/{id}/warming-sessions", "listAccountWarmingSessions"),
    ("GET", "/warming-sessions/{id}", "getWarmingSession"),
    ("POST", "/warming/generate-terms", "generateWarmingTerms"),
    ("POST", "/videos/{id}/ad-code-request", "createVideoAdCodeRequest"),
    ("GET", "/videos/{id}/ad-code-request", "getVideoAdCodeRequest"),
)
_PATTERNS = tuple(
    (method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), name)
    for method, path, name in _OPERATIONS
)


def not_offered(method: str, path: str) -> str | None:
    """Give the name of the operation that ``method path`` is for newer clients, if it is one."""
    for known_method, pattern, name in _PATTERNS:
        if method == known_method and pattern.fullmatch(path):
            return name
    return None
