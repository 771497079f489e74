"""Every page of managers and customers."""

from __future__ import annotations

from typing import Final

from tokportal_server.console.account_secrets import SECRET_PAGES
from tokportal_server.console.accounts import ACCOUNT_PAGES
from tokportal_server.console.analytics import ANALYTICS_PAGES
from tokportal_server.console.analytics_comments import PULSE_PAGES
from tokportal_server.console.analytics_reports import REPORT_PAGES
from tokportal_server.console.bundle import BUNDLE_PAGES
from tokportal_server.console.calendar import CALENDAR_PAGES
from tokportal_server.console.connections import CONNECTION_PAGES
from tokportal_server.console.credits import CREDIT_PAGES
from tokportal_server.console.deliveries import DELIVERY_PAGES
from tokportal_server.console.desk_media import MEDIA_PAGES
from tokportal_server.console.desk_numbers import NUMBER_PAGES
from tokportal_server.console.desk_tasks import TASK_PAGES
from tokportal_server.console.earnings import EARNINGS_PAGES
from tokportal_server.console.exports import EXPORT_PAGES
from tokportal_server.console.files import FILE_PAGES
from tokportal_server.console.joining import JOIN_PAGES
from tokportal_server.console.keys import KEY_PAGES
from tokportal_server.console.ordering import ORDERING_PAGES
from tokportal_server.console.orders import ORDER_PAGES
from tokportal_server.console.profile_editor import PROFILE_PAGES
from tokportal_server.console.rehearsal import REHEARSAL_PAGES
from tokportal_server.console.requests import REQUEST_PAGES
from tokportal_server.console.sheets import SHEET_PAGES
from tokportal_server.console.slot_editor import SLOT_PAGES
from tokportal_server.console.story_proof import STORY_PAGES
from tokportal_server.console.task_orders import COMMENT_ORDER_PAGES
from tokportal_server.console.tasks import COMMENT_PAGES
from tokportal_server.console.team import TEAM_PAGES
from tokportal_server.console.webhooks import WEBHOOK_PAGES
from tokportal_server.console.work import WORK_PAGES
from tokportal_server.pages.page import Page

CONSOLE_PAGES: Final[tuple[Page, ...]] = (
    *TASK_PAGES,
    *NUMBER_PAGES,
    *EARNINGS_PAGES,
    *WORK_PAGES,
    *MEDIA_PAGES,
    *STORY_PAGES,
    *ORDER_PAGES,
    *ORDERING_PAGES,
    *BUNDLE_PAGES,
    *PROFILE_PAGES,
    *SLOT_PAGES,
    *FILE_PAGES,
    *SHEET_PAGES,
    *CALENDAR_PAGES,
    *SECRET_PAGES,
    *ACCOUNT_PAGES,
    *CREDIT_PAGES,
    *DELIVERY_PAGES,
    *JOIN_PAGES,
    *KEY_PAGES,
    *REHEARSAL_PAGES,
    *REQUEST_PAGES,
    # Before the pages of one task: "new" is no id.
    *COMMENT_ORDER_PAGES,
    *COMMENT_PAGES,
    *TEAM_PAGES,
    *EXPORT_PAGES,
    *WEBHOOK_PAGES,
    *ANALYTICS_PAGES,
    *PULSE_PAGES,
    *REPORT_PAGES,
    *CONNECTION_PAGES,
)
