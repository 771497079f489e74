"""Every page of the operators."""

from __future__ import annotations

from typing import Final

from tokportal_server.admin.accounts import ACCOUNT_PAGES
from tokportal_server.admin.audit import AUDIT_PAGES
from tokportal_server.admin.credits import CREDIT_PAGES
from tokportal_server.admin.dead_letters import DEAD_LETTER_PAGES
from tokportal_server.admin.disputes import DISPUTE_PAGES
from tokportal_server.admin.earnings import EARNINGS_PAGES
from tokportal_server.admin.home import HOME_PAGES
from tokportal_server.admin.machinery import MACHINE_PAGES
from tokportal_server.admin.maintenance import MAINTENANCE_PAGES
from tokportal_server.admin.orders import ORDER_PAGES
from tokportal_server.admin.people import PERSON_PAGES
from tokportal_server.admin.settings import SETTING_PAGES
from tokportal_server.admin.switches import SWITCH_PAGES
from tokportal_server.admin.workspaces import WORKSPACE_PAGES
from tokportal_server.pages.page import Page

ADMIN_PAGES: Final[tuple[Page, ...]] = (
    *HOME_PAGES,
    *ORDER_PAGES,
    *DISPUTE_PAGES,
    *SWITCH_PAGES,
    *WORKSPACE_PAGES,
    *CREDIT_PAGES,
    *ACCOUNT_PAGES,
    *PERSON_PAGES,
    *EARNINGS_PAGES,
    *SETTING_PAGES,
    *MACHINE_PAGES,
    *DEAD_LETTER_PAGES,
    *MAINTENANCE_PAGES,
    *AUDIT_PAGES,
)
