"""Where the API key of a caller is: in a header over HTTP, in the environment on stdio."""

from __future__ import annotations

from collections.abc import Mapping

from tokportal_server.lib.settings import SettingsError

VARIABLE = "TOKPORTAL_API_KEY"
"""The published clients' own variable."""
_BEARER = b"bearer "


def key_in_headers(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Find the API key: ``X-API-Key``, else the token of ``Authorization: Bearer``."""
    if given := headers.get(b"x-api-key"):
        return given
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip() or None
    return None


def key_in_environment(environ: Mapping[str, str]) -> str:
    """Read the API key.

    Raises:
        SettingsError: it is not set, or cannot be a header.
    """
    key = environ.get(VARIABLE, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise SettingsError(
            [f"{VARIABLE} must hold the API key (sk_...) whose workspace the tools work in."]
        )
    return key
