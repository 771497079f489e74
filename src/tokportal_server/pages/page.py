"""A page: its address, its name in the policy, and what answers it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self
from uuid import UUID

from tokportal_server.http.multipart import Upload
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.pages.errors import PageNotFoundError, StaleEditError
from tokportal_server.pages.sessions import Membership, Person
from tokportal_server.pages.texts import text

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A template, filled in with facts; a ``refusal`` among them gives the page its status."""

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    otherwise: int = 200

    @property
    def status(self) -> int:
        """The status of the answer."""
        refusal: Refusal | None = self.facts.get("refusal")
        return self.otherwise if refusal is None else refusal.status


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another page of ours: after a form, or because this one is not the place.

    ``token`` begins a session in the browser, an empty one ends it.
    """

    to: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of ours, as it is."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A file that is made while it is sent, offered to be kept as ``filename``.

    The visit's connection has gone back to the pool by then: ``chunks`` take their own, from
    ``visit.ports.database``.
    """

    chunks: AsyncIterator[bytes]
    media_type: str
    filename: str

    @classmethod
    def of(cls, content: bytes, media_type: str, filename: str) -> Self:
        """Offer a file that is there already."""

        async def whole() -> AsyncIterator[bytes]:
            yield content

        return cls(whole(), media_type, filename)


@dataclass(frozen=True, slots=True)
class Framed:
    """A whole document with a policy of its own, which one of our pages shows in a frame."""

    html: bytes
    policy: str


@dataclass(frozen=True, slots=True)
class Listening:
    """Server-sent events that say when something has moved, in a workspace or (None) anywhere."""

    workspace_id: UUID | None


Answer = Shown | Redirect | File | Stream | Framed | Listening


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a page that the visitor may open; it has one connection, and no transaction.

    ``secret`` is the value of the browser's cookie, from which its forms have their token; ``at``
    is the path that was asked for, ``live`` where its page listens, ``address`` where the visitor's
    machine is. A page that takes a file has the file instead of a connection, which it opens when
    it has done the slow work (:meth:`connected`).
    """

    ports: Ports
    connection: Connection | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    secret: str
    address: str
    user_agent: str
    at: str
    method: str
    visitor: Person | None = None
    membership: Membership | None = None
    live: str | None = None
    upload: Upload | None = None

    @property
    def conn(self) -> Connection:
        """The connection of the request."""
        if self.connection is None:
            raise RuntimeError("a page that takes a file has no connection until it opens one")
        return self.connection

    @property
    def file(self) -> Upload:
        """The file that was sent, of a page that takes one; it is there while the page answers."""
        if self.upload is None:
            raise RuntimeError("a page that takes no file asked for one")
        return self.upload

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Visit]:
        """Open a connection for the rest of the answer; give the visit that has it."""
        async with self.ports.database.connection() as conn:
            yield replace(self, connection=conn)

    @property
    def person(self) -> Person:
        """Who is signed in; the policy has let nobody else in."""
        if self.visitor is None:
            raise RuntimeError("a page for everybody asked who is signed in")
        return self.visitor

    @property
    def workspace(self) -> Membership:
        """The workspace of the address, to which the person belongs."""
        if self.membership is None:
            raise RuntimeError("a page without a workspace asked for it")
        return self.membership

    @property
    def now(self) -> datetime:
        """The time in the workspace of the address."""
        return real_now() + timedelta(seconds=self.workspace.ahead)

    @property
    def customer(self) -> Actor:
        """The person as operations on the workspace's own things know them."""
        return Actor("customer", self.person.id, self.address)

    @property
    def manager(self) -> Actor:
        """The person as the workbench's operations know them."""
        return Actor("manager", self.person.id, self.address)

    @property
    def operator(self) -> Actor:
        """The person as those operations know them that only operators may do."""
        return Actor("operator", self.person.id, self.address)

    def id(self, name: str) -> UUID:
        """Read an id of the address.

        Raises:
            PageNotFoundError: it is none.
        """
        try:
            return UUID(self.path[name])
        except ValueError:
            raise nothing_here() from None

    def number(self, name: str) -> int:
        """Read a small number of the address.

        Raises:
            PageNotFoundError: it is none.
        """
        text = self.path[name]
        if not text.isascii() or not text.isdigit() or len(text) > 4:
            raise nothing_here()
        return int(text)

    def field(self, name: str) -> str:
        """Give what was written into a field, without space around it; nothing if it is absent."""
        return self.form.get(name, "").strip()

    def writing(self, workspace_id: UUID, now: datetime) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open the transaction that an operation works in."""
        return unit_of_work(self.conn, workspace_id, now=now)


Handler = Callable[[Visit], Awaitable[Answer]]


class Page:
    """A method and an address such as ``/console/{workspace}``; ``name`` is the policy's.

    ``takes_file`` gives, of a page whose form has a part named ``file``, how large that may be. A
    form that ``goes_outside`` the database (it calls somebody, or takes its time) is answered
    without a connection, as one with a file is.
    """

    def __init__(
        self,
        name: str,
        method: Literal["GET", "POST"],
        path: str,
        answer: Handler,
        *,
        takes_file: Callable[[Settings], FormLimits] | None = None,
        goes_outside: bool = False,
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.answer = answer
        self.takes_file = takes_file
        self.goes_outside = goes_outside
        pattern = "".join(
            f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part)
            for number, part in enumerate(_PARAMETER.split(path))
        )
        self._pattern = re.compile(pattern)

    def match(self, path: str) -> dict[str, str] | None:
        """Give the parts of an address that are this page's parameters, or None."""
        found = self._pattern.fullmatch(path)
        return found.groupdict() if found else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A form that was refused: shown again, with what is wrong beside the field that it is about.

    ``form`` says which form of the page it was; ``retry_after`` in how many seconds it can be sent
    again.
    """

    form: str
    message: str
    status: int
    fields: Mapping[str, str]
    values: Mapping[str, str]
    retry_after: int | None = None

    @classmethod
    def of(cls, form: str, error: ApiError, visit: Visit) -> Refusal:
        """Read the refusal of an operation."""
        listed: Sequence[Mapping[str, Any]] = error.details.get("errors", [])
        fields = {str(one["field"]): str(one["message"]) for one in listed}
        # What stands beside its field need not be said twice, nor in the words of the API.
        said = not fields or isinstance(error, StaleEditError)
        message = error.message if said else text("form.mend")
        return cls(form, message, error.status, fields, visit.form, error.retry_after)


def nothing_here() -> PageNotFoundError:
    """Refuse an address that leads to nothing the visitor may see."""
    return PageNotFoundError("There is no such page, or it is not yours to see.")
