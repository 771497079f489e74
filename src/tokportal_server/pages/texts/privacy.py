"""Texts about maintenance, dead letters, and exporting and erasing what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MAINTENANCE: Final[Mapping[str, str]] = {
    "nav.admin_maintenance": "Maintenance",
    "maintenance.now": "Maintenance: nothing can be written now",
    "maintenance.reads": "Everything can be read; forms work again when it is over.",
    "maintenance.until": "Expected to end:",
    "maintenance.title": "Maintenance",
    "maintenance.what": (
        "Stops all writing on every process of this installation, for a migration, a move or a"
        " repair. Reading goes on."
    ),
    "maintenance.what_api": (
        "Writes of the API are answered with 503, the reason and Retry-After; nothing is changed."
    ),
    "maintenance.what_pages": (
        "Pages show the reason, and their forms are disabled. People can still sign in, and"
        " operators can end the maintenance here. Commands on the server still work."
    ),
    "maintenance.what_workers": (
        "Workers finish what they have begun and take nothing new up: no jobs, no webhook"
        " deliveries, no deadlines. Afterwards they go on where they were."
    ),
    "maintenance.what_clocks": (
        "Deadlines do not wait: what ran out meanwhile is due at once afterwards. Keep it short."
    ),
    "maintenance.is_on": "on",
    "maintenance.on": "Begin maintenance",
    "maintenance.on_do": "Stop all writing",
    "maintenance.off": "End maintenance",
    "maintenance.off_do": "Let writing go on",
    "maintenance.change": "Change reason or time",
    "maintenance.change_do": "Change",
    "maintenance.reason_hint": "Everybody reads it, customers too.",
    "maintenance.until_field": "Expected end (UTC)",
    "maintenance.until_hint": (
        "What callers are told. It does not end by itself: somebody has to end it here."
    ),
    "maintenance.soon": "Takes effect on every process within {n} seconds.",
    "done.maintenance_on": "Maintenance is on.",
    "done.maintenance_off": "Maintenance is over: writing goes on.",
}
_DEAD: Final[Mapping[str, str]] = {
    "nav.admin_dead_letters": "Dead letters",
    "dead.title": "Dead letters",
    "dead.what": (
        "What was tried as often as it is tried, and now waits for somebody: background jobs, mails"
        " and webhook deliveries. Mend the cause first, then run them again."
    ),
    "dead.kind": "What",
    "dead.every": "Everything",
    "dead_kind.job": "Jobs",
    "dead_kind.mail": "Mails",
    "dead_kind.delivery": "Deliveries",
    "dead.held": "Jobs and mails",
    "dead.given_up": "Webhook deliveries",
    "dead.pick": "Pick",
    "dead.again": "Run again",
    "dead.again_picked": "Run the picked ones again",
    "dead.reason_hint": "For the audit log: what was mended.",
    "dead.nothing_picked": "pick at least one, or use the button beside it",
    "dead.more": "where it failed",
    "dead.attempts": "attempts: {n}",
    "dead.answered": "answered {status}",
    "dead.endpoint_off": "The endpoint is off: its owner has to enable it first.",
    "dead.most": "The last {n} of each kind; of one endpoint the last twenty.",
    "dead.partly": "Run again: {n}. These were not:",
    "dead.none": "Nothing here",
    "dead.none_hint": (
        "No job is held, every mail went out, and no delivery was given up. When something fails as"
        " often as it is tried, it stops here instead of vanishing, says why, and can be run again."
    ),
    "done.again": "Run again: workers take it up in their turn.",
}
_ERASE: Final[Mapping[str, str]] = {
    "erase.workspace": "Erase this workspace",
    "erase.workspace_what": (
        "Ends its keys and memberships at once, then deletes everything that it holds: orders,"
        " videos, media, accounts with their credentials, numbers, events, logs. There is no way"
        " back; its owner can export it before."
    ),
    "erase.workspace_kept": (
        "The ledger, managers' pay and the audit log stay, without names and words. Refused while"
        " there is unfinished work."
    ),
    "erase.workspace_name": "Type its name: {name}",
    "erase.workspace_do": "Erase it for good",
    "erase.reason_hint": "It is kept in the audit log: name nobody in it.",
    "erase.state_deleting": "Being erased. Gone so far: rows {rows}, files {files}.",
    "erase.state_settling": (
        "Erased: rows {rows}, files {files}. Workers look once more for what was on its way:"
    ),
    "erase.state_done": "Erased: rows {rows}, files {files}.",
    "erase.person": "Erase this person",
    "erase.person_what": (
        "Deletes name, address, password, second step, sessions, links and notices, and ends their"
        " memberships. What a manager holds is offered to others. There is no way back."
    ),
    "erase.person_kept": (
        "Orders, pay and the audit log stay with a pseudonym. API keys in their name belong to the"
        " workspace and go on working."
    ),
    "erase.person_email": "Type their address: {email}",
    "erase.person_do": "Erase them for good",
    "erase.person_done": "This person was erased:",
    "done.erasing": "The workspace has ended, and workers are erasing it.",
    "done.erased": "The person is erased.",
}
_EXPORT: Final[Mapping[str, str]] = {
    "nav.exports": "Export",
    "export.title": "Export",
    "export.what": (
        "Everything that this workspace holds as one ZIP: orders, videos, accounts, numbers, events"
        " and credits as JSON lines, all media, and a README that says what is what."
    ),
    "export.ask": "Make an export",
    "export.waiting": "An export is being made. It appears below when it is ready; you may go on.",
    "export.owners": "Owners of the workspace can make and fetch exports.",
    "export.archives": "Exports",
    "export.none": "None yet. Each is kept for {n} days.",
    "export.by": "asked for by {name}",
    "export.counts": "rows: {rows}, media files: {files}, {size} MB",
    "export.until": "kept until",
    "export.fetch": "Download",
    "export.left_out": "What is left out",
    "export.erase_hint": "To have the workspace erased for good, ask the operator.",
    "export_state.waiting": "being made",
    "export_state.made": "ready",
    "export_state.failed": "failed, will be tried again",
    "done.export_asked": "The export is being made.",
    "you.data": "Your data",
    "you.data_what": (
        "Everything that is stored about you, as JSON lines in a ZIP. To be erased, ask the"
        " operator."
    ),
    "you.data_fetch": "Download my data",
}
TEXTS: Final[Mapping[str, str]] = {**_MAINTENANCE, **_DEAD, **_ERASE, **_EXPORT}
