"""What opens an account: shown on demand, once for each time that somebody asks, and noted.

Nothing of it is ever in a page that can be opened by its address: only the answer to a form shows
it, and that is kept by nobody.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tokportal_server.accounts.operations.retrieve_code import FRESH, retrieve_code
from tokportal_server.accounts.operations.reveal_credentials import reveal_credentials
from tokportal_server.accounts.queries import get_account
from tokportal_server.accounts.wire import CredentialRevealAcceptance
from tokportal_server.console.accounts import (
    account_address,
    reveal_quote,
    show_account,
    standing_of,
)
from tokportal_server.console.acts import console_address, is_writer, refusal_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Visit

# When codes came, never what they are.
ARRIVALS = """
SELECT received_at FROM verification_codes
 WHERE workspace_id = $1 AND saved_account_id = $2 AND received_at <= $3
 ORDER BY received_at DESC, ordinal DESC LIMIT 20
"""


async def reveal(visit: Visit) -> Answer:
    """Show the credentials, to somebody who agreed to what that costs and ends."""
    await standing_of(visit)
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            shown, moved = await reveal_credentials(
                tx=tx,
                actor=visit.customer,
                vault=visit.ports.vault,
                account_id=visit.id("account"),
                policy=visit.ports.settings.reveal_policy,
                acceptance=_acceptance(visit),
            )
    except ApiError as error:
        return await show_account(visit, refusal_of("reveal", error, visit))
    facts = {
        "credentials": msgspec.structs.asdict(shown),
        "charged": moved.charged,
        "address": account_address(visit),
    }
    return Shown("revealed.html", facts)


async def show_codes(visit: Visit, refusal: Refusal | None = None, code: Any = None) -> Answer:
    """Say when codes came, and wait for the next one; ``code`` is one that was asked for.

    Raises:
        PageNotFoundError: the workspace has no such account.
    """
    standing = await standing_of(visit)
    account = await get_account(
        visit.conn,
        visit.workspace.id,
        visit.id("account"),
        base_url=visit.ports.settings.origin(),
    )
    rows = await visit.conn.fetch(ARRIVALS, visit.workspace.id, account.id, visit.now)
    arrivals = [row["received_at"] for row in rows]
    facts = {
        "account": account,
        "arrivals": arrivals,
        "fresh": bool(arrivals) and visit.now - arrivals[0] < FRESH,
        "minutes": int(FRESH.total_seconds() // 60),
        "code": code,
        "quote": await reveal_quote(visit, standing),
        "writer": is_writer(visit),
        "address": account_address(visit),
        "console": console_address(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("codes.html", facts)


async def read_code(visit: Visit) -> Answer:
    """Show the newest code that is fresh."""
    await standing_of(visit)
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            code, _, _ = await retrieve_code(
                tx=tx,
                actor=visit.customer,
                vault=visit.ports.vault,
                account_id=visit.id("account"),
                policy=visit.ports.settings.reveal_policy,
                acceptance=_acceptance(visit),
            )
    except ApiError as error:
        return await show_codes(visit, refusal_of("code", error, visit))
    return await show_codes(visit, code=code)


def _acceptance(visit: Visit) -> CredentialRevealAcceptance | None:
    """Read the agreement of a form: the terms that it showed, if their box is ticked."""
    if not visit.field("agreed"):
        return None
    return CredentialRevealAcceptance(
        acknowledge_support_forfeit=True, policy_version=visit.field("policy_version")[:100]
    )


_ONE = "/console/{workspace}/accounts/{account}"
SECRET_PAGES: Final = (
    Page("reveal", "POST", f"{_ONE}/reveal", reveal),
    Page("codes", "GET", f"{_ONE}/codes", show_codes),
    Page("read_code", "POST", f"{_ONE}/codes", read_code),
)
