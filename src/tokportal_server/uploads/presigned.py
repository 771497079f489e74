"""Addresses for one PUT: the bucket's own, or one of this server (contract section 8).

What is PUT lies in quarantine, under a key that no route serves, until its first use. An address
of this server names all that its holder may do and is signed with the vault key, so that any
process of the installation can check it and nothing has to be kept.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from dataclasses import dataclass

from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports

VALID_SECONDS = 900
_PURPOSE = "upload address"


class UploadUrlInvalidError(ApiError):
    """The address was not given out by this server, or is incomplete."""

    code = "UPLOAD_URL_INVALID"
    status = 403
    remedy = "You: use the `upload_url` of uploadVideo or uploadImage as it is, every character."


class UploadUrlExpiredError(ApiError):
    """The address was valid for 15 minutes, and they have passed."""

    code = "UPLOAD_URL_EXPIRED"
    status = 403
    remedy = "You: ask for a new address (`POST /upload/video` or `/upload/image`)."


@dataclass(frozen=True, slots=True)
class Permit:
    """What an address of this server allows: until ``expires_at`` (Unix seconds, real clock)."""

    storage_key: str
    content_type: str
    max_bytes: int
    expires_at: int

    def words(self) -> str:
        """Give the text that is signed; none of its parts can hold a blank."""
        return f"{self.storage_key} {self.content_type} {self.max_bytes} {self.expires_at}"


def quarantine_key(storage_key: str) -> str:
    """Give the key under which a presigned upload lies until it is used."""
    return f"quarantine/{storage_key}"


def upload_address(ports: Ports, base_url: str, permit: Permit) -> str:
    """Give the address to PUT to: the store's own if it has such, else one of this server."""
    of_the_store = ports.storage.sign_put(
        quarantine_key(permit.storage_key),
        content_type=permit.content_type,
        seconds=VALID_SECONDS,
    )
    return of_the_store or f"{base_url}/uploads/{sign_permit(ports.vault, permit)}"


def sign_permit(vault: Vault, permit: Permit) -> str:
    """Give a permit as a segment of a path: its words and their keyed hash, both in base64url."""
    words = permit.words()
    return f"{_encoded(words.encode())}.{_encoded(vault.keyed_hash(words, purpose=_PURPOSE))}"


def read_permit(vault: Vault, segment: str, *, now: float) -> Permit:
    """Read a permit back.

    Raises:
        UploadUrlInvalidError: it was changed, cut, or signed with a key that is gone.
        UploadUrlExpiredError: its time is over.
    """
    words, _, signature = segment.partition(".")
    try:
        text, given = _decoded(words).decode("ascii"), _decoded(signature)
    except (NotBase64Error, UnicodeError):
        raise _invalid() from None
    if not any(hmac.compare_digest(h, given) for h in vault.keyed_hashes(text, purpose=_PURPOSE)):
        raise _invalid()
    storage_key, content_type, max_bytes, expires_at = text.split(" ")
    permit = Permit(storage_key, content_type, int(max_bytes), int(expires_at))
    if now >= permit.expires_at:
        raise UploadUrlExpiredError(
            f"This address was valid for {VALID_SECONDS // 60} minutes, and they have passed. Ask"
            " for a new one (POST /upload/video or /upload/image)."
        )
    return permit


def _invalid() -> UploadUrlInvalidError:
    return UploadUrlInvalidError(
        "No upload_url of this server reads like this: it is incomplete, or was changed. Use the"
        " upload_url of the answer as it is."
    )


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
