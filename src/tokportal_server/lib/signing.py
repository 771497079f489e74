"""API keys, signing secrets, and signatures over message bodies."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

SIGNATURE_TOLERANCE_SECONDS: Final = 300

_SIGNATURE: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def new_api_key() -> str:
    """Give a new API key: ``sk_`` and 64 lower-case hex digits (contract section 2)."""
    return f"sk_{secrets.token_hex(32)}"


def api_key_hash(raw: str) -> bytes:
    """Give the SHA-256 of an API key, all that is ever stored of it.

    A plain hash is enough: the key is 256 random bits, so there is nothing to guess.
    """
    return hashlib.sha256(raw.encode()).digest()


def new_webhook_secret() -> str:
    """Give a new signing secret: ``whsec_`` and 64 lower-case hex digits."""
    return f"whsec_{secrets.token_hex(32)}"


def sign_webhook(secret: str, timestamp: int, body: bytes) -> str:
    """Give ``t=<unix>,v1=<hex>``: HMAC-SHA256 over ``"<t>." + body`` (contract section 12).

    ``secret`` counts as UTF-8 text, prefix included; ``timestamp`` is Unix seconds of real time.
    """
    signed = f"{timestamp}.".encode() + body
    digest = hmac.digest(secret.encode(), signed, "sha256")
    return f"t={timestamp},v1={digest.hex()}"


def verify_signature(secret: str, signature: str, body: bytes, *, now: int) -> bool:
    """Tell whether ``signature`` was made with ``secret`` for ``body`` within 300 s of ``now``."""
    match = _SIGNATURE.fullmatch(signature)
    if match is None or abs(now - int(match[1])) > SIGNATURE_TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(sign_webhook(secret, int(match[1]), body), signature)
