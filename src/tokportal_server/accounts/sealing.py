"""What of an account lies in the vault: credentials and codes, each bound to its own row."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.crypto import Vault

_ADDRESS: Final = "saved_accounts.address"


class SealedCode(msgspec.Struct, frozen=True, kw_only=True):
    """A verification code as it lies in the vault, with where it came from."""

    code: str
    sender: str | None
    subject: str | None


def credentials_context(workspace_id: UUID, account_id: UUID) -> str:
    """Give what binds sealed credentials to their account."""
    return f"account:{workspace_id}:{account_id}"


def code_context(workspace_id: UUID, code_id: UUID) -> str:
    """Give what binds a sealed code to its row."""
    return f"verification_code:{workspace_id}:{code_id}"


def seal_credentials(
    vault: Vault, credentials: Credentials, *, workspace_id: UUID, account_id: UUID
) -> bytes:
    """Seal an account's credentials; in another account's row they do not open."""
    context = credentials_context(workspace_id, account_id)
    return vault.seal(msgspec.json.encode(credentials), context=context)


def open_credentials(
    vault: Vault, sealed: bytes, *, workspace_id: UUID, account_id: UUID
) -> Credentials:
    """Open an account's credentials.

    Raises:
        VaultError: they were changed, moved, or sealed with a key that is not at hand.
    """
    context = credentials_context(workspace_id, account_id)
    return msgspec.json.decode(vault.open(sealed, context=context), type=Credentials)


def seal_code(vault: Vault, code: SealedCode, *, workspace_id: UUID, code_id: UUID) -> bytes:
    """Seal a code; in another row it does not open."""
    return vault.seal(msgspec.json.encode(code), context=code_context(workspace_id, code_id))


def open_code(vault: Vault, sealed: bytes, *, workspace_id: UUID, code_id: UUID) -> SealedCode:
    """Open a code; errors as :func:`open_credentials`."""
    plain = vault.open(sealed, context=code_context(workspace_id, code_id))
    return msgspec.json.decode(plain, type=SealedCode)


def address_hash(vault: Vault, address: str) -> bytes:
    """Give the hash that an account is found by when mail comes to its address."""
    return vault.keyed_hash(_normal(address), purpose=_ADDRESS)


def address_hashes(vault: Vault, address: str) -> list[bytes]:
    """Give the hashes that an address has under every vault key at hand."""
    return vault.keyed_hashes(_normal(address), purpose=_ADDRESS)


def _normal(address: str) -> str:
    return address.strip().casefold()
