"""A comment task's way, step by step, for tests that begin in the middle of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tests.cast import World
from tests.client import Client
from tests.orders.walk import order, working
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.comments.operations.create_comment_tasks import create_comment_tasks
from tokportal_server.comments.rules import CommentGuards
from tokportal_server.comments.verification import CommentSource, FoundComment, Look
from tokportal_server.comments.verifier import verify_due
from tokportal_server.comments.wire import CommentTaskRequest
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.deadlines import find_due, settle
from tokportal_server.workbench.operations.submit_comment import submit_comment

ACCOUNT = """
INSERT INTO saved_accounts (workspace_id, id, platform, country, username, visible_name,
                            profile_url, bundle_id, manager_id, delivered_at, created_at)
SELECT workspace_id, $2, platform, country, $3, 'Acme', 'https://www.tiktok.com/@acme', id, $4,
       now(), now()
  FROM bundles WHERE id = $1
"""
TEXT = "What a lovely idea, we will try it tonight!"


async def delivered(
    conn: Connection, world: World, username: str = "acme.daily", *, platform: str = "tiktok"
) -> str:
    """Have an account of Alice's, kept by Mona; give its id."""
    async with working(conn, world) as tx:
        bundle_id, _ = await create_bundle(
            tx=tx,
            actor=world.as_mona,
            order=msgspec.convert(order(0, platform=platform), CreateBundleRequest),
            per_minute=100_000,
        )
        return await add_account(conn, world, bundle_id, username)


async def add_account(
    conn: Connection, world: World, bundle_id: UUID, username: str = "acme.daily"
) -> str:
    """Have the account of a bundle delivered, as if Mona had set it up; give its id."""
    account = uuid4()
    await conn.execute(ACCOUNT, bundle_id, account, username, world.mona)
    return str(account)


def post(number: int = 1, platform: str = "tiktok") -> str:
    """Give the address of somebody's post."""
    if platform == "tiktok":
        return f"https://www.tiktok.com/@baker/video/{7300000000000000000 + number}"
    return f"https://www.instagram.com/reel/Cabc{number:07d}/"


def task(account: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Give the body that orders a comment."""
    return {
        "saved_account_id": account,
        "target_video_url": post(number),
        "comment_text": TEXT,
        **more,
    }


async def begun(conn: Connection, world: World, account: str) -> UUID:
    """Order a comment without a call; give its task's id."""
    async with working(conn, world) as tx:
        done = await create_comment_tasks(
            tx=tx,
            actor=world.as_mona,
            wanted=[msgspec.convert(task(account), CommentTaskRequest)],
            guards=CommentGuards(per_target=True, like_texts=True),
        )
    made: UUID = done.tasks[0]["id"]
    return made


async def commented(alice: Client, account: str, number: int = 1, **more: Any) -> str:
    """Order a comment; give its task's id."""
    reply = await alice.post("/comments", task(account, number, **more))
    assert reply.status == 201, reply.json
    return str(reply.data["created"][0]["id"])


async def submitted(
    conn: Connection, world: World, task_id: str, *, hours: float = 0, comment_id: str = "7400001"
) -> None:
    """Have Mona write a comment, or mend it."""
    async with working(conn, world, hours=hours) as tx:
        await submit_comment(
            tx=tx, actor=world.as_mona, task_id=UUID(task_id), comment_id=comment_id
        )


class Shown:
    """A platform that shows these comments and no others; it keeps what it was asked for."""

    def __init__(self, *comments: FoundComment) -> None:
        self.asked: list[Look] = []
        self._comments = comments

    async def comments(self, look: Look) -> tuple[FoundComment, ...]:
        """Give the comments."""
        self.asked.append(look)
        return self._comments


async def looked_for(conn: Connection, source: CommentSource, *, hours: float = 0) -> int:
    """Let the verifier look, so many hours from now; give how many looks counted."""
    return await verify_due(conn, source, real_now() + timedelta(hours=hours), None)


async def swept(conn: Connection, ports: Ports, *, hours: float) -> list[str]:
    """Settle what is due so many hours from now; give the kinds that changed."""
    at = real_now() + timedelta(hours=hours)
    rules = OrderRules.of(ports.settings)
    return [
        due.kind for due in await find_due(conn, at, None) if await settle(conn, due, at, rules)
    ]


async def confirmed(conn: Connection, world: World, ports: Ports, task_id: str) -> None:
    """Have Mona write a comment that nobody finds for 72 hours."""
    await submitted(conn, world, task_id)
    assert "comment" in await swept(conn, ports, hours=72.1)


async def history(conn: Connection, task_id: str) -> list[str]:
    """Give the statuses that a task has had, in order."""
    rows = await conn.fetch(
        "SELECT to_status FROM journal WHERE object_id = $1 ORDER BY ordinal", UUID(task_id)
    )
    return [row["to_status"] for row in rows]
