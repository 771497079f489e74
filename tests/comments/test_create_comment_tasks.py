from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import TEXT, commented, delivered, history, post, task
from tests.conftest import serving
from tests.http.test_dry_run import DRY, IMAGINED
from tests.orders.walk import working
from tokportal_server.comments.operations.create_comment_tasks import create_comment_tasks
from tokportal_server.comments.rules import CommentGuards
from tokportal_server.comments.wire import CommentTaskRequest
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

# Nothing alike, so that the guard has no word to say.
WORDS = ["apricot", "bicycle", "cathedral", "dolphin", "eclipse", "furnace", "glacier", "harvest"]


def texts(count: int) -> list[str]:
    """Give texts of which no two are alike."""
    return [f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} {WORDS[n // 64 % 8]}!" * 3 for n in range(count)]


async def test_orders_a_comment_and_takes_its_price(
    alice: Client, conn: Connection, account: str
) -> None:
    before = (await alice.get("/credits/balance")).data["credits"]
    reply = await alice.post("/comments", task(account, brief_id="spring"))
    assert reply.status == 201
    assert (reply.json["created_count"], reply.json["rejected_count"]) == (1, 0)
    assert reply.json["credits_charged"] == 1
    assert reply.json["credits_remaining"] == before - 1
    assert reply.json["cost_breakdown"] == {"comment_task": 1, "total": 1}
    assert reply.data["rejected"] == []
    [made] = reply.data["created"]
    at = made["created_at"]
    assert {name: value for name, value in made.items() if value is not None} == {
        "id": made["id"],
        "status": "pending",
        "platform": "tiktok",
        "saved_account_id": account,
        "target_video_url": post(1),
        "target_author_handle": "baker",
        "comment_text": TEXT,
        "brief_id": "spring",
        "correction_required": False,
        "deadline_at": made["deadline_at"],
        "created_at": at,
        "updated_at": at,
    }
    assert await history(conn, made["id"]) == ["pending"]
    assert (await alice.get(f"/comments/{made['id']}")).data == made
    [entry] = (await alice.get("/credits/history?per_page=1")).data
    assert entry["reference"] == {"kind": "comment_task", "id": made["id"]}


async def test_gives_the_manager_72_hours(alice: Client, conn: Connection, account: str) -> None:
    await commented(alice, account)
    row = await conn.fetchrow("SELECT due_at - created_at AS given FROM comment_tasks")
    assert row is not None
    assert row["given"] == timedelta(hours=72)


async def test_takes_many_in_one_debit_and_rejects_rows_alone(
    alice: Client, conn: Connection, world: World, account: str
) -> None:
    other = await delivered(conn, world, "acme.two")
    on_instagram = await delivered(conn, world, "acme.three", platform="instagram")
    await conn.execute("UPDATE saved_accounts SET status = 'banned' WHERE username = 'acme.two'")
    instagram = post(9, "instagram")
    rows = [
        task(account, 1),
        task(other, 2, comment_text="Banned from here."),
        task(account, 3, target_video_url=instagram, comment_text="On the wrong platform."),
        task(str(uuid4()), 4),
        {"saved_account_id": account, "surprise": 1},
        task(account, 5, comment_text="x" * 151),
        task(on_instagram, 6, target_video_url=instagram, comment_text="x" * 151),
        task(account, 1, comment_text="The same post as the first."),
        task(account, 7, target_video_url="https://example.com/resource"),
    ]
    before = (await alice.get("/credits/balance")).data["credits"]
    reply = await alice.post("/comments", {"tasks": rows})
    assert reply.status == 201
    told = {row["index"]: (row["code"], row["message"]) for row in reply.data["rejected"]}
    assert {index: code for index, (code, _) in told.items()} == {
        1: "COMMENT_ACCOUNT_UNAVAILABLE",
        2: "COMMENT_PLATFORM_MISMATCH",
        3: "COMMENT_ACCOUNT_UNAVAILABLE",
        4: "VALIDATION_ERROR",
        5: "VALIDATION_ERROR",
        7: "COMMENT_LIMIT_PER_TARGET",
        8: "VALIDATION_ERROR",
    }
    assert "150" in told[5][1]
    assert "banned" in told[1][1]
    assert "target_video_url" in told[8][1]
    assert [made["saved_account_id"] for made in reply.data["created"]] == [account, on_instagram]
    assert (reply.json["created_count"], reply.json["rejected_count"]) == (2, 7)
    assert reply.json["credits_charged"] == 2
    assert (await alice.get("/credits/balance")).data["credits"] == before - 2
    [entry] = (await alice.get("/credits/history?per_page=1")).data
    assert (entry["amount"], entry["reference"]["kind"]) == (-2, "comment_order")


async def test_charges_nothing_when_all_are_rejected(alice: Client, account: str) -> None:
    reply = await alice.post("/comments", {"tasks": [task(account, target_video_url="x")] * 2})
    assert (reply.status, reply.data["created"]) == (201, [])
    assert (reply.json["rejected_count"], reply.json["credits_charged"]) == (2, 0)
    assert (await alice.get("/comments")).data == []


async def test_takes_200_and_not_one_more(alice: Client, conn: Connection, account: str) -> None:
    rows = [task(account, n, comment_text=text) for n, text in enumerate(texts(201))]
    refused = await alice.post("/comments", {"tasks": rows})
    assert (refused.status, set(refused.problems)) == (400, {"tasks"})
    reply = await alice.post("/comments", {"tasks": rows[:200]})
    assert (reply.json["created_count"], reply.json["credits_charged"]) == (200, 200)
    listed = await conn.fetch("SELECT target_post FROM comment_tasks ORDER BY ordinal")
    assert [row["target_post"] for row in listed] == [
        str(7300000000000000000 + n) for n in range(200)
    ]


async def test_refuses_one_bad_task_plainly(alice: Client, account: str) -> None:
    async def code(**more: object) -> str:
        return (await alice.post("/comments", task(account) | more)).code

    assert await code(saved_account_id=str(uuid4())) == "COMMENT_ACCOUNT_UNAVAILABLE"
    assert await code(target_video_url=post(1, "instagram")) == "COMMENT_PLATFORM_MISMATCH"
    assert await code(target_video_url="https://www.tiktok.com/@baker") == "VALIDATION_ERROR"
    assert await code(comment_text=" \u200f\u200d ") == "VALIDATION_ERROR"
    assert await code(comment_text="x" * 151) == "VALIDATION_ERROR"
    accepted = await alice.post("/comments", task(account, comment_text="x" * 150))
    assert accepted.status == 201


async def test_says_what_is_missing_or_too_much(alice: Client, account: str) -> None:
    reply = await alice.post("/comments", {"brief_id": "spring"})
    assert set(reply.problems) == {"saved_account_id", "target_video_url", "comment_text"}
    reply = await alice.post("/comments", {**task(account), "tasks": [task(account)]})
    assert set(reply.problems) == {"saved_account_id", "target_video_url", "comment_text"}
    for body in (b"{}", b'{"tasks": []}'):
        reply = await alice.post(
            "/comments", body=body, headers={"Content-Type": "application/json"}
        )
        assert set(reply.problems) == {"tasks"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE saved_accounts SET status = 'banned'", "banned"),
        ("UPDATE saved_accounts SET status = 'detached'", "detached"),
        ("UPDATE saved_accounts SET delivered_at = NULL", "not_delivered"),
        ("UPDATE platforms SET enabled = false", "platform_closed"),
        (
            """INSERT INTO kill_switches (scope, subject_id, reason)
               SELECT 'account', id, 'Held.' FROM saved_accounts""",
            "paused",
        ),
    ],
)
async def test_refuses_an_account_that_cannot_comment(
    alice: Client, conn: Connection, account: str, change: str, reason: str
) -> None:
    await conn.execute(change)
    reply = await alice.post("/comments", task(account))
    assert (reply.status, reply.code) == (400, "COMMENT_ACCOUNT_UNAVAILABLE")
    assert reply.json["error"]["details"]["reason"] == reason


async def test_refuses_an_account_of_another_workspace(charlie: Client, account: str) -> None:
    reply = await charlie.post("/comments", task(account))
    assert reply.code == "COMMENT_ACCOUNT_UNAVAILABLE"
    assert reply.json["error"]["details"]["reason"] == "not_found"


async def test_takes_one_task_a_day_for_each_post(
    alice: Client, conn: Connection, world: World, account: str
) -> None:
    first = await commented(alice, account)
    other = await delivered(conn, world, "acme.two")
    # The same post by another address, another account and other words.
    again = task(
        other,
        target_video_url=post(1).replace("@baker", "@someone") + "?lang=en",
        comment_text="Something different altogether.",
    )
    reply = await alice.post("/comments", again)
    assert (reply.status, reply.code) == (400, "COMMENT_LIMIT_PER_TARGET")
    made = await conn.fetchval("SELECT created_at FROM comment_tasks")
    allowed_at = reply.json["error"]["details"]["allowed_at"]
    assert allowed_at == wire_time(made + timedelta(hours=24))
    # One that was cancelled does not count.
    await alice.call("DELETE", f"/comments/{first}")
    second = await alice.post("/comments", again)
    assert second.status == 201
    await conn.execute("UPDATE comment_tasks SET created_at = created_at - interval '24 hours'")
    assert (await alice.post("/comments", task(account))).status == 201


async def test_refuses_nearly_the_same_text_from_another_account(
    alice: Client, conn: Connection, world: World, account: str
) -> None:
    await commented(alice, account)
    other = await delivered(conn, world, "acme.two")
    like = TEXT.upper().replace("LOVELY", "LOVELY\ufe0f") + "!"
    reply = await alice.post("/comments", task(other, 2, comment_text=like))
    assert (reply.status, reply.code) == (400, "COMMENT_TEXT_DUPLICATE")
    reply = await alice.post(
        "/comments", {"tasks": [task(other, 2, comment_text=like), task(account, 3)]}
    )
    # The account may repeat itself; it is others who must not.
    assert [row["index"] for row in reply.data["rejected"]] == [0]
    await conn.execute("UPDATE comment_tasks SET created_at = created_at - interval '24 hours'")
    assert (await alice.post("/comments", task(other, 2, comment_text=like))).status == 201


async def test_two_calls_at_once_do_not_pass_the_guards_together(
    alice: Client, conn: Connection, account: str
) -> None:
    replies = await asyncio.gather(*(alice.post("/comments", task(account)) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 400, 400, 400]
    assert await conn.fetchval("SELECT count(*) FROM comment_tasks") == 1


async def test_an_operator_may_switch_the_guards_off(
    settings: Settings, world: World, conn: Connection
) -> None:
    account, other = [await delivered(conn, world, name) for name in ("acme.one", "acme.two")]
    free = msgspec.structs.replace(
        settings, comment_limit_per_target=False, comment_refuse_like_texts=False
    )
    async with serving(free) as address, Client(address, world.alice_key) as alice:
        reply = await alice.post("/comments", {"tasks": [task(account), task(other)]})
    assert reply.json["created_count"] == 2


async def test_a_workspace_without_the_credits_gets_none_of_them(
    alice: Client, conn: Connection, account: str
) -> None:
    await conn.execute("UPDATE credit_lots SET remaining = 1")
    rows = [task(account, n, comment_text=text) for n, text in enumerate(texts(2))]
    reply = await alice.post("/comments", {"tasks": rows})
    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert reply.json["error"]["details"]["missing"] == 1
    assert (await alice.get("/comments")).data == []
    assert (await alice.post("/comments", rows[0])).status == 201


async def test_a_free_comment_is_ordered_without_a_debit(
    alice: Client, conn: Connection, account: str
) -> None:
    await conn.execute("UPDATE prices SET amount = 0 WHERE name = 'comment_task'")
    task_id = await commented(alice, account)
    gone = await alice.call("DELETE", f"/comments/{task_id}")
    assert (gone.status, gone.json["credits_refunded"]) == (200, 0)
    assert (
        await conn.fetchval(
            "SELECT count(*) FROM credit_entries WHERE reference_kind LIKE 'comment%'"
        )
        == 0
    )


async def test_a_comment_for_an_imagined_account_is_priced(alice: Client, account: str) -> None:
    rows = {"tasks": [task(IMAGINED), task(account, 2), {"comment_text": "no"}]}
    reply = await alice.post("/comments", rows, headers=DRY)
    assert (reply.status, reply.data) == (201, {"created": [], "rejected": []})
    assert reply.json["credits_would_charge"] == 2
    assert (await alice.post("/comments", rows)).code == "DRY_RUN_ID_IN_LIVE_REQUEST"


async def test_a_replay_orders_nothing_more(alice: Client, account: str) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await alice.post("/comments", task(account), headers=headers)
    again = await alice.post("/comments", task(account), headers=headers)
    assert (again.status, again.json) == (201, first.json)
    assert len((await alice.get("/comments")).data) == 1


async def test_the_statements_do_not_grow_with_the_rows(
    conn: Connection, world: World, account: str
) -> None:
    sent: list[str] = []
    conn.add_query_logger(lambda logged: sent.append(logged.query))
    counts = []
    for many in (2, 60):
        sent.clear()
        async with working(conn, world) as tx:
            await create_comment_tasks(
                tx=tx,
                actor=world.as_mona,
                wanted=[
                    msgspec.convert(
                        task(account, 1000 * many + n, comment_text=text), CommentTaskRequest
                    )
                    for n, text in enumerate(texts(many))
                ],
                guards=CommentGuards(per_target=True, like_texts=True),
            )
        counts.append(sum(query not in ("BEGIN;", "COMMIT;") for query in sent))
    assert counts[0] == counts[1] > 5
