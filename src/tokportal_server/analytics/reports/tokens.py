"""The unguessable part of a report's address; only its hash is kept.

It begins with the workspace's id, so that a report is found by its key, like everything of a
workspace; 32 random bytes follow.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

_ID_BYTES: Final = 16
_RANDOM_BYTES: Final = 32
_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class ReportToken:
    """A token, read: whose report it is, and what to look for."""

    text: str
    workspace_id: UUID

    @property
    def hash(self) -> bytes:
        """What the report's row keeps."""
        return hashlib.sha256(self.text.encode()).digest()

    @classmethod
    def new(cls, workspace_id: UUID) -> ReportToken:
        """Make one."""
        raw = workspace_id.bytes + secrets.token_bytes(_RANDOM_BYTES)
        return cls(base64.urlsafe_b64encode(raw).decode(), workspace_id)

    @classmethod
    def read(cls, text: str) -> ReportToken | None:
        """Read one from an address; None if it can be none of ours."""
        if len(text) != _LENGTH or not text.isascii():
            return None
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        return cls(text, UUID(bytes=raw[:_ID_BYTES]))
