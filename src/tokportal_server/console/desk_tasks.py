"""The desk beside orders: comments to write, profiles to change, codes to enter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tokportal_server.console import desk_lists, queue
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import (
    Answer,
    Handler,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.uploads.media import public_url
from tokportal_server.workbench.operations.accept_edit_request import accept_edit_request
from tokportal_server.workbench.operations.complete_edit_request import (
    MadeChanges,
    complete_edit_request,
)
from tokportal_server.workbench.operations.enter_code import enter_code
from tokportal_server.workbench.operations.reject_edit_request import reject_edit_request
from tokportal_server.workbench.operations.submit_comment import submit_comment
from tokportal_server.workbench.operations.take_edit_request import take_edit_request

# A list's page, which is shown again with what was refused on it.
ShowList = Callable[[Visit, Refusal | None], Awaitable[Answer]]


async def show_comments(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the comments that the manager may write or has to mend."""
    rows = await desk_lists.comments_to_write(visit.conn, visit.person.id)
    facts = {
        "tasks": rows,
        "now": real_now(),
        "refusal": refusal,
        "stray": _stray(refusal, rows),
    }
    return Shown("desk_comments.html", facts)


async def show_edits(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the profile changes that customers asked for."""
    rows = await desk_lists.edits_to_make(visit.conn, visit.person.id)
    origin = visit.ports.settings.origin()
    pictures = {
        row["id"]: public_url(origin, row["picture_key"]) for row in rows if row["picture_key"]
    }
    facts = {
        "edits": rows,
        "pictures": pictures,
        "refusal": refusal,
        "stray": _stray(refusal, rows),
    }
    return Shown("desk_edits.html", facts)


async def show_accounts(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the accounts that the manager looks after, each with a field for a code."""
    rows = await desk_lists.accounts_of(visit.conn, visit.person.id)
    facts = {
        "accounts": rows,
        "waiting": {row["id"] for row in rows if desk_lists.waits_for_code(row)},
        "refusal": refusal,
        "stray": _stray(refusal, rows),
    }
    return Shown("desk_accounts.html", facts)


def _stray(refusal: Refusal | None, rows: Sequence[Row]) -> str | None:
    """Give what was refused of something that is not on the list any more, for the page's top."""
    if refusal is None or any(refusal.form.endswith(str(row["id"])) for row in rows):
        return None
    return refusal.message


async def post_comment(visit: Visit) -> Answer:
    """Hand in a comment that was written, or mended."""
    task_id = visit.id("task")

    async def act(tx: UnitOfWork) -> None:
        await submit_comment(
            tx=tx,
            actor=visit.manager,
            task_id=task_id,
            comment_url=visit.field("comment_url") or None,
            comment_id=visit.field("comment_id") or None,
        )

    return await _act(
        visit, f"comment-{task_id}", act, show_comments, "/desk/comments?done=comment"
    )


async def post_code(visit: Visit) -> Answer:
    """Enter a verification code that a platform sent."""
    account_id = visit.id("account")

    async def act(tx: UnitOfWork) -> None:
        await enter_code(
            tx=tx,
            actor=visit.manager,
            vault=visit.ports.vault,
            account_id=account_id,
            code=visit.field("code").replace(" ", ""),
            sender=visit.field("sender") or None,
        )

    return await _act(visit, f"code-{account_id}", act, show_accounts, "/desk/accounts?done=code")


def _edit_page(
    act: Callable[[Visit, UnitOfWork], Awaitable[object]], form: str, done: str
) -> Handler:
    """Give what answers one of the forms of a profile change."""

    async def answer(visit: Visit) -> Answer:
        name = f"{form}-{visit.id('request')}"
        to = f"/desk/edits?done={done}"
        return await _act(visit, name, lambda tx: act(visit, tx), show_edits, to)

    return answer


async def _take(visit: Visit, tx: UnitOfWork) -> None:
    await take_edit_request(tx=tx, actor=visit.manager, request_id=visit.id("request"))


async def _accept(visit: Visit, tx: UnitOfWork) -> None:
    await accept_edit_request(tx=tx, actor=visit.manager, request_id=visit.id("request"))


async def _reject(visit: Visit, tx: UnitOfWork) -> None:
    await reject_edit_request(
        tx=tx, actor=visit.manager, request_id=visit.id("request"), reason=visit.field("reason")
    )


async def _complete(visit: Visit, tx: UnitOfWork) -> None:
    made = MadeChanges(
        profile_url=visit.field("profile_url"),
        username=visit.field("username").removeprefix("@") or None,
        visible_name=visit.field("visible_name") or None,
        biography=visit.field("biography") or None,
    )
    await complete_edit_request(
        tx=tx, actor=visit.manager, request_id=visit.id("request"), made=made
    )


async def _act(
    visit: Visit,
    form: str,
    act: Callable[[UnitOfWork], Awaitable[object]],
    show: ShowList,
    done: str,
) -> Answer:
    """Do something in a workspace and go on, or show the list again with what was refused."""
    workspace_id = visit.id("workspace")
    ahead = await queue.clock_of(visit.conn, workspace_id)
    if ahead is None:
        raise nothing_here()
    try:
        async with visit.writing(workspace_id, real_now() + ahead) as tx:
            await act(tx)
    except ApiError as error:
        return await show(visit, Refusal.of(form, error, visit))
    return Redirect(done)


_EDIT = "/desk/edits/{workspace}/{request}"
TASK_PAGES: Final = (
    Page("desk_comments", "GET", "/desk/comments", show_comments),
    Page("submit_comment", "POST", "/desk/comments/{workspace}/{task}", post_comment),
    Page("desk_edits", "GET", "/desk/edits", show_edits),
    Page("take_edit", "POST", f"{_EDIT}/take", _edit_page(_take, "take", "edit_taken")),
    Page("accept_edit", "POST", f"{_EDIT}/accept", _edit_page(_accept, "accept", "edit_accepted")),
    Page("reject_edit", "POST", f"{_EDIT}/reject", _edit_page(_reject, "reject", "edit_rejected")),
    Page(
        "complete_edit",
        "POST",
        f"{_EDIT}/complete",
        _edit_page(_complete, "complete", "edit_completed"),
    ),
    Page("desk_accounts", "GET", "/desk/accounts", show_accounts),
    Page("enter_code", "POST", "/desk/accounts/{workspace}/{account}/code", post_code),
)
