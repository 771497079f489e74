"""Texts of the operators' pages about people, and about what managers are owed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PEOPLE: Final[Mapping[str, str]] = {
    "admin.people": "People",
    "admin.find_person": "Name, e-mail address or id",
    "admin.person_kind": "Who",
    "admin.managers": "Managers",
    "admin.operators": "Operators",
    "admin.no_people": "Nobody fits. Below you can invite somebody.",
    "admin.name": "Name",
    "admin.is": "Is",
    "admin.works_in": "Works in",
    "admin.holds": "Holds",
    "admin.inactive": "manager, not active",
    "admin.in_workspaces": "workspaces: {n}",
    "admin.invite": "Invite somebody",
    "admin.invite_hint": (
        "Makes a link by which they choose a password. It is shown once: hand it over on a way that"
        " you trust."
    ),
    "admin.invite_as": "As",
    "admin.if_customer": "If a customer",
    "admin.workspace_id": "Id of the workspace",
    "admin.role": "Role there",
    "admin.if_manager_countries": "If a manager: countries",
    "admin.if_manager_platforms": "If a manager: platforms (none: all)",
    "admin.invite_do": "Invite",
    "admin.link": "Link",
    "admin.link_for": "The link for {who}",
    "admin.link_hint": (
        "Shown this once. Whoever has it can sign in as them. It works once, until"
    ),
    "admin.held": "In hand",
    "admin.holds_nothing": "Holds no order.",
    "admin.set_manager": "Countries, platforms, capacity",
    "admin.make_manager": "Make a manager of them",
    "admin.capacity": "Orders at once",
    "admin.capacity_hint": "Empty: any number.",
    "admin.deactivate": "Take out of work",
    "admin.deactivate_hint": (
        "They claim nothing any more, and what they hold ({n} {n:order|orders}) is offered to"
        " others."
    ),
    "admin.activate": "Let work again",
    "admin.activate_hint": "What was offered to others stays with them.",
    "admin.let_go": (
        "Out of work. Offered to others: orders {orders}, accounts {accounts}, changes of profiles"
        " {edits}."
    ),
    "admin.make_operator": "Make an operator",
    "admin.take_operator": "Take the role of operator away",
    "admin.operator_hint": "Operators see and decide everything here. Nobody changes their own.",
    "admin.access": "Access",
    "admin.reset": "Make a link for a new password",
    "admin.invite_again": "Make another link to choose a password",
    "admin.sessions": "Signed in",
    "admin.no_sessions": "Signed in nowhere.",
    "admin.end_sessions": "Sign them out everywhere",
}
_EARNINGS: Final[Mapping[str, str]] = {
    "admin.statements": "Statements",
    "admin.no_statements": "Nothing has been earned yet.",
    "admin.adjust_earnings": "Add to a statement, or take away",
    "admin.money_in": "Amount in {currency}",
    "admin.adjust_hint_money": "Such as 12.50, or -12.50 to take away.",
    "admin.month_hint": "Such as 2026-11. Empty: the present one.",
    "admin.manager_reads": "The manager reads this.",
    "admin.book": "Book it",
    "admin.no_rates": "No job pays anything yet: set rates below.",
    "admin.set_rate": "Set a rate",
    "admin.rate_hint": "Empty ends an exception for a country or a platform.",
    "admin.rate_from": "From (UTC)",
    "admin.rate_from_hint": "Empty: from now on.",
    "admin.rate_history": "Every rate there was or is to be",
    "admin.rate_ended": "ended",
    "admin.disputed_because": "The manager disputes it: {what}",
    "admin.settle": "Settle",
    "admin.settle_hint": "When it has been paid: closes the month for good.",
    "admin.settle_do": "It has been paid",
    "admin.month_runs": "The month still runs. It can be settled when it has ended, in UTC.",
    "admin.take_back": "Take back",
}
TEXTS: Final[Mapping[str, str]] = {**_PEOPLE, **_EARNINGS}
