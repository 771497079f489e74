"""A manager enters a verification code that reached them."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from tokportal_server.accounts.operations.store_code import store_code
from tokportal_server.accounts.sealing import SealedCode
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.account_guard import lock_own_account

_CODE: Final = re.compile(r"[0-9]{4,8}", re.ASCII)
_LONGEST: Final = 200


async def enter_code(
    *,
    tx: UnitOfWork,
    actor: Actor,
    vault: Vault,
    account_id: UUID,
    code: str,
    sender: str | None = None,
    subject: str | None = None,
) -> None:
    """Keep a code for the account's customer, sealed; ``code`` has 4 to 8 digits.

    Raises:
        SavedAccountNotFoundError, NotAccountsManagerError: not this manager's account.
        ValidationError: it cannot be a code, or what it came with is too long.
    """
    problems = []
    if not _CODE.fullmatch(code):
        # The value is not repeated: it may be a real code with a typing error.
        problems.append(Problem("code", "must have 4 to 8 digits, and nothing else"))
    for name, text in (("sender", sender), ("subject", subject)):
        if text is not None and len(text) > _LONGEST:
            problems.append(Problem(name, f"must be at most {_LONGEST} characters long"))
    refuse(problems)
    await lock_own_account(tx, actor, account_id)
    sealed = SealedCode(code=code, sender=sender, subject=subject)
    await store_code(tx=tx, vault=vault, account_id=account_id, code=sealed)
