"""Instagram's Graph API as such: versions, pages of lists, errors and limits.

Calls go to ``graph.instagram.com`` with the token of one professional account, in a header.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, NoReturn, TypeVar

import msgspec

from tokportal_server.analytics.observations import ProviderFailedError
from tokportal_server.analytics.providers.api import ProviderApi, Reply, plain

VERSION: Final = "v23.0"

_TOKEN_ENDED: Final = 190
# For the whole app, for one user, for a page, by a custom rule, and for one Instagram account.
_APP_LIMIT: Final = 4
_LIMITS: Final = frozenset({_APP_LIMIT, 17, 32, 613, 80002})
_TEMPORARY: Final = frozenset({1, 2})
_PERMISSIONS: Final = frozenset({3, 10, *range(200, 300)})
_APP_PAUSE: Final = timedelta(minutes=15)
# Per cent of a limit at which we stop by ourselves.
_NEAR: Final = 95
_T = TypeVar("_T")


class _Error(msgspec.Struct):
    message: str = ""
    code: int = 0
    error_subcode: int = 0
    is_transient: bool = False


class _Refusal(msgspec.Struct):
    error: _Error


class _Usage(msgspec.Struct):
    call_count: float = 0
    total_time: float = 0
    total_cputime: float = 0
    # Minutes; only where the limit is one account's.
    estimated_time_to_regain_access: float = 0


class _Cursors(msgspec.Struct):
    after: str | None = None


class _Paging(msgspec.Struct):
    cursors: _Cursors | None = None
    next: str | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] = []
    paging: _Paging | None = None


class GraphRefusedError(Exception):
    """The API refused one call for a reason of that call: the caller may do without it."""

    def __init__(self, reply: Reply, error: _Error) -> None:
        super().__init__(error.message)
        self.reply = reply
        self.message = plain(error.message)
        self.code = error.code
        self.subcode = error.error_subcode

    @property
    def is_permission(self) -> bool:
        """Whether consent is what is missing."""
        return self.code in _PERMISSIONS

    def failure(self) -> ProviderFailedError:
        """Give the failure of a collection that cannot do without the call."""
        return ProviderFailedError(
            self.reply.source,
            f"Instagram answered error {self.code}: {self.message}",
            retryable=False,
        )


class TokenEndedError(Exception):
    """The token is not taken any more: it was withdrawn, or has expired."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The API with one token."""

    api: ProviderApi
    token: str

    async def get(self, path: str, query: Mapping[str, str]) -> Reply:
        """Ask for a path below the version, such as ``/me``.

        Raises:
            GraphRefusedError: the API refuses this call.
            TokenEndedError: the account's consent has ended.
            ProviderFailedError: it does not answer, or a limit is reached.
        """
        reply = await self.api.get(f"/{VERSION}{path}", query, token=self.token)
        await self._heed_usage(reply)
        if reply.status != HTTPStatus.OK:
            await self._refuse(reply)
        return reply

    async def pages(
        self, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[tuple[Reply, list[msgspec.Raw]]]:
        """Give the pages of a list, each as its reply with its items; errors as :meth:`get`."""
        after: str | None = None
        while True:
            reply = await self.get(path, query if after is None else {**query, "after": after})
            page = reply.read(_Page)
            yield reply, page.data
            cursors = page.paging and page.paging.next and page.paging.cursors
            # A cursor that does not move would never come to an end.
            if not cursors or not cursors.after or cursors.after == after:
                return
            after = cursors.after

    async def _heed_usage(self, reply: Reply) -> None:
        """Stop calling before the app's limit is reached, as the headers tell."""
        usage = _usage(reply.headers.get("x-app-usage"), _Usage)
        if usage and max(usage.call_count, usage.total_time, usage.total_cputime) >= _NEAR:
            await self.api.budget.pause(_APP_PAUSE, "Instagram's limit for this app is near")

    async def _refuse(self, reply: Reply) -> NoReturn:
        error = reply.read(_Refusal).error
        if error.code == _TOKEN_ENDED:
            raise TokenEndedError(plain(error.message))
        if error.code == _APP_LIMIT:
            await self.api.budget.pause(_APP_PAUSE, "Instagram's limit for this app was reached")
        if error.code in _LIMITS:
            raise ProviderFailedError(
                reply.source,
                f"Instagram's limit of calls was reached (error {error.code})"
                + _regained(reply.headers),
                retryable=True,
            )
        if error.is_transient or error.code in _TEMPORARY:
            raise ProviderFailedError(
                reply.source,
                f"Instagram answered error {error.code}: {plain(error.message)}",
                retryable=True,
            )
        raise GraphRefusedError(reply, error)


def _regained(headers: Mapping[str, str]) -> str:
    """Say when the account's own limit is over, if the headers tell it."""
    listed = _usage(headers.get("x-business-use-case-usage"), dict[str, list[_Usage]])
    waits = [u.estimated_time_to_regain_access for us in (listed or {}).values() for u in us]
    longest = max(waits, default=0)
    return f"; it ends in about {longest:.0f} min" if longest else ""


def _usage(text: str | None, kind: type[_T]) -> _T | None:
    """Read a header of usage; one that cannot be read tells nothing."""
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.MsgspecError:
        return None
