from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console, made_from
from tests.orders.walk import (
    PROFILE,
    in_days,
    ordered,
    posted,
    published_with_videos,
    video,
    workable,
)
from tests.pages.guest import Guest, Seen
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.videos.proofs.recording import ProofListener
from tokportal_server.videos.proofs.verifying import read_proof, verify_proof

SLOT = "SELECT * FROM slots WHERE bundle_id = $1 AND position = 1"
BALANCE = "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1"
FILLED = {
    "video_type": "video",
    "target_publish_date": in_days(5),
    "description": "Look at this.",
    "video_url": "https://media.example.com/a.mp4",
    "name": "Teaser",
    "ai_content_disclaimer": "false",
    "disclose_as_ads": "true",
}


def slot(world: World, bundle_id: str, *more: object) -> str:
    """Give an address of a bundle's first slot."""
    return console(world, "bundles", bundle_id, "slots", 1, *more)


async def opened(customer: Guest, there: str, **fields: str) -> dict[str, str]:
    """Open the editor of a slot; give a form of it that is filled in."""
    page = await customer.get(there)
    return {**FILLED, "seen": made_from(page, there), **fields}


async def row_of(conn: Connection, bundle_id: str) -> Any:
    """Give the first slot's row."""
    return await conn.fetchrow(SLOT, bundle_id)


async def test_fills_a_slot_in_and_says_yes_no_or_nothing(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = slot(world, bundle_id)
    done = await customer.post(there, await opened(customer, there))
    assert done.to == f"{there}?done=saved"
    row = await row_of(conn, bundle_id)
    assert (row["status"], row["name"]) == ("configured", "Teaser")
    content = row["content"]
    assert content["disclose_as_ads"] is True
    assert content["ai_content_disclaimer"] is False
    page = await customer.get(there)
    assert '<option value="false" selected>no</option>' in page.html
    assert "Its media are on their way" in page.text
    # What is emptied is cleared: a form replaces what the slot holds.
    cleared = await opened(customer, there, name="", disclose_as_ads="")
    assert (await customer.post(there, cleared)).status == 303
    row = await row_of(conn, bundle_id)
    assert row["name"] is None
    assert row["content"]["disclose_as_ads"] is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"description": ""}, "description"),
        ({"video_url": ""}, "video_url"),
        ({"target_publish_date": in_days(0)}, "target_publish_date"),
        ({"target_publish_date": ""}, "target_publish_date"),
        ({"volume_added_sound": "loud"}, "volume_added_sound"),
        ({"volume_added_sound": "101"}, "volume_added_sound"),
        ({"editing_instructions": "Cut it."}, "editing_instructions"),
        ({"video_url": "0" * 32 + "/" + "0" * 40 + ".mp4"}, "video_url"),
    ],
)
async def test_a_refusal_stands_beside_its_field_and_nothing_typed_is_lost(
    alice: Client,
    conn: Connection,
    world: World,
    customer: Guest,
    fields: dict[str, str],
    wrong: str,
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = slot(world, bundle_id)
    refused = await customer.post(there, await opened(customer, there, **fields))
    assert refused.status == 400
    assert f'id="slot-{wrong}-wrong"' in refused.html, refused.text
    assert 'value="Teaser"' in refused.html
    assert (await row_of(conn, bundle_id))["status"] == "pending"


async def test_a_line_of_a_list_is_named_by_its_number(
    alice: Client, world: World, customer: Guest
) -> None:
    there = slot(world, await ordered(alice, videos=1))
    pictures = "https://media.example.com/a.jpg\nhttps://10.0.0.1/b.jpg"
    fields = {"video_type": "carousel", "video_url": "", "carousel_images": pictures}
    refused = await customer.post(there, await opened(customer, there, **fields))
    assert refused.status == 400
    assert "in line 2" in refused.text


async def test_options_are_priced_first_and_charged_once(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    there = slot(world, await ordered(alice, videos=1))
    before = await conn.fetchval(BALANCE, world.acme)
    loud = await opened(customer, there, volume_added_sound="30")
    asked = await customer.post(f"{there}/price", loud)
    assert "In all 1 credit" in asked.text
    assert 'value="30"' in asked.html
    assert await conn.fetchval(BALANCE, world.acme) == before
    assert (await customer.post(there, loud)).status == 303
    assert await conn.fetchval(BALANCE, world.acme) == before - 1
    assert "Paid for this slot already." in (await customer.get(there)).text
    again = await customer.post(f"{there}/price", await opened(customer, there, **loud))
    assert "In all 0 credits" in again.text


async def test_of_two_who_edit_a_slot_the_second_is_shown_both_and_loses_nothing(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = slot(world, bundle_id)
    mine = await opened(customer, there, description="Mine.")
    other = video(description="By the API.", name="Teaser")
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", other)).status == 200
    stale = await customer.post(there, mine)
    assert stale.status == 409
    assert "By the API." in stale.text
    assert ">Mine.</textarea>" in stale.html
    assert (await row_of(conn, bundle_id))["content"]["description"] == "By the API."
    decided = {**mine, "seen": made_from(stale, there)}
    assert (await customer.post(there, decided)).status == 303
    assert (await row_of(conn, bundle_id))["content"]["description"] == "Mine."


async def test_only_the_fields_of_the_platform_are_asked(
    alice: Client, world: World, customer: Guest
) -> None:
    tiktok = await customer.get(slot(world, await ordered(alice, videos=1)))
    assert 'name="tiktok_sound_url"' in tiktok.html
    assert 'name="instagram_location"' not in tiktok.html
    assert 'value="story"' not in tiktok.html
    page = await customer.get(slot(world, await ordered(alice, videos=1, platform="instagram")))
    assert 'name="tiktok_sound_url"' not in page.html
    for name in ("instagram_location", "story_image_url", "story_repost_url"):
        assert f'name="{name}"' in page.html


async def test_an_accepted_slot_takes_a_caption_and_another_window_but_no_other_media(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    there = slot(world, bundle_id)
    page = await customer.get(there)
    assert 'name="video_url"' not in page.html
    change = f"{there}/change"
    fields = {
        "description": "Better.",
        "target_publish_start_date": in_days(6),
        "target_publish_end_date": in_days(9),
        "name": "",
        "external_ref": "r-1",
        "seen": made_from(page, change),
    }
    assert (await customer.post(change, fields)).to == f"{there}?done=saved"
    row = await row_of(conn, bundle_id)
    assert (row["content"]["description"], row["external_ref"]) == ("Better.", "r-1")
    assert (row["target_end"] - row["target_start"]).days == 3
    # From the page of before: what the other has changed is shown, and stays.
    stale = await customer.post(change, {**fields, "description": "Worse."})
    assert stale.status == 409
    wide = {**fields, "target_publish_end_date": in_days(30)}
    refused = await customer.post(change, {**wide, "seen": made_from(stale, change)})
    assert 'id="change-target_publish_end_date-wrong"' in refused.html


async def test_publishes_takes_back_and_empties_a_slot(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    there = slot(world, bundle_id)
    assert (await customer.post(f"{there}/unschedule")).to == f"{there}?done=unscheduled"
    assert (await row_of(conn, bundle_id))["status"] == "configured"
    assert f'action="{there}/publish"' in (await customer.get(there)).html
    assert (await customer.post(f"{there}/publish")).to == f"{there}?done=slots_published"
    assert (await row_of(conn, bundle_id))["status"] == "published"
    assert (await customer.post(f"{there}/reset")).to == f"{there}?done=emptied"
    assert (await row_of(conn, bundle_id))["status"] == "pending"
    again = await customer.post(f"{there}/reset")
    assert again.status == 409
    assert 'role="alert"' in again.html


async def test_gives_other_media_for_those_that_the_manager_could_not_use(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    issue = {"reported_at": "2026-01-01T00:00:00.000Z", "reason": "It is cut off."}
    await conn.execute("UPDATE slots SET download_issue = $1 WHERE position = 1", issue)
    there = slot(world, bundle_id)
    assert "It is cut off." in (await customer.get(console(world, "bundles", bundle_id))).text
    assert "It is cut off." in (await customer.get(there)).text
    nothing = await customer.post(f"{there}/fix", {"video_url": ""})
    assert nothing.status == 400
    other = {"video_url": "https://media.example.com/b.mp4"}
    assert (await customer.post(f"{there}/fix", other)).status == 303
    row = await row_of(conn, bundle_id)
    assert row["content"]["video_url"] == other["video_url"]


async def test_the_brief_and_the_result_stand_side_by_side(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    there = slot(world, bundle_id)
    page = await customer.get(there)
    assert 'id="asked"' in page.html
    assert 'id="came"' in page.html
    assert '<video controls preload="metadata" src="/media/' in page.html
    empty = await customer.post(f"{there}/correct", {"comment": ""})
    assert 'aria-describedby="correct-1-comment-wrong"' in empty.html
    assert (await customer.post(f"{there}/approve")).to == f"{there}?done=approved"


async def test_what_is_written_into_a_slot_is_text_wherever_it_is_shown(
    alice: Client, world: World, customer: Guest
) -> None:
    bundle_id = await ordered(alice, videos=1, title="</title><script>1</script>")
    await alice.put(f"/bundles/{bundle_id}/account", PROFILE)
    nasty = '"><script>1</script>'
    there = slot(world, bundle_id)
    fields = await opened(customer, there, description=nasty, name=nasty, external_ref=nasty)
    assert (await customer.post(there, fields)).status == 303
    pages: list[Seen] = [
        await customer.get(where)
        for where in (
            there,
            console(world, "bundles", bundle_id),
            console(world, f"calendar?week={in_days(5)}"),
            console(world, "bundles", bundle_id, "csv"),
            console(world, "csv"),
        )
    ]
    for page in pages:
        assert page.status == 200
        assert "<script>1" not in page.html
    assert json.dumps(nasty)[1:-1] not in pages[2].html


async def test_a_slot_that_is_not_there_is_not_found(
    alice: Client, charlie: Client, world: World, customer: Guest
) -> None:
    own, foreign = await ordered(alice, videos=1), await ordered(charlie, videos=1)
    await customer.get(slot(world, own))
    for there in (slot(world, foreign), console(world, "bundles", own, "slots", 2)):
        assert (await customer.get(there)).code == "PAGE_NOT_FOUND"
        for act in ("", "/price", "/change", "/day", "/publish", "/reset", "/unschedule", "/fix"):
            fields = {**FILLED, "name": "x"}
            assert (await customer.post(f"{there}{act}", fields)).code == "PAGE_NOT_FOUND", act


async def test_the_proof_of_an_approved_post_can_be_downloaded_once_it_is_written(
    alice: Client, conn: Connection, world: World, ports: Ports, customer: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    made = await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
    there = slot(world, bundle_id)
    assert "Download the proof" not in (await customer.get(there)).text
    assert (await customer.get(f"{there}/proof")).status == 404
    told = {"workspace_id": str(world.acme), "data": {"video_id": made.data["id"]}}
    await ProofListener(ports).run(told)
    assert "Download the proof" in (await customer.get(there)).text
    content, headers = await customer.download(f"{there}/proof")
    assert f"proof-{bundle_id}-1.json" in headers["Content-Disposition"]
    verify_proof(read_proof(content))
