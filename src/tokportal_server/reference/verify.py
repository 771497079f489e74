"""``/docs/webhooks/verify``: a form that says why a webhook's signature does not verify."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from tokportal_server.http.body import arriving
from tokportal_server.lib.clock import real_now
from tokportal_server.reference.site import Site
from tokportal_server.webhooks.verification import Verdict, explain

VERIFY_PAGE: Final = "webhooks/verify"
# Events are a few kilobytes; in a form each byte may take three.
_LONGEST_FORM: Final = 256 * 1024
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TOO_LONG: Final = Verdict(
    "too_long", f"The form is longer than {_LONGEST_FORM // 1024} KiB; no event of ours is."
)


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in; the page shows it again, but for the secret."""

    signature: str = ""
    body: str = ""
    secret: str = ""
    at: str = ""

    def verdict(self) -> Verdict:
        """Judge what was filled in."""
        # A browser sends every line end as CR LF; an event has none.
        body = self.body.replace("\r\n", "\n").encode("utf-8", "surrogateescape")
        asked = self.at.isascii() and self.at.isdigit() and len(self.at) <= 12
        now = int(self.at) if asked else int(real_now().timestamp())
        return explain(secret=self.secret, signature=self.signature, body=body, now=now)


def verify_routes(site: Callable[[], Awaitable[Site]]) -> list[HTTPRouteHandler]:
    """Give the routes; ``site`` is where the page's frame comes from."""

    async def answer(form: Form, verdict: Verdict | None) -> Response[bytes]:
        page = await asyncio.to_thread(
            (await site()).render,
            VERIFY_PAGE,
            "verify.html",
            verdict=verdict,
            signature=form.signature,
            body=form.body,
            at=form.at,
        )
        # Bytes of the body that are no text are judged as they came, and shown as "?".
        content = page.encode("utf-8", "replace")
        return Response(content, media_type="text/html", headers=_HEADERS)

    @route(f"/docs/{VERIFY_PAGE}", http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
    async def blank() -> Response[bytes]:
        """The empty form."""
        return await answer(Form(), None)

    @route(f"/docs/{VERIFY_PAGE}", http_method=[HttpMethod.POST], status_code=200)
    async def verify(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form as it was filled in, with the verdict."""
        raw = await _read(request)
        if raw is None:
            return await answer(Form(), _TOO_LONG)
        form = _form(raw)
        return await answer(form, form.verdict())

    return [blank, verify]


async def _read(request: Request[Any, Any, Any]) -> bytes | None:
    received = bytearray()
    async for chunk in arriving(request.stream()):
        received += chunk
        if len(received) > _LONGEST_FORM:
            return None
    return bytes(received)


def _form(raw: bytes) -> Form:
    values = parse_qs(
        raw.decode("ascii", "replace"), keep_blank_values=True, errors="surrogateescape"
    )
    given = {name: values.get(name, [""])[0] for name in ("signature", "body", "secret", "at")}
    body = given.pop("body")
    texts = {name: text.encode("utf-8", "replace").decode() for name, text in given.items()}
    return Form(body=body, **texts)
