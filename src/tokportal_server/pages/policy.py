"""Who may open which page: one table, and nobody opens what it does not name.

A role comes from the database at each request, so that taking it away takes effect on the next one.
No page changes anybody's roles; ``tokportal-server person`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Role = Literal["anybody", "person", "operator", "manager", "owner", "member", "viewer"]

WORKSPACE_ROLES: Final = frozenset[Role]({"owner", "member", "viewer"})
_EVERYBODY: Final = frozenset[Role]({"anybody", "person"})
_SIGNED_IN: Final = frozenset[Role]({"person"})
_MANAGERS: Final = frozenset[Role]({"manager"})
_READERS: Final = WORKSPACE_ROLES
_WRITERS: Final = frozenset[Role]({"owner", "member"})

# By page name. ``owner``, ``member`` and ``viewer`` are roles in the workspace of the address.
POLICY: Final[Mapping[str, frozenset[Role]]] = {
    "front": _EVERYBODY,
    "asset": _EVERYBODY,
    "sign_in_form": _EVERYBODY,
    "sign_in": _EVERYBODY,
    "password_form": _EVERYBODY,
    "password": _EVERYBODY,
    "home": _SIGNED_IN,
    "sign_out": _SIGNED_IN,
    "you": _SIGNED_IN,
    "end_session": _SIGNED_IN,
    "end_sessions": _SIGNED_IN,
    "queue": _MANAGERS,
    "claim": _MANAGERS,
    "my_work": _MANAGERS,
    "work": _MANAGERS,
    "release": _MANAGERS,
    "submit_account": _MANAGERS,
    "submit_slot": _MANAGERS,
    "report_download": _MANAGERS,
    "credentials": _MANAGERS,
    "overview": _READERS,
    "bundles": _READERS,
    "bundle": _READERS,
    "approve_account": _WRITERS,
    "correct_account": _WRITERS,
    "approve_slot": _WRITERS,
    "correct_slot": _WRITERS,
    "publish": _WRITERS,
    "cancel": _WRITERS,
}


def may_open(page: str, roles: frozenset[Role]) -> bool:
    """Say whether somebody with these roles may open a page; what is not in the table, nobody."""
    return not POLICY.get(page, frozenset()).isdisjoint(roles)
