"""Numbers that a manager has read on a platform: of an account, and of its posts as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

import msgspec

from tokportal_server.analytics.observations import POST_METRICS, TrackedPost
from tokportal_server.analytics.providers.manual import EnteredNumbers, read_numbers_csv
from tokportal_server.analytics.tracking import tracked_posts
from tokportal_server.console import desk_lists, queue
from tokportal_server.console.acts import refusal_of
from tokportal_server.http.validation import Problem, decode_body, refuse
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.workbench.operations.enter_metrics import enter_metrics

_COUNTS: Final = ("followers", "following", "posts")
_FORM: Final = "numbers"
# As many as one form takes; the newest posts come first.
_MOST_LINES: Final = 200


async def show_numbers(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Offer the fields of an account, and a table of its posts to be filled in.

    Raises:
        PageNotFoundError: the visitor does not look after the account.
    """
    workspace_id, account_id = visit.id("workspace"), visit.id("account")
    mine = await desk_lists.accounts_of(visit.conn, visit.person.id)
    account = next((one for one in mine if one["id"] == account_id), None)
    if account is None or account["workspace_id"] != workspace_id:
        raise nothing_here()
    posts = await tracked_posts(visit.conn, workspace_id, account_id)
    facts = {
        "account": account,
        "counts": _COUNTS,
        "table": _table(posts[:_MOST_LINES]),
        "address": visit.at,
        "refusal": refusal,
    }
    return Shown("desk_numbers.html", facts)


async def post_numbers(visit: Visit) -> Answer:
    """Store what was entered, all of it or nothing."""
    workspace_id = visit.id("workspace")
    ahead = await queue.clock_of(visit.conn, workspace_id)
    if ahead is None:
        raise nothing_here()
    try:
        entered = _entered(visit)
        async with visit.writing(workspace_id, real_now() + ahead) as tx:
            await enter_metrics(
                tx=tx, actor=visit.manager, account_id=visit.id("account"), entered=entered
            )
    except ApiError as error:
        return await show_numbers(visit, refusal_of(_FORM, error, visit))
    return Redirect("/desk/accounts?done=numbers")


def _entered(visit: Visit) -> EnteredNumbers:
    """Read the form; lines of the table without a number are left out.

    Raises:
        ValidationError: it holds what is no number, or a table that cannot be read.
    """
    posts, problems = read_numbers_csv(_filled_in(visit.field("table")).encode())
    refuse([Problem("table", f"{one.field}: {one.message}") for one in problems])
    counts = {name: visit.field(name) for name in _COUNTS if visit.field(name)}
    numbers = {name: int(text) if text.isdecimal() else text for name, text in counts.items()}
    body = {**numbers, "read_posts": [msgspec.to_builtins(post) for post in posts]}
    return decode_body(EnteredNumbers, msgspec.json.encode(body))


def _filled_in(table: str) -> str:
    head, *lines = table.split("\n") if table else (",".join(("platform_url", *POST_METRICS)),)
    return "\n".join([head, *(line for line in lines if line.partition(",")[2].strip(", "))])


def _table(posts: Iterable[TrackedPost]) -> str:
    """Write the table that is to be filled in: a line for each post, its numbers empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("platform_url", *POST_METRICS))
    writer.writerows((post.platform_url, *("" for _ in POST_METRICS)) for post in posts)
    return out.getvalue()


_HERE = "/desk/accounts/{workspace}/{account}/numbers"
NUMBER_PAGES: Final = (
    Page("desk_numbers", "GET", _HERE, show_numbers),
    Page("enter_numbers", "POST", _HERE, post_numbers),
)
