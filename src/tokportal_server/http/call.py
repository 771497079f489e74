"""What a handler is given: who calls, the transaction or connection to work in, the path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from tokportal_server.http.admission import Caller
from tokportal_server.http.answers import Answer
from tokportal_server.http.errors import DryRunIdError
from tokportal_server.http.imagined import ImaginedError
from tokportal_server.http.multipart import Upload
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX, UnitOfWork

T = TypeVar("T")
_ABSENT = "the operation asked for what its kind of call does not have"


@dataclass(slots=True)
class Call:
    """One admitted request of an operation.

    Reads have ``connection``; writes have ``work``. Operations with effects outside the database
    have neither: they return an :class:`Effect`, whose ``finish`` gets the transaction.
    """

    ports: Ports
    path: dict[str, Any]
    headers: dict[bytes, bytes]
    base_url: str
    dry_run: bool = False
    caller: Caller | None = None
    connection: Connection | None = None
    work: UnitOfWork | None = None
    upload: Upload | None = None

    @property
    def who(self) -> Caller:
        """The caller; only public operations can be without one."""
        return _given(self.caller)

    @property
    def conn(self) -> Connection:
        """The connection of a read."""
        if self.connection is None:
            raise RuntimeError(_ABSENT)
        return self.connection

    @property
    def tx(self) -> UnitOfWork:
        """The transaction of a write."""
        return _given(self.work)

    @property
    def file(self) -> Upload:
        """The uploaded file of a multipart operation."""
        return _given(self.upload)

    def id(self, name: str, not_found: type[ApiError]) -> UUID:
        """Read an id of the path; what is no UUID names nothing.

        Raises:
            DryRunIdError: a dry run's id in a live call.
            ImaginedError: a dry run's id in a dry run.
        """
        text = str(self.path[name])
        try:
            value = UUID(text)
        except ValueError:
            value = None
        if value is None or str(value) != text.lower():
            raise not_found(
                f"{name}: {text[:80]!r} is not an id; ids are UUIDs, as the list operation gives."
            )
        self.require_real(name, value)
        return value

    def require_real(self, name: str, value: UUID) -> None:
        """Stop at the id of a thing that only a dry run imagined.

        Raises:
            DryRunIdError: 400, in a live call.
            ImaginedError: in a dry run; the pipeline answers.
        """
        self.refuse_dry_run_id(name, value)
        if str(value).startswith(DRY_RUN_PREFIX):
            raise ImaginedError

    def refuse_dry_run_id(self, name: str, value: UUID) -> None:
        """Refuse, in a live call, the id of a thing that only a dry run imagined.

        Raises:
            DryRunIdError: 400.
        """
        if not self.dry_run and str(value).startswith(DRY_RUN_PREFIX):
            raise DryRunIdError(
                f"{name}: {value} comes from a dry run and names nothing real. Make the live call"
                " first and use the id that it answers.",
                details={"field": name, "id": str(value)},
            )

    def number(self, name: str, not_found: type[ApiError], *, most: int) -> int:
        """Read a positive number of the path; what is none names nothing."""
        text = str(self.path[name])
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= most:
            raise not_found(f"{name}: {text[:80]!r} is not a number from 1 to {most}.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Effect:
    """Work done outside the database; ``finish`` records it in the transaction of the answer.

    ``undo`` is awaited if that transaction does not commit.
    """

    finish: Callable[[UnitOfWork], Awaitable[Answer]]
    undo: Callable[[], Awaitable[None]]


def _given(value: T | None) -> T:
    if value is None:
        raise RuntimeError(_ABSENT)
    return value
