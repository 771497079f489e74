"""A page: its address, its name in the policy, and what answers it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.pages.errors import PageNotFoundError
from tokportal_server.pages.sessions import Membership, Person
from tokportal_server.pages.texts import text

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A template, filled in with facts."""

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


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


Answer = Shown | Redirect | File


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a page that the visitor may open; it has one connection, and no transaction.

    ``secret`` is the value of the browser's cookie, from which its forms have their token.
    """

    ports: Ports
    conn: Connection
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    secret: str
    address: str
    user_agent: str
    visitor: Person | None = None
    membership: Membership | None = None

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
        return Actor("customer", self.person.id)

    @property
    def manager(self) -> Actor:
        """The person as the workbench's operations know them."""
        return Actor("manager", self.person.id)

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
    """A method and an address such as ``/console/{workspace}``; ``name`` is the policy's."""

    def __init__(
        self, name: str, method: Literal["GET", "POST"], path: str, answer: Handler
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.answer = answer
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

    ``form`` says which form of the page it was.
    """

    form: str
    message: str
    status: int
    fields: Mapping[str, str]
    values: Mapping[str, str]

    @classmethod
    def of(cls, form: str, error: ApiError, visit: Visit) -> Refusal:
        """Read the refusal of an operation."""
        listed: Sequence[Mapping[str, Any]] = error.details.get("errors", [])
        fields = {str(one["field"]): str(one["message"]) for one in listed}
        # What stands beside its field need not be said twice, nor in the words of the API.
        message = text("form.mend") if fields else error.message
        return cls(form, message, error.status, fields, visit.form)


def nothing_here() -> PageNotFoundError:
    """Refuse an address that leads to nothing the visitor may see."""
    return PageNotFoundError("There is no such page, or it is not yours to see.")
