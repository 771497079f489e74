"""One request of one operation, in the order of checks of contract section 1.

1. Admission: key, token bucket (its own round trip, committed whatever follows), scope;
   while there is maintenance, writes end here.
2. The body's type and length.
3. The idempotency key: replay, refuse, or hold it.
4. Parameters and body, every problem at once.
5. The operation: a read on a connection, a write in a transaction that also stores the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

import msgspec

from tokportal_server.http import answers, idempotency
from tokportal_server.http.admission import Caller, admit, check_scope, recognise
from tokportal_server.http.answers import Answer, Rendered, Stream
from tokportal_server.http.body import read_json
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.client_address import client_address
from tokportal_server.http.errors import ValidationError
from tokportal_server.http.imagined import ImaginedError, empty_shape
from tokportal_server.http.multipart import boundary_of, receive
from tokportal_server.http.registry import Operation
from tokportal_server.http.request import Request
from tokportal_server.http.validation import (
    Problem,
    decode_body,
    decode_query,
    refuse,
    unstorable_text,
)
from tokportal_server.lib.db import Connection, OutcomeUnknownError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.patience import Patience
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work

FileTooLarge = Callable[[int], ApiError]
# Decodes what the handler takes, or refuses it; only called where no earlier answer is replayed.
Arguments = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How large the file of a form may be, and the refusal of a larger one."""

    max_bytes: int
    too_large: FileTooLarge


@dataclass(slots=True)
class Pipeline:
    """Runs one operation's requests in one process."""

    operation: Operation
    ports: Ports
    base_url: str
    form_limits: FormLimits | None = None

    async def run(self, request: Request) -> Rendered | Stream:
        """Answer a request, or raise the ApiError that refuses it."""
        headers = dict(request.scope["headers"])
        scope: Any = request.scope
        if self.operation.public:
            return await self._run_public(request, headers)
        if self.operation.mutating:
            async with self.ports.database.connection() as conn:
                caller = await self._admit(conn, headers, scope)
                await self.ports.maintenance.refuse_writes(conn)
            if self.operation.form:
                return await self._run_form(request, headers, caller)
            raw = await read_json(
                request.stream(), headers, max_bytes=self.ports.settings.json_body_max_bytes
            )
            call = self._call(request, headers, caller)
            return await self._run_keyed(request, call, raw, lambda: self._arguments(request, raw))
        async with self.ports.database.connection() as conn:
            caller = await self._admit(conn, headers, scope)
            call = self._call(request, headers, caller)
            call.connection = conn
            arguments = self._query_arguments(request)
            answer: Answer | Stream = await self.operation.handler(call, **arguments)
        return answer if isinstance(answer, Stream) else answers.render(answer)

    async def _admit(self, conn: Connection, headers: dict[bytes, bytes], scope: Any) -> Caller:
        caller = await admit(
            conn,
            headers.get(b"x-api-key"),
            self.ports.settings,
            scope["tokportal_headers"],
            address=client_address(scope, self.ports.settings.trusted_proxies) or None,
            known=partial(scope.__setitem__, "tokportal_caller"),
        )
        check_scope(caller, self.operation.method)
        return caller

    async def _run_public(self, request: Request, headers: dict[bytes, bytes]) -> Rendered:
        async with self.ports.database.connection() as conn:
            caller = await recognise(conn, headers.get(b"x-api-key"), self.ports.settings)
            call = self._call(request, headers, caller)
            call.connection = conn
            arguments = self._query_arguments(request)
            return answers.render(await self.operation.handler(call, **arguments))

    async def _run_keyed(
        self, request: Request, call: Call, content: bytes, arguments: Arguments
    ) -> Rendered:
        """Write, under the request's idempotency key if it has one; ``content`` is its body."""
        keyed = None if call.dry_run else self._keyed(request, call.headers, call.who, content)
        if self.operation.effects:
            return await self._run_effect(call, keyed, arguments)
        return await self._run_write(call, keyed, arguments)

    # Writes in one transaction.

    async def _run_write(
        self, call: Call, keyed: idempotency.Keyed | None, arguments: Arguments
    ) -> Rendered:
        if keyed is None:
            return await self._write_once(call, None, arguments)
        patience = Patience(partial(idempotency.in_progress, keyed))
        while True:
            try:
                return await self._write_once(call, keyed, arguments)
            except idempotency.StillRunning:
                await patience.wait()

    async def _write_once(
        self, call: Call, keyed: idempotency.Keyed | None, arguments: Arguments
    ) -> Rendered:
        async def answering(work: UnitOfWork) -> Answer | Rendered:
            call.work = work
            if keyed is not None:
                await idempotency.lock(work.conn, keyed)
                if (stored := await idempotency.replay(work.conn, keyed)) is not None:
                    if self.operation.replayed is not None:
                        await self.operation.replayed(call)
                    return stored
            return await self._answer(call, arguments())

        return await self._commit(call, keyed, answering)

    async def _commit(
        self,
        call: Call,
        keyed: idempotency.Keyed | None,
        answering: Callable[[UnitOfWork], Awaitable[Answer | Rendered]],
    ) -> Rendered:
        """Answer in one transaction, which also stores the answer; a dry run rolls it back."""
        caller, balance = call.who, 0
        async with self.ports.database.connection() as conn:
            async with unit_of_work(
                conn, caller.workspace_id, now=caller.now, dry_run=call.dry_run
            ) as work:
                if call.dry_run:
                    balance = await self.ports.balance(conn, caller.workspace_id, caller.now)
                answer = await answering(work)
                if isinstance(answer, Rendered):
                    return answer
                media = self.operation.media
                rendered = answers.render(answer, media=media)
                if keyed is not None:
                    await idempotency.store(conn, keyed, rendered, keep=answer.keep)
            if not call.dry_run:
                return rendered
            return answers.render_dry_run(answer, balance=balance, media=media)

    async def _answer(self, call: Call, arguments: dict[str, Any]) -> Answer:
        try:
            answer: Answer = await self.operation.handler(call, **arguments)
        except ImaginedError:
            return await self._imagined(call, arguments)
        return answer

    async def _imagine(self, work: UnitOfWork, call: Call, arguments: dict[str, Any]) -> Answer:
        call.work = work
        return await self._imagined(call, arguments)

    async def _imagined(self, call: Call, arguments: dict[str, Any]) -> Answer:
        operation = self.operation
        moved = await operation.price(call, **arguments) if operation.price else None
        return Answer(empty_shape(operation.returns), status=operation.status, credits=moved)

    async def _run_form(
        self, request: Request, headers: dict[bytes, bytes], caller: Caller
    ) -> Rendered:
        if self.form_limits is None:
            raise RuntimeError(f"{self.operation.operation_id} takes a form without limits")
        async with receive(
            request.stream(),
            boundary_of(headers.get(b"content-type", b"").decode("latin-1")),
            directory=self.ports.settings.incoming,
            max_bytes=self.form_limits.max_bytes,
            too_large=self.form_limits.too_large,
            declared=headers.get(b"content-length"),
        ) as upload:
            call = self._call(request, headers, caller)
            call.upload = upload
            digest = repr(sorted(upload.fields.items())).encode() + upload.sha256.encode()

            def arguments() -> dict[str, Any]:
                texts = {**upload.fields, "file": upload.filename}
                refuse([*upload.problems, *unstorable_text(texts)])
                return self._query_arguments(request)

            return await self._run_keyed(request, call, digest, arguments)

    # Effects outside the database first, then one transaction that records them.

    async def _run_effect(
        self, call: Call, keyed: idempotency.Keyed | None, arguments: Arguments
    ) -> Rendered:
        """Hold the idempotency key by a lease while the work outside is done."""
        if keyed is None:
            return await self._finish_effect(call, arguments(), None, None)
        async with idempotency.leased(self.ports.database, keyed) as held:
            if isinstance(held, Rendered):
                return held
            return await self._finish_effect(call, arguments(), keyed, held)

    async def _finish_effect(
        self,
        call: Call,
        arguments: dict[str, Any],
        keyed: idempotency.Keyed | None,
        lease: idempotency.Lease | None,
    ) -> Rendered:
        try:
            effect: Effect = await self.operation.handler(call, **arguments)
        except ImaginedError:
            return await self._commit(call, None, lambda work: self._imagine(work, call, arguments))
        try:
            return await self._record(effect, call, keyed, lease)
        except OutcomeUnknownError:
            # What was done outside may be recorded by now, or in a moment: it is left to the sweep.
            raise
        except BaseException:
            await asyncio.shield(effect.undo())
            raise

    async def _record(
        self,
        effect: Effect,
        call: Call,
        keyed: idempotency.Keyed | None,
        lease: idempotency.Lease | None,
    ) -> Rendered:
        async def answering(work: UnitOfWork) -> Answer:
            if lease is not None:
                await lease.fence(work.conn)
            return await effect.finish(work)

        return await self._commit(call, keyed, answering)

    # The parts of a call.

    def _call(self, request: Request, headers: dict[bytes, bytes], caller: Caller | None) -> Call:
        return Call(
            ports=self.ports,
            path=dict(request.path_params),
            headers=headers,
            base_url=self.base_url,
            caller=caller,
            dry_run=self.operation.mutating and _wants_dry_run(request, headers),
        )

    def _arguments(self, request: Request, raw: bytes) -> dict[str, Any]:
        return self._query_arguments(request) | self._body_arguments(raw)

    def _query_arguments(self, request: Request) -> dict[str, Any]:
        if texts := _path_texts(request):
            refuse(list(unstorable_text(texts)))
        raw: bytes = request.scope["query_string"]
        if self.operation.query is not None:
            return {"query": decode_query(self.operation.query, raw)}
        if raw:
            decode_query(_Nothing, raw)
        return {}

    def _body_arguments(self, raw: bytes) -> dict[str, Any]:
        if self.operation.body is not None:
            if not self.operation.body_required and not raw.strip():
                return {"body": None}
            return {"body": decode_body(self.operation.body, raw or b"null")}
        if raw:
            decode_body(_Nothing, raw)
        return {}

    def _keyed(
        self, request: Request, headers: dict[bytes, bytes], caller: Caller, content: bytes
    ) -> idempotency.Keyed | None:
        key = idempotency.parse_key(headers.get(b"idempotency-key"))
        if key is None:
            return None
        sealed = self.operation.idempotency == "sealed"
        return idempotency.Keyed(
            workspace_id=caller.workspace_id,
            api_key_id=caller.key_id,
            key=key,
            fingerprint=idempotency.fingerprint(
                self.operation.method.encode(),
                request.scope["raw_path"],
                request.scope["query_string"],
                content,
                headers.get(b"x-tokportal-stale-dates", b""),
            ),
            keep=self.operation.keep
            or (
                idempotency.KEPT_WITH_CREDITS if self.operation.moves_credits else idempotency.KEPT
            ),
            vault=self.ports.vault if sealed else None,
            subject_id=_subject(request) if sealed else None,
        )


def _subject(request: Request) -> UUID | None:
    """Give the id that a path names; the operation itself refuses one that is malformed."""
    try:
        return UUID(str(request.path_params["id"]))
    except (KeyError, ValueError):
        return None


def _path_texts(request: Request) -> dict[str, str]:
    """Give the path's parameters; bytes that are no text show as lone surrogates."""
    texts = {name: str(value) for name, value in request.path_params.items()}
    if not texts:
        return texts
    try:
        unquote_to_bytes(request.scope["raw_path"]).decode("utf-8")
    except UnicodeDecodeError:
        # The HTTP server has put U+FFFD in their place.
        return {name: text.replace("\ufffd", "\udcff") for name, text in texts.items()}
    return texts


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body or query of an operation that takes none: an empty object is let pass."""


def _wants_dry_run(request: Request, headers: dict[bytes, bytes]) -> bool:
    """Read ``X-TokPortal-Dry-Run``. Neither a typo nor a contradiction may become a live call."""
    name = b"x-tokportal-dry-run"
    given = headers.get(name)
    if given is None:
        return False
    if len(headers) < len(request.scope["headers"]):
        given = b", ".join(value for key, value in request.scope["headers"] if key == name)
    text = given.decode("latin-1").strip()
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    problem = Problem("X-TokPortal-Dry-Run", "must be true, 1, false or 0", text)
    raise ValidationError(
        f"{problem.field}: {problem.message}; got {text[:40]!r}. Nothing was done.",
        details={"errors": [msgspec.to_builtins(problem)]},
    )
