from __future__ import annotations

import re
from pathlib import Path

from tokportal_server.accounts.wire import Credentials
from tokportal_server.bundles.wire import CorrectionFields
from tokportal_server.pages.navigation import ADMIN, CONSOLE, DESK
from tokportal_server.pages.rendering import FOLDERS
from tokportal_server.pages.texts import TABLES, TEXTS, text
from tokportal_server.videos.requests import VideoCorrectionFields
from tokportal_server.videos.wire import SlotContent
from tokportal_server.workbench.machines import MACHINES

_USED = re.compile(r"""\bt\(\s*["']([a-z_.]+)["']\s*[,)]|\btext\(\s*["']([a-z_.]+)["']""")
_CHOSEN = re.compile(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""")
# Families of which one text is chosen by a word from the data.
_BY_WORD = (
    "plan",
    "entry",
    "orderable",
    "subject",
    "scope",
    "switch",
    "stuck",
    "overdue",
    "unclaimed",
    "actor",
    "bundle_type",
    "done",
    "edit_status",
    "entry_type",
    "field",
    "job",
    "kind",
    "media",
    "media_status",
    "month",
    "mail",
    "matched",
    "topic",
    "overview",
    "password",
    "platform",
    "price_of",
    "role",
    "statement_status",
    "status",
    "video_type",
    "account",
    "comment",
    "delivery",
    "due",
    "edit",
    "environment",
    "event_group",
    "failure",
    "fault",
    "ledger",
    "look",
    "request_status",
    "role_may",
    "script",
    "task",
    "weekday",
    "template_what",
    "template",
    "source",
    "sort",
    "reason",
    "mood",
    "mode_means",
    "mode",
    "metric",
    "level",
    "granularity",
    "course",
    "dead_kind",
    "erase",
    "export_state",
)


def sources() -> str:
    """Give every template and every module of the pages, in one text."""
    templates = [path for folder in FOLDERS for path in folder.glob("*.html")]
    modules = [path for folder in FOLDERS for path in folder.parent.glob("*.py")]
    assert len(templates) > 10
    assert len(modules) > 10
    return "\n".join(Path(path).read_text() for path in (*templates, *modules))


def test_a_text_is_in_one_table_only() -> None:
    assert sum(len(table) for table in TABLES) == len(TEXTS)


def test_every_text_that_a_page_asks_for_is_there() -> None:
    asked = {key for pair in _USED.findall(sources()) for key in pair if key}
    assert len(asked) > 80
    assert asked - TEXTS.keys() == set()


def test_no_text_is_left_over() -> None:
    asked = set(_CHOSEN.findall(sources())) | {
        key for pair in _USED.findall(sources()) for key in pair
    }
    groups = (*DESK, *CONSOLE, *ADMIN)
    asked |= {f"nav.group.{group.name}" for group in groups}
    asked |= {f"nav.{section.here}" for group in groups for section in group.sections}
    left = {key for key in TEXTS if key not in asked and key.partition(".")[0] not in _BY_WORD}
    assert left == set()


def test_every_status_and_every_field_that_people_see_has_a_name() -> None:
    states = {f"status.{state}" for m in MACHINES[:3] for state in m.states}
    kinds = {f"kind.{m.kind}" for m in MACHINES[:3]}
    structs = (CorrectionFields, VideoCorrectionFields)
    fields = {f"field.{name}" for one in structs for name in one.__struct_fields__}
    media = {"video_url", "carousel_images", "story_image_url"}
    fields |= {f"field.{name}" for name in set(SlotContent.__struct_fields__) - media}
    fields |= {f"field.{name}" for name in Credentials.__struct_fields__}
    assert (states | kinds | fields) - TEXTS.keys() == set()


def test_a_word_goes_by_its_number() -> None:
    assert [text("bundle.cost", n=n) for n in (0, 1, 2)] == ["0 credits", "1 credit", "2 credits"]
