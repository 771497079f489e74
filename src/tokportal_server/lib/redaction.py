"""Taking secrets out of what is about to be logged.

Two nets: a field whose name says that it is secret loses its value, whatever it looks like; and
any text loses the parts that look like one of our keys or like a password in a URL. The nets are
for accidents. Code that knows a secret must not log it in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

# Deeper than any event of ours; it ends structures that contain themselves.
_DEEPEST = 8

# One of these as a word of the name is enough: `email_password`, `Set-Cookie`.
_SECRET_WORDS = frozenset(
    (
        "apikey",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "secret",
        "token",
    )
)
# Of these, each word alone is harmless.
_SECRET_NAMES = ("api_key", "data_key", "recovery_codes", "signing_key", "vault_key")

# One of these is in every text that the patterns below can match, and hardly in any other.
_SUSPECT = re.compile(r"(?i)sk_|://|bearer|basic|pass|secret|token|key|whsec_")
_API_KEY = re.compile(r"\bsk_[A-Za-z0-9]{8,}")
_WEBHOOK_SECRET = re.compile(r"\bwhsec_[A-Za-z0-9+/_=-]+")
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+(@)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_ASSIGNMENT = re.compile(
    r"""(?ix)
    (?<![a-z0-9])                               # after db_ or x-, which are left as they are
    ( (?: password | passwd | passphrase | secret | token | api[_-]?key | vault[_-]?key )
        ["']? \s* [=:] \s*
    )
    (?: "[^"]*" | '[^']*' | [^\s"'&,;)}\]]+ )   # quoted, or up to the next separator
    """
)


def redact(value: Any) -> Any:
    """Give a copy without secrets, made of dicts, lists, texts, numbers, booleans and None."""
    return _redact(value, _DEEPEST)


def redact_text(text: str) -> str:
    """Give the text with everything that looks like a secret replaced by ``[redacted]``."""
    if not _SUSPECT.search(text):
        return text
    text = _API_KEY.sub(f"sk_{REDACTED}", text)
    text = _WEBHOOK_SECRET.sub(f"whsec_{REDACTED}", text)
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}\2", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    return _ASSIGNMENT.sub(rf"\1{REDACTED}", text)


def _redact(value: Any, deeper: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and deeper:
        return {
            _redact_name(str(name)): REDACTED
            if _is_secret(str(name)) and item is not None
            else _redact(item, deeper - 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and deeper:
        return [_redact(item, deeper - 1) for item in value]
    return redact_text(str(value))


# The names of fields are few and come again with every event.
@lru_cache(maxsize=1024)
def _redact_name(name: str) -> str:
    return redact_text(name)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    if not _SECRET_WORDS.isdisjoint(plain.split("_")):
        return True
    return any(f"_{plain}".endswith(f"_{known}") for known in _SECRET_NAMES)
