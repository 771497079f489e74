"""What the frame of every page leads to: places, and in each the sections in groups.

A place is a kind of work: the managers' desk, one workspace, the operators' pages. The frame shows
the groups of the place that one is in and the sections of the group that one is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.pages.sessions import Membership, Person
from tokportal_server.pages.texts import text


@dataclass(frozen=True, slots=True)
class Section:
    """A page in the navigation; ``here`` is the word by which a template says that it is this one.

    ``path`` follows the root of its place: ``/desk``, ``/console/{workspace}``, ``/admin``.
    Its name is the text ``nav.<here>``.
    """

    here: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that belong together, at most six or so; the name is the text ``nav.group.<name>``.

    A place with one group shows its sections alone; a group without sections is not shown.
    """

    name: str
    sections: tuple[Section, ...] = ()


DESK: Final = (
    Group(
        "work",
        (
            Section("queue"),
            Section("mine", "/mine"),
            Section("desk_comments", "/comments"),
            Section("desk_edits", "/edits"),
            Section("desk_accounts", "/accounts"),
            Section("earnings", "/earnings"),
        ),
    ),
)
CONSOLE: Final = (
    Group(
        "orders",
        (
            Section("overview"),
            Section("bundles", "/bundles"),
            Section("calendar", "/calendar"),
            Section("sheets", "/csv"),
        ),
    ),
    Group(
        "accounts",
        (
            Section("accounts", "/accounts"),
            Section("tasks", "/comments"),
            Section("bans", "/bans"),
        ),
    ),
    Group(
        "analytics",
        (
            Section("analytics", "/analytics"),
            Section("analytics_posts", "/analytics/posts"),
            Section("pulse", "/analytics/comments"),
            Section("reports", "/analytics/reports"),
            Section("connections", "/analytics/connections"),
        ),
    ),
    Group("money", (Section("credits", "/credits"), Section("prices", "/prices"))),
    Group(
        "connect",
        (
            Section("keys", "/keys"),
            Section("webhooks", "/webhooks"),
            Section("requests", "/requests"),
            Section("rehearsal", "/rehearsal"),
        ),
    ),
    Group("team", (Section("team", "/team"), Section("exports", "/exports"))),
)
ADMIN: Final[tuple[Group, ...]] = (
    Group(
        "today",
        (
            Section("admin_home"),
            Section("admin_orders", "/orders"),
            Section("admin_disputes", "/disputes"),
            Section("admin_switches", "/switches"),
        ),
    ),
    Group(
        "customers",
        (
            Section("admin_workspaces", "/workspaces"),
            Section("admin_accounts", "/accounts"),
            Section("admin_prices", "/prices"),
            Section("admin_places", "/places"),
        ),
    ),
    Group(
        "people",
        (Section("admin_people", "/people"), Section("admin_earnings", "/earnings")),
    ),
    Group(
        "machine",
        (
            Section("admin_jobs", "/jobs"),
            Section("admin_dead_letters", "/dead-letters"),
            Section("admin_deliveries", "/deliveries"),
            Section("admin_doctor", "/doctor"),
            Section("admin_maintenance", "/maintenance"),
        ),
    ),
    Group("audit", (Section("admin_audit", "/audit"),)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of work of a person; ``name`` is what people call it."""

    root: str
    name: str
    groups: Sequence[Group]
    workspace_id: UUID | None = None

    def group_of(self, here: str) -> Group | None:
        """Give the group that a section is in; the first one of a place with one group."""
        shown = self.shown
        found = (one for one in shown if any(section.here == here for section in one.sections))
        return next(found, shown[0] if len(shown) == 1 else None)

    @property
    def shown(self) -> list[Group]:
        """The groups that lead somewhere."""
        return [one for one in self.groups if one.sections]


def places_of(person: Person) -> list[Place]:
    """Give the places of a person, in the order in which the frame lists them."""
    places = []
    if person.operator and any(one.sections for one in ADMIN):
        places.append(Place("/admin", text("nav.admin"), ADMIN))
    if person.manager:
        places.append(Place("/desk", text("nav.desk"), DESK))
    return places + [console_of(one) for one in person.workspaces]


def console_of(workspace: Membership) -> Place:
    """Give the place of a workspace."""
    return Place(f"/console/{workspace.id}", workspace.name, CONSOLE, workspace.id)


def place_at(path: str, places: Sequence[Place]) -> Place | None:
    """Find the place that an address is in."""
    return next(
        (one for one in places if path == one.root or path.startswith(f"{one.root}/")), None
    )
