"""Signing secrets at rest: sealed with the vault key and bound to their endpoint."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.lib.crypto import Vault

_MOST_OPENED: Final = 1024


def seal_secret(vault: Vault, secret: str, *, workspace_id: UUID, endpoint_id: UUID) -> bytes:
    """Seal an endpoint's signing secret; in another endpoint's row it does not open."""
    return vault.seal(secret.encode(), context=secret_context(workspace_id, endpoint_id))


def open_secret(vault: Vault, sealed: bytes, *, workspace_id: UUID, endpoint_id: UUID) -> str:
    """Open a sealed signing secret.

    Raises:
        VaultError: it was changed, moved, or sealed with a key that is not at hand.
    """
    return vault.open(sealed, context=secret_context(workspace_id, endpoint_id)).decode()


class OpenedSecrets:
    """Remembers the secrets that a deliverer uses again and again, in its own memory alone."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._opened: dict[tuple[bytes, UUID, UUID], str] = {}

    def open(self, sealed: bytes, *, workspace_id: UUID, endpoint_id: UUID) -> str:
        """Open a sealed signing secret; errors as :func:`open_secret`."""
        key = (sealed, workspace_id, endpoint_id)
        secret = self._opened.get(key)
        if secret is None:
            secret = open_secret(
                self._vault, sealed, workspace_id=workspace_id, endpoint_id=endpoint_id
            )
            if len(self._opened) >= _MOST_OPENED:
                self._opened.clear()
            self._opened[key] = secret
        return secret


def secret_context(workspace_id: UUID, endpoint_id: UUID) -> str:
    """Give what binds a sealed signing secret to its endpoint."""
    return f"webhook_endpoint:{workspace_id}:{endpoint_id}"
