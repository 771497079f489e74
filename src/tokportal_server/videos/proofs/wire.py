"""The proof of a slot, as it is downloaded."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from tokportal_server.lib.chain import Entry, Signature

FORMAT: Final = "tokportal-server slot proof 1"
# In this order; corrections and changes of status stand between media and submission.
FIRST_KINDS: Final = ("order", "brief", "media")
LAST_KINDS: Final = ("submission", "approval")


class SlotProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries ``order``, ``brief``, ``media``, then what happened, ``submission``, ``approval``.

    Instants are the workspace's clock, which in a rehearsal is not real: ``order`` says so.
    """

    format: Literal["tokportal-server slot proof 1"]
    entries: list[Entry]
    signature: Signature
