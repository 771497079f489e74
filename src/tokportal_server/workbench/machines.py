"""Every state machine there is: for the docs, the doctor, the examples of events, the tests."""

from __future__ import annotations

from typing import Final

from tokportal_server.accounts.states import EDIT_REQUEST
from tokportal_server.comments.states import COMMENT
from tokportal_server.orders import states as orders

MACHINES: Final = (*orders.MACHINES, EDIT_REQUEST, COMMENT)
