"""The desk beside orders: comments, profile changes, codes."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.accounts.revealing import edit_asked
from tests.cast import World
from tests.client import Client
from tests.comments.steps import begun, delivered
from tests.orders.walk import working
from tests.pages.guest import Guest
from tokportal_server.comments.tasks import ask_for_corrections, lock_task
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import Connection

COMMENT = "https://www.tiktok.com/@baker/video/7300000000000000001?comment_id=7400001"
EDIT = "SELECT * FROM edit_requests"
TASK = "SELECT * FROM comment_tasks"


async def test_a_comment_is_written_from_its_page_and_gone_from_the_list(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    task_id = await begun(conn, world, account)
    assert "we will try it tonight!" in (await mona.get("/desk/mine")).text
    page = await mona.get("/desk/comments")
    assert "As acme.daily on TikTok" in page.text
    assert 'data-copy="What a lovely idea, we will try it tonight!"' in page.html
    at = f"/desk/comments/{world.acme}/{task_id}"
    wrong = await mona.post(at, {"comment_url": "https://example.com/"})
    assert wrong.status == 400
    assert f'aria-describedby="comment-{task_id}-comment_url-wrong"' in wrong.html
    assert 'value="https://example.com/"' in wrong.html
    done = await mona.post(at, {"comment_url": COMMENT})
    assert done.to == "/desk/comments?done=comment"
    row = await conn.fetchrow(TASK)
    assert row is not None
    assert (row["status"], row["comment_id"], row["manager_id"]) == (
        "submitted",
        "7400001",
        world.mona,
    )
    assert "No comment to write" in (await mona.get(done.to)).text


async def test_what_is_to_be_mended_stands_with_the_comment(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    task_id = await begun(conn, world, account)
    at = f"/desk/comments/{world.acme}/{task_id}"
    await mona.get("/desk/comments")
    assert (await mona.post(at, {"comment_id": "7400001"})).status == 303
    async with working(conn, world) as tx:
        task = await lock_task(tx, task_id, "submitted")
        await ask_for_corrections(tx, task, actor=SYSTEM, reason="A word is missing.")
    page = await mona.get("/desk/comments")
    assert "To mend: A word is missing." in page.text
    assert 'value="7400001"' in page.html
    assert "to mend" in (await mona.get("/desk/mine")).text
    assert (await mona.post(at, {"comment_id": "7400001"})).status == 303


async def test_a_comment_of_an_account_without_a_manager_is_open_to_all_who_work_there(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    await begun(conn, world, account)
    await conn.execute("UPDATE saved_accounts SET manager_id = NULL")
    assert "open to all" in (await mona.get("/desk/comments")).text
    await conn.execute("UPDATE managers SET countries = '{DE}'")
    assert "No comment to write" in (await mona.get("/desk/comments")).text


async def test_what_somebody_else_was_faster_with_is_told_at_the_top(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    task_id = await begun(conn, world, account)
    await mona.get("/desk/comments")
    at = f"/desk/comments/{world.acme}/{task_id}"
    assert (await mona.post(at, {"comment_id": "7400001"})).status == 303
    late = await mona.post(at, {"comment_id": "7400001"})
    assert late.status == 409
    assert 'role="alert"' in late.html
    assert "submitted" in late.text


async def test_a_profile_change_is_begun_made_and_told_as_the_platform_shows_it(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    request_id = await edit_asked(conn, world, UUID(account))
    assert "acme.daily" in (await mona.get("/desk/mine")).text
    page = await mona.get("/desk/edits")
    for told in ("acme.weekly", "Acme Weekly", "asked for", "Begin the change"):
        assert told in page.text
    at = f"/desk/edits/{world.acme}/{request_id}"
    assert (await mona.post(f"{at}/accept")).to == "/desk/edits?done=edit_accepted"
    wrong = await mona.post(f"{at}/complete", {"profile_url": "x", "username": "a b"})
    assert wrong.status == 400
    assert f'aria-describedby="complete-{request_id}-profile_url-wrong"' in wrong.html
    made = {
        "profile_url": "https://www.tiktok.com/@acme.weekly1",
        "username": "@acme.weekly1",
        "visible_name": "Acme Weekly",
        "biography": "",
    }
    done = await mona.post(f"{at}/complete", made)
    assert done.to == "/desk/edits?done=edit_completed"
    row = await conn.fetchrow(EDIT)
    assert row is not None
    assert row["status"] == "completed"
    assert {"field": "username", "before": "acme.daily", "after": "acme.weekly1"} in row["changes"]
    assert "No change is asked for" in (await mona.get(done.to)).text


async def test_a_profile_change_that_cannot_be_is_rejected_with_a_reason(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    request_id = await edit_asked(conn, world, UUID(account))
    await mona.get("/desk/edits")
    at = f"/desk/edits/{world.acme}/{request_id}/reject"
    silent = await mona.post(at, {"reason": ""})
    assert silent.status == 400
    assert f'aria-describedby="reject-{request_id}-reason-wrong"' in silent.html
    assert (await mona.post(at, {"reason": "The name is taken."})).status == 303
    row = await conn.fetchrow(EDIT)
    assert row is not None
    assert (row["status"], row["reason"]) == ("rejected", "The name is taken.")


async def test_an_account_whose_manager_has_left_is_taken_over_with_its_change(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    request_id = await edit_asked(conn, world, UUID(account))
    await conn.execute("UPDATE saved_accounts SET manager_id = NULL")
    page = await mona.get("/desk/edits")
    assert "Take this account over" in page.text
    assert "Begin the change" not in page.text
    at = f"/desk/edits/{world.acme}/{request_id}"
    assert (await mona.post(f"{at}/take")).to == "/desk/edits?done=edit_taken"
    assert "Begin the change" in (await mona.get("/desk/edits")).text
    again = await mona.post(f"{at}/take")
    assert "somebody else was faster" in again.text


async def test_a_code_goes_to_the_customer_sealed(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    page = await mona.get("/desk/accounts")
    assert "acme.daily" in page.text
    at = f"/desk/accounts/{world.acme}/{account}/code"
    wrong = await mona.post(at, {"code": "12a"})
    assert f'aria-describedby="code-{account}-code-wrong"' in wrong.html
    done = await mona.post(at, {"code": "123 456", "sender": "TikTok"})
    assert done.to == "/desk/accounts?done=code"
    read = await alice.post(f"/accounts/{account}/verification-code")
    assert read.data["code"] == "123456"
    assert "Last code entered" in (await mona.get("/desk/accounts")).text


async def test_an_account_whose_customer_waits_for_a_code_comes_first_and_says_so(
    alice: Client, conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world, "zoe.daily")
    await delivered(conn, world, "acme.daily")
    asked = await alice.post(f"/accounts/{account}/verification-code")
    assert asked.json["error"]["code"] == "VERIFICATION_CODE_NOT_FOUND"
    page = await _once_logged(conn, mona)
    assert page.index("zoe.daily") < page.index("acme.daily")
    assert "waits for a code" in page
    assert "Customers who wait for a code" in (await mona.get("/desk/mine")).text
    await mona.post(f"/desk/accounts/{world.acme}/{account}/code", {"code": "123456"})
    assert "waits for a code" not in (await mona.get("/desk/accounts")).text


async def _once_logged(conn: Connection, mona: Guest) -> str:
    """Give the page of accounts once the request log has been written."""
    while not await conn.fetchval("SELECT count(*) FROM api_requests WHERE status = 404"):
        pass
    return (await mona.get("/desk/accounts")).text


@pytest.mark.parametrize("act", ["take", "accept", "reject", "complete"])
async def test_somebody_elses_change_is_refused(
    conn: Connection, world: World, mona: Guest, act: str
) -> None:
    account = await delivered(conn, world)
    request_id = await edit_asked(conn, world, UUID(account))
    await conn.execute("UPDATE saved_accounts SET manager_id = NULL, country = 'DE'")
    await mona.get("/desk/edits")
    facts = {"reason": "x", "profile_url": "https://www.tiktok.com/@a"}
    page = await mona.post(f"/desk/edits/{world.acme}/{request_id}/{act}", facts)
    assert page.status == 403
    row = await conn.fetchrow(EDIT)
    assert row is not None
    assert row["status"] == "pending"


async def test_texts_of_customers_are_shown_and_never_run(
    conn: Connection, world: World, mona: Guest
) -> None:
    account = await delivered(conn, world)
    await begun(conn, world, account)
    await edit_asked(conn, world, UUID(account))
    bad = "<img src=x onerror=alert(1)>\"'"
    await conn.execute(
        "UPDATE comment_tasks SET comment_text = $1, correction = $1, target_author_handle = $1,"
        " target_video_url = 'javascript:alert(1)', status = 'pending_corrections'",
        bad,
    )
    await conn.execute(
        "UPDATE edit_requests SET requested_username = $1, requested_visible_name = $1,"
        " requested_biography = $1, requested_link_in_bio = 'javascript:alert(1)',"
        " requested_profile_picture_url = 'javascript:alert(2)'",
        bad,
    )
    await conn.execute(
        "UPDATE saved_accounts SET username = $1, visible_name = $1, biography = $1,"
        " profile_url = 'javascript:alert(1)'",
        bad,
    )
    for path in ("/desk/mine", "/desk/comments", "/desk/edits", "/desk/accounts"):
        page = await mona.get(path)
        assert page.status == 200
        assert "<img" not in page.html
        assert 'href="javascript' not in page.html
        assert "onerror=alert(1)" in page.text
