"""Signing secrets at rest: sealed with the vault key and bound to their endpoint."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.crypto import Vault


def seal_secret(vault: Vault, secret: str, *, workspace_id: UUID, endpoint_id: UUID) -> bytes:
    """Seal an endpoint's signing secret; in another endpoint's row it does not open."""
    return vault.seal(secret.encode(), context=_context(workspace_id, endpoint_id))


def open_secret(vault: Vault, sealed: bytes, *, workspace_id: UUID, endpoint_id: UUID) -> str:
    """Open a sealed signing secret.

    Raises:
        VaultError: it was changed, moved, or sealed with a key that is not at hand.
    """
    return vault.open(sealed, context=_context(workspace_id, endpoint_id)).decode()


def _context(workspace_id: UUID, endpoint_id: UUID) -> str:
    return f"webhook_endpoint:{workspace_id}:{endpoint_id}"
