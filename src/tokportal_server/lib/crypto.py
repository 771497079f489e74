"""Encryption at rest, keyed look-up hashes and password hashes.

A sealed record is ``version (1) | key id (4) | nonce (12) | wrapped data key (48) | nonce (12) |
ciphertext and tag``: every record has a data key of its own, encrypted with AES-256-GCM under a
vault key. Both layers authenticate the context, so a record moved to another row does not open.
Only the outer layer names the vault key, so changing the key never touches the secret itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tokportal_server.lib.vault_keys import KEY_BYTES, VaultError, key_id, load_keys

__all__ = ["Vault", "VaultError", "hash_password", "key_id", "verify_password"]

_VERSION: Final = b"\x01"
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_END: Final = 1 + _ID_BYTES + _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_SHORTEST: Final = _WRAPPED_END + _NONCE_BYTES + _TAG_BYTES

# Argon2id at the library's parameters takes 64 MiB and some 50 ms per hash: two threads bound what
# a burst of sign-ins can take, and keep it off the event loop.
_HASHER: Final = PasswordHasher()
_HASHING: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


class Vault:
    """Seals and opens small secrets.

    ``keys`` are 32-byte keys by key id; ``current`` is the id of the one that seals, the others
    only open. ``context`` names the row and column of a record and must be the same when opening.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        for name, key in keys.items():
            if len(key) != KEY_BYTES or name != key_id(key):
                raise VaultError(f"vault key {name!r} is not {KEY_BYTES} bytes of that key id")
        if current not in keys:
            raise VaultError(f"the current vault key {current!r} is not among the keys given")
        self.current = current
        self._wrapping = {name: AESGCM(_derive(key, b"wrap")) for name, key in keys.items()}
        self._hashing = {name: _derive(key, b"look-up") for name, key in keys.items()}

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r}, keys={sorted(self._wrapping)!r})"

    @classmethod
    def from_settings(cls, vault_key: str | None, vault_key_file: Path | None, home: Path) -> Self:
        """Read the keys from a setting, from a file, or from ``home/vault.key`` (made if absent).

        The text holds one or more keys, 32 bytes each as hex or base64, apart by blanks, line
        breaks or commas: the first seals, the others only open. Raises ``VaultError`` naming the
        source, never the key. Reads and writes files: call it at start, not in a request.
        """
        keys = load_keys(vault_key, vault_key_file, home)
        by_id = {key_id(key): key for key in keys}
        return cls(by_id, key_id(keys[0]))

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt ``plain`` under a new data key; the record is 93 bytes longer."""
        data_key = os.urandom(KEY_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, plain, _bound(b"record", context))
        return self._wrap(data_key, context) + nonce + ciphertext

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt a record.

        Raises ``VaultError`` if it was changed, belongs to another context, or was sealed with a
        key that is not at hand.
        """
        data_key = self._unwrap(sealed, context)
        nonce = sealed[_WRAPPED_END : _WRAPPED_END + _NONCE_BYTES]
        ciphertext = sealed[_WRAPPED_END + _NONCE_BYTES :]
        try:
            return AESGCM(data_key).decrypt(nonce, ciphertext, _bound(b"record", context))
        except InvalidTag:
            raise VaultError("the sealed record was changed") from None

    def rewrap(self, sealed: bytes, *, context: str) -> bytes:
        """Give the record under the current key; unchanged if it already is.

        The secret itself isn't decrypted. Raises ``VaultError`` as ``open`` does.
        """
        data_key = self._unwrap(sealed, context)
        if self.key_id_of(sealed) == self.current:
            return sealed
        return self._wrap(data_key, context) + sealed[_WRAPPED_END:]

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of the keys at hand."""
        return frozenset(self._wrapping)

    @staticmethod
    def key_id_of(sealed: bytes) -> str:
        """Give the id of the key that sealed a record (its bytes 2 to 5), without opening it."""
        if len(sealed) < _SHORTEST or sealed[:1] != _VERSION:
            raise VaultError("this is no sealed record of a known version")
        return sealed[1 : 1 + _ID_BYTES].hex()

    def keyed_hash(self, text: str, *, purpose: str) -> bytes:
        """Give a hash to look ``text`` up by, useless without the vault key.

        The first 4 bytes are the key id, then HMAC-SHA256; ``purpose`` names the column, so that
        equal texts in two columns cannot be matched. After a key change the hash differs.
        """
        return self._hash_with(self.current, text, purpose)

    def keyed_hashes(self, text: str, *, purpose: str) -> list[bytes]:
        """Give the hash under every key at hand, the current first: for ``= ANY($1)``."""
        older = [name for name in self._hashing if name != self.current]
        return [self._hash_with(name, text, purpose) for name in (self.current, *older)]

    def _hash_with(self, name: str, text: str, purpose: str) -> bytes:
        message = _bound(purpose.encode(), text)
        digest = hmac.new(self._hashing[name], message, hashlib.sha256).digest()
        return bytes.fromhex(name) + digest

    def _wrap(self, data_key: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        wrapping = self._wrapping[self.current]
        wrapped = wrapping.encrypt(nonce, data_key, _bound(b"data key", context))
        return _VERSION + bytes.fromhex(self.current) + nonce + wrapped

    def _unwrap(self, sealed: bytes, context: str) -> bytes:
        name = self.key_id_of(sealed)
        wrapping = self._wrapping.get(name)
        if wrapping is None:
            raise VaultError(f"sealed with vault key {name}, which is not configured; add it back")
        nonce_end = 1 + _ID_BYTES + _NONCE_BYTES
        nonce, wrapped = sealed[1 + _ID_BYTES : nonce_end], sealed[nonce_end:_WRAPPED_END]
        try:
            return wrapping.decrypt(nonce, wrapped, _bound(b"data key", context))
        except InvalidTag:
            raise VaultError("the sealed record was changed or belongs to another row") from None


async def hash_password(password: str) -> str:
    """Give an Argon2id hash in the PHC text form, salted."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_HASHING, _HASHER.hash, password)


async def verify_password(password_hash: str, password: str) -> bool:
    """Tell whether ``password`` made ``password_hash``; text that is no hash matches nothing."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_HASHING, _HASHER.verify, password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"vault " + purpose).derive(key)


def _bound(label: bytes, text: str) -> bytes:
    # The length in front makes every (label, text) pair a different byte string.
    return len(label).to_bytes(2, "big") + label + text.encode()
