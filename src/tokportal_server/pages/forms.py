"""Forms: reading what a browser sends, and being sure that one of our pages made it send that.

Three checks on every unsafe method, each enough by itself in a current browser: the cookie is
SameSite=Lax, the request says that it comes from our own origin, and the form carries a token that
only a page of this session can know.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from tokportal_server.http.body import arriving
from tokportal_server.http.errors import BodyTooLargeError, UnsupportedContentTypeError
from tokportal_server.http.multipart import Upload, boundary_of, receive
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.request import Request
from tokportal_server.http.validation import refuse, unstorable_text
from tokportal_server.pages.errors import FormForgedError, FormUnreadableError

TOKEN_FIELD: Final = "form_token"  # noqa: S105 - the name of a field
_TYPE = "application/x-www-form-urlencoded"
_MOST_BYTES = 64 * 1024
_MOST_FIELDS = 100
_FORGED = "This form was not sent from a page of this session. Reload the page and try again."


async def read_form(request: Request, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Read a form; a field that is given twice has its last value, and lines end as in Unix.

    Raises:
        UnsupportedContentTypeError, BodyTooLargeError, BodyTimeoutError: it is no form of ours.
        FormUnreadableError, ValidationError: it holds what is no text, or too many fields.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != _TYPE.encode():
        raise UnsupportedContentTypeError(f"A form must be sent as {_TYPE}.")
    raw = bytearray()
    async for chunk in arriving(request.stream()):
        raw += chunk
        if len(raw) > _MOST_BYTES:
            raise BodyTooLargeError(f"A form may have at most {_MOST_BYTES} bytes.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise FormUnreadableError("The form cannot be read: its text is not valid UTF-8.") from None
    return _clean(dict(pairs))


@asynccontextmanager
async def receive_file(
    request: Request, headers: Mapping[bytes, bytes], *, limits: FormLimits, directory: Path
) -> AsyncIterator[tuple[dict[str, str], Upload]]:
    """Receive a form with a part named ``file``, in constant memory; give its fields and the file.

    The file lies in ``directory`` while the block lasts.

    Raises:
        UnsupportedContentTypeError, BodyTimeoutError, MalformedMultipartError: it is no such form.
        ValidationError: a part is missing, given twice or no text.
        the refusal of ``limits``: the file is too large.
    """
    boundary = boundary_of(headers.get(b"content-type", b"").decode("latin-1"))
    async with receive(
        request.stream(),
        boundary,
        directory=directory,
        max_bytes=limits.max_bytes,
        too_large=limits.too_large,
        declared=headers.get(b"content-length"),
    ) as upload:
        refuse(upload.problems)
        yield _clean(upload.fields), upload


def _clean(fields: Mapping[str, str]) -> dict[str, str]:
    form = {name: value.replace("\r\n", "\n") for name, value in fields.items()}
    refuse(list(unstorable_text(form)))
    return form


def form_token(secret: str) -> str:
    """Give the token of a browser's forms; ``secret`` is its cookie, which it does not tell."""
    return hmac.new(secret.encode(), b"tokportal form", hashlib.sha256).hexdigest()


def require_own_form(
    headers: Mapping[bytes, bytes], form: Mapping[str, str], *, secret: str | None, origin: str
) -> None:
    """Refuse a form that no page of ours made, in this browser, since it signed in.

    Raises:
        FormForgedError: it comes from elsewhere, or its token is not that of the cookie.
    """
    require_own_origin(headers, origin)
    if secret is None:
        raise FormForgedError(_FORGED)
    if not hmac.compare_digest(form.get(TOKEN_FIELD, "").encode(), form_token(secret).encode()):
        raise FormForgedError(_FORGED)


def require_own_origin(headers: Mapping[bytes, bytes], origin: str) -> None:
    """Refuse by the head alone what another site sends.

    Raises:
        FormForgedError: the browser says that it comes from elsewhere.
    """
    if not _is_own_origin(headers, origin):
        raise FormForgedError(_FORGED)


def _is_own_origin(headers: Mapping[bytes, bytes], origin: str) -> bool:
    """Judge by what browsers say themselves; a program that says nothing has the token to know."""
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        return False
    sent = headers.get(b"origin")
    if sent is None:
        return True
    # Not parsed as a URL: an origin has nothing but a scheme and a host, or it is nobody's.
    text, host = sent.decode("latin-1"), headers.get(b"host", b"").decode("latin-1")
    return text == origin or (host != "" and text.partition("://")[2] == host)


def cookies_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Read the cookies of a request; of those with one name the first counts.

    Only blanks and tabs stand between them. If all that Python calls space were stripped, a cookie
    whose name is a byte 0xA0 and then ours, which another site of the domain may set, would be it.
    """
    found: dict[str, str] = {}
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip(" \t").partition("=")
        found.setdefault(name, value)
    return found


def set_cookie(name: str, value: str, *, seconds: int, secure: bool) -> str:
    """Write a cookie that scripts cannot read and other sites cannot send along; 0 s deletes it."""
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if secure else parts)
