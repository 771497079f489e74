"""The page of one order: checklists, windows, media, corrections."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    POST,
    PROFILE,
    claimed,
    in_days,
    ordered,
    posted,
    published_with_videos,
    sent_back,
    set_up,
    workable,
)
from tests.pages.guest import Guest
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

STORY = {
    "video_type": "story",
    "story_repost_url": "https://www.instagram.com/reel/Cabc123def4/",
    "instagram_location": "Lyon",
    "instagram_collaborators": ["first.friend", "second.friend"],
    "instagram_add_to_story": True,
    "disclose_as_ads": True,
}
BAD = "<img src=x onerror=alert(1)>\"'"


def page_of(world: World, bundle_id: str, *more: object) -> str:
    return "/".join(["/desk", str(world.acme), bundle_id, *map(str, more)])


async def image(alice: Client, bundle_id: str) -> str:
    """Have Alice upload a picture; give its storage path."""
    body, headers = form(media.jpeg(), {"bundle_id": bundle_id}, filename="a.jpg")
    reply = await alice.call("POST", "/upload/image/direct", body=body, headers=headers)
    assert reply.status == 200, reply.json
    return str(reply.data["storage_path"])


async def test_disclosures_are_told_also_when_they_are_not_wanted(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    page = await mona.get(page_of(world, bundle_id))
    assert "Disclose as made with AI Leave OFF" in page.text
    assert "Disclose as advertising Leave OFF" in page.text
    await conn.execute("UPDATE slots SET content = content || '{\"disclose_as_ads\": true}'")
    page = await mona.get(page_of(world, bundle_id))
    assert "Disclose as made with AI Leave OFF" in page.text
    assert "Disclose as advertising Switch ON" in page.text


async def test_everything_that_is_asked_for_stands_on_the_list_and_can_be_copied(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    asked = {
        "description": "Look at this. #one #two",
        "editing_instructions": "Cut the first second.",
        "tiktok_sound_url": "https://www.tiktok.com/music/a-1",
        "volume_original_sound": 20,
        "volume_added_sound": 0,
        "instagram_location": "Lyon",
        "instagram_collaborators": ["first.friend", "second.friend"],
        "instagram_content_type": "reel",
    }
    await conn.execute("UPDATE slots SET content = $1", asked)
    page = await mona.get(page_of(world, bundle_id))
    for word_for_word in (
        "Look at this. #one #two",
        "Cut the first second.",
        "https://www.tiktok.com/music/a-1",
        "Lyon",
        "first.friend",
        "second.friend",
    ):
        assert f'data-copy="{word_for_word}"' in page.html
    for told in ("Volume of the added sound, % 0", "Post as Reel", "Volume of the original sound"):
        assert told in page.text
    # One box each, so that nothing is forgotten.
    assert page.html.count('id="slot-1-list-') == 11


async def test_the_window_is_told_in_utc_and_where_the_account_lives(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute("UPDATE slots SET target_start = '2027-03-13', target_end = '2027-03-14'")
    await conn.execute("UPDATE countries SET timezone = 'America/New_York' WHERE code = 'USA'")
    page = await mona.get(page_of(world, bundle_id))
    told = page.text.replace("\N{EN DASH}", "to")
    assert "Sat 13 Mar, 00:00 to Sun 14 Mar, 24:00" in told
    # The clocks there change inside the window.
    assert "(America/New_York) Fri 12 Mar, 19:00 to Sun 14 Mar, 20:00" in told
    assert 'data-opens="2027-03-13T00:00:00+00:00"' in page.html


async def test_an_order_that_waits_shows_its_brief_without_boxes(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await claimed(conn, world, ports, bundle_id)
    page = await mona.get(page_of(world, bundle_id))
    assert "This waits until the customer has approved the account." in page.text
    assert 'id="slot-1-list-' not in page.html
    assert "Look at this." in page.text
    assert 'id="account-list-1"' in page.html


async def test_media_come_one_by_one_a_slots_together_and_an_orders_together(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await ordered(alice, videos=2)
    assert (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).status == 200
    for position, count in ((1, 2), (2, 1)):
        body = {
            "video_type": "carousel",
            "description": "Look.",
            "target_publish_date": in_days(5),
            "carousel_images": [await image(alice, bundle_id) for _ in range(count)],
        }
        put = await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)
        assert put.status == 200, put.json
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    assert (await mona.get(page_of(world, bundle_id, "media"))).code == "CLAIM_NOT_YOURS"
    await claimed(conn, world, ports, bundle_id)
    page = await mona.get(page_of(world, bundle_id))
    assert page.html.count("/media/") == 3
    assert f'href="{page_of(world, bundle_id, "slots", 1, "media")}"' in page.html
    # A single file needs no archive.
    assert f'href="{page_of(world, bundle_id, "slots", 2, "media")}"' not in page.html
    assert await names(mona, page_of(world, bundle_id, "media")) == [
        "001-carousel_image-01.jpg",
        "001-carousel_image-02.jpg",
        "002-carousel_image-01.jpg",
    ]
    assert await names(mona, page_of(world, bundle_id, "slots", 2, "media")) == [
        "002-carousel_image-01.jpg"
    ]
    assert (await mona.get(page_of(world, bundle_id, "slots", 3, "media"))).status == 404


async def names(mona: Guest, path: str) -> list[str]:
    """Download an archive, and name what is in it once all of it is proven."""
    raw, headers = await mona.download(path)
    assert headers["content-type"] == "application/zip"
    assert headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


async def test_corrections_say_what_there_is_and_what_is_wanted(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    asked = {"comment": "Almost.", "fields": {"username": "acme.news"}}
    assert (await alice.post(f"/bundles/{bundle_id}/account/corrections", asked)).status == 200
    page = await mona.get(page_of(world, bundle_id))
    assert "<del>acme.daily</del>" in page.html
    assert "<ins>acme.news</ins>" in page.html


async def test_a_brief_that_changed_after_a_correction_is_to_be_read_again(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    page = await mona.get(page_of(world, bundle_id))
    assert "Louder." in page.text
    assert "The brief was changed since" not in page.text
    await conn.execute("UPDATE slots SET updated_at = $1", real_now() + timedelta(days=6))
    page = await mona.get(page_of(world, bundle_id))
    assert "The brief was changed since: read it again below." in page.text


async def test_no_text_of_a_customer_runs_on_the_page(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    texts = ("description", "editing_instructions", "instagram_location", "instagram_audio_name")
    content = dict.fromkeys(texts, BAD) | {
        "instagram_collaborators": [BAD],
        "tiktok_sound_url": "javascript:alert(1)",
        "carousel_title": BAD,
    }
    await conn.execute("UPDATE slots SET content = $1, name = $2", content, BAD)
    issue = {"reported_at": "2026-01-01T00:00:00Z", "reason": BAD}
    await conn.execute("UPDATE slots SET download_issue = $1", issue)
    await conn.execute(
        "UPDATE corrections SET comment = $1, fields = $2", BAD, {"description": BAD}
    )
    await conn.execute(
        "UPDATE profiles SET visible_name = $1, biography = $1, "
        " link_in_bio = 'javascript:alert(1)', niche_warming_instructions = $1",
        BAD,
    )
    await conn.execute("UPDATE bundles SET moderation_notice = $1, wants_moderation = true", BAD)
    page = await mona.get(page_of(world, bundle_id))
    assert page.status == 200
    assert "<img" not in page.html
    assert 'href="javascript' not in page.html
    assert page.text.count("onerror=alert(1)") > 10


async def test_an_account_whose_owner_took_their_consent_back_says_so(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    assert "stands still" not in (await mona.get(page_of(world, bundle_id))).text
    await conn.execute(
        "UPDATE saved_accounts SET consent_ends_at = now(), stopped_reason = $1", BAD
    )
    page = await mona.get(page_of(world, bundle_id))
    assert "Work on this account stands still" in page.text
    assert "<img" not in page.html


async def test_what_is_due_comes_first_and_a_long_order_is_cut_until_it_is_asked_for(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await conn.execute(MORE_SLOTS)
    await conn.execute("UPDATE slots SET target_start = current_date WHERE position = 45")
    page = await mona.get(page_of(world, bundle_id))
    order = [page.html.index(f'id="slot-{position}"') for position in (45, 1, 2, 39)]
    assert order == sorted(order)
    assert 'id="slot-41"' not in page.html
    assert "Show 5 more videos" in page.text
    # Only what is due is open.
    assert page.html.count('<details class="card slot" open') == 1
    assert 'id="slot-41"' in (await mona.get(f"{page_of(world, bundle_id)}?all=1")).html
    early = await mona.post(page_of(world, bundle_id, "slots", 41), {"platform_url": POST})
    assert early.status == 409
    assert "goes up from" in early.text


MORE_SLOTS = """
INSERT INTO slots (workspace_id, id, bundle_id, position, status, price, content, video_type,
                   target_start, target_end, media_status, workable_at, published_at, accepted_at,
                   created_at, updated_at)
SELECT workspace_id, gen_random_uuid(), bundle_id, n, status, price, content, video_type,
       target_start + n / 3, target_end + n / 3, media_status, workable_at, published_at,
       accepted_at, created_at, updated_at
  FROM slots, generate_series(3, 45) n WHERE position = 2
"""


async def story(
    alice: Client, conn: Connection, world: World, ports: Ports, *, auto: bool = False
) -> str:
    """Have Mona hold an order of one story, on its day; give the order's id."""
    bundle_id = await ordered(alice, videos=1, platform="instagram", auto_finalize_videos=auto)
    slot = {
        **STORY,
        "target_publish_date": in_days(5),
        "story_image_url": await image(alice, bundle_id),
    }
    assert (await alice.put(f"/bundles/{bundle_id}/account", PROFILE)).status == 200
    put = await alice.put(f"/bundles/{bundle_id}/videos/1", slot)
    assert put.status == 200, put.json
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id, "https://www.instagram.com/acme.daily")
    assert (await alice.post(f"/bundles/{bundle_id}/account/finalize")).status == 200
    await conn.execute("UPDATE slots SET target_start = current_date, target_end = current_date")
    return bundle_id


async def test_a_story_tells_who_and_where_and_what_to_repost(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await story(alice, conn, world, ports)
    page = await mona.get(page_of(world, bundle_id))
    for told in (
        "Location Lyon",
        "Collaborators first.friend",
        "Post to repost https://www.instagram.com/reel/Cabc123def4/",
        "Add to story Switch ON",
        "Disclose as advertising Switch ON",
    ):
        assert told in page.text
    assert 'type="file"' in page.html


async def test_the_picture_of_a_story_is_its_proof(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await story(alice, conn, world, ports)
    await mona.get(page_of(world, bundle_id))
    there = page_of(world, bundle_id, "slots", 1, "story")
    done = await mona.send_file(there, media.jpeg(), name="shot.jpg")
    assert done.to == f"{page_of(world, bundle_id)}?done=slot"
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["status"] == "in_review"
    picture, headers = await mona.download(slot["evidence_url"].removeprefix(mona.address))
    assert headers["content-type"] == "image/jpeg"
    # Where it was taken is nobody's business.
    assert media.GPS_TEXT not in picture
    purposes = await conn.fetch("SELECT purpose FROM uploads ORDER BY recorded_at")
    assert [row["purpose"] for row in purposes] == ["carousel", "evidence"]


async def test_a_picture_that_is_none_is_refused_on_its_form_and_not_kept(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await story(alice, conn, world, ports)
    await mona.get(page_of(world, bundle_id))
    there = page_of(world, bundle_id, "slots", 1, "story")
    wrong = await mona.send_file(there, b"<script>alert(1)</script>", name="shot.jpg")
    assert wrong.status == 400
    assert 'role="alert"' in wrong.html
    late = {"platform_url": "https://example.com/"}
    elsewhere = await mona.send_file(there, media.jpeg(), late)
    assert 'aria-describedby="slot-1-platform_url-wrong"' in elsewhere.html
    assert 'value="https://example.com/"' in elsewhere.html
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    stored = [one.key async for one in ports.storage.listing() if "/" in one.key]
    assert len(stored) == 1


async def test_a_picture_of_somebody_elses_order_is_not_taken(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Guest
) -> None:
    bundle_id = await story(alice, conn, world, ports)
    await conn.execute("UPDATE claims SET status = 'released'")
    await mona.get("/desk/mine")
    there = page_of(world, bundle_id, "slots", 1, "story")
    assert (await mona.send_file(there, media.jpeg())).code == "CLAIM_NOT_YOURS"
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
