"""Addresses for one PUT at a store that speaks S3, bound to the type of what is sent.

The store's own client signs the host and nothing else, so that whoever holds the address could
send any type. Here its address is signed again, with ``Content-Type`` among what is signed (AWS
Signature Version 4, "Authenticating requests: using query parameters").
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

_SIGNED_HEADERS = "content-type;host"
_UNSIGNED = frozenset({"X-Amz-SignedHeaders", "X-Amz-Signature"})


def sign_content_type(url: str, content_type: str, secret_key: str) -> str:
    """Give a presigned PUT ``url`` that takes no other ``Content-Type`` than this one.

    ``secret_key`` is that of the access key which ``X-Amz-Credential`` of the URL names.
    """
    parts = urlsplit(url)
    fields = {k: v for k, v in parse_qsl(parts.query) if k not in _UNSIGNED}
    fields["X-Amz-SignedHeaders"] = _SIGNED_HEADERS
    query = "&".join(f"{_quoted(name)}={_quoted(fields[name])}" for name in sorted(fields))
    request = "\n".join(
        [
            "PUT",
            parts.path,
            query,
            f"content-type:{content_type}",
            f"host:{parts.netloc}",
            "",
            _SIGNED_HEADERS,
            "UNSIGNED-PAYLOAD",
        ]
    )
    scope = fields["X-Amz-Credential"].partition("/")[2]
    signed = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            fields["X-Amz-Date"],
            scope,
            hashlib.sha256(request.encode()).hexdigest(),
        ]
    )
    signature = _hmac(_signing_key(secret_key, scope), signed).hex()
    return urlunsplit(
        (parts.scheme, parts.netloc, parts.path, f"{query}&X-Amz-Signature={signature}", "")
    )


def _signing_key(secret_key: str, scope: str) -> bytes:
    """Derive the day's key; ``scope`` is ``<date>/<region>/s3/aws4_request``."""
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
