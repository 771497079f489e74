"""The life of an order, from the first call to the approval, as its customer and others make it.

Each is something that arrives; what it needs it takes out of what its customer remembers, and where
there is nothing it makes that first.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any, Final

import aiohttp
from harness.browser import TOKEN

from traffic.cast import Customer
from traffic.turns import Turn

_HOURS: Final = 6
_MANAGER: Final = "manager@example.com"
_PROFILE: Final = {"visible_name": "Acme", "biography": "Every day."}
# Of a rehearsal's scripts those that come to an end by themselves.
_SCRIPTS: Final = ("prompt", "slow", "releases")


async def order(turn: Turn, who: Customer, rng: Random) -> None:
    """Order a bundle; one in four is sent twice at once with one key, as a retry would be."""
    videos = rng.choice((0, 0, 0, 1, 2))
    body: dict[str, Any] = {
        "bundle_type": "account_and_videos" if videos else "account_only",
        "country": "USA",
        "platform": "tiktok",
        "videos_quantity": videos,
        "title": f"Order {turn.number}",
    }
    if who.rehearsal:
        body["external_ref"] = f"rehearsal:{rng.choice(_SCRIPTS)}:{turn.number}"
    headers = {"Idempotency-Key": f"order-{turn.number}"}
    call = partial(turn.api, "write", "POST /bundles", who, "POST", "/bundles", headers=headers)
    if rng.random() < 0.25:
        answers = await asyncio.gather(
            *(call(json=body, meant=(201, 409)) for _ in range(2)),
        )
        made = {document["data"]["id"] for status, document in answers if status == 201}
        # 409 only says that the other one is not done yet.
        assert len(made) == 1, answers
        bundle = made.pop()
    else:
        _, document = await call(json=body, meant=(201,))
        bundle = document["data"]["id"]
    who.bundles.append(bundle)
    if videos:
        who.unstocked.append(bundle)
    else:
        who.alone.add(bundle)
        who.drafts.append(bundle)


async def upload(turn: Turn, who: Customer, rng: Random) -> None:
    """Upload a video or, one time in three, a picture."""
    if not who.unstocked:
        return await order(turn, who, rng)
    bundle = who.unstocked.popleft()
    picture = rng.random() < 0.33
    name, content = ("a.jpg", turn.cast.image) if picture else ("a.mp4", turn.cast.video)
    path = f"/upload/{'image' if picture else 'video'}/direct"
    _, document = await turn.api(
        "upload", f"POST {path}", who, "POST", path, data=partial(_form, bundle, name, content)
    )
    if picture:
        who.unstocked.append(bundle)
    else:
        who.stocked.append((bundle, document["data"]["storage_path"]))
    return None


def _form(bundle: str, name: str, content: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("bundle_id", bundle)
    form.add_field("file", content, filename=name)
    return form


async def fill(turn: Turn, who: Customer, rng: Random) -> None:
    """Configure the first slot of a bundle with its upload, and the profile."""
    if not who.stocked:
        return await upload(turn, who, rng)
    bundle, storage_path = who.stocked.popleft()
    slot = {
        "video_type": "video",
        "description": f"Number {turn.number}",
        "target_publish_date": (who.today + timedelta(days=10)).isoformat(),
        "video_url": storage_path,
    }
    place = f"/bundles/{bundle}/videos/1"
    kind = "PUT /bundles/{bundle}/videos/1"
    await turn.api("write", kind, who, "PUT", place, json=slot)
    who.drafts.append(bundle)
    return None


async def configure(turn: Turn, who: Customer, rng: Random) -> None:
    """Configure a bundle's profile."""
    if not who.drafts:
        return await order(turn, who, rng)
    bundle = who.drafts.popleft()
    username = f"acme.{turn.number}"
    profile = {"username": username, **_PROFILE}
    kind = "PUT /bundles/{bundle}/account"
    await turn.api("write", kind, who, "PUT", f"/bundles/{bundle}/account", json=profile)
    who.ready.append((bundle, username))
    return None


async def publish(turn: Turn, who: Customer, rng: Random) -> None:
    """Publish a bundle."""
    if not who.ready:
        return await configure(turn, who, rng)
    bundle, username = who.ready.popleft()
    kind = "POST /bundles/{bundle}/publish"
    headers = {"Idempotency-Key": f"publish-{bundle}"}
    await turn.api("write", kind, who, "POST", f"/bundles/{bundle}/publish", headers=headers)
    if who.rehearsal:
        who.published.append(bundle)
    elif bundle in who.alone:
        turn.cast.offered.append((who, bundle, username))
    who.alone.discard(bundle)
    return None


async def review(turn: Turn, who: Customer, rng: Random) -> None:
    """Look at the oldest published order; approve its account if that waits for it."""
    # Waiting for a moving clock here would count as the server's time.
    if not who.published or who.clock.locked():
        return await publish(turn, who, rng)
    # While the clock stands still, nobody else approves it.
    async with who.clock:
        bundle = who.published.popleft()
        place = f"/bundles/{bundle}/account"
        kind = "GET /bundles/{bundle}/account"
        _, document = await turn.api("read", kind, who, "GET", place)
        if document["data"]["status"] == "in_review":
            kind = "POST /bundles/{bundle}/account/finalize"
            await turn.api("write", kind, who, "POST", f"{place}/finalize")
        elif document["data"]["status"] != "finalized":
            who.published.append(bundle)
    return None


async def work(turn: Turn, who: Customer, rng: Random) -> None:
    """Have the manager claim an order and hand the account in, by pages; its customer approves."""
    if not turn.cast.offered:
        return await publish(turn, who, rng)
    customer, bundle, username = turn.cast.offered.popleft()
    text = await turn.page("page /desk", _MANAGER, "/desk")
    found = TOKEN.search(text)
    token = {"form_token": found[1] if found else ""}
    root = f"/desk/{customer.workspace}/{bundle}"
    await turn.submit("form: claim an order", _MANAGER, f"{root}/claim", token)
    await turn.page("page /desk/{bundle}", _MANAGER, root)
    account = {
        "username": username,
        "profile_url": f"https://www.tiktok.com/@{username}",
        "visible_name": "Acme",
        "password": f"secret {turn.number}",
        "email": f"{username}@mail.example.com",
        "email_password": f"other secret {turn.number}",
    }
    await turn.submit("form: hand an account in", _MANAGER, f"{root}/account", token | account)
    path = f"/bundles/{bundle}/account/finalize"
    kind = "POST /bundles/{bundle}/account/finalize"
    await turn.api("write", kind, customer, "POST", path)
    return None


async def try_out(turn: Turn, who: Customer, rng: Random) -> None:
    """Ask what an order would cost, in a dry run."""
    body = {"bundle_type": "account_only", "country": "USA", "platform": "tiktok"}
    headers = {"X-TokPortal-Dry-Run": "true"}
    _, document = await turn.api(
        "write",
        "POST /bundles, dry run",
        who,
        "POST",
        "/bundles",
        meant=(201,),
        headers=headers,
        json={**body, "title": f"Perhaps {rng.random()}"},
    )
    assert document["dry_run"], document


async def move_clock(turn: Turn, who: Customer, _: Random) -> None:
    """Let some hours pass in a rehearsal; not if somebody is at it."""
    if who.clock.locked():
        path = "/api/rehearsal/clock"
        await turn.api("read", f"GET {path}", who, "GET", path)
        return
    async with who.clock:
        path = "/api/rehearsal/clock/advance"
        hours = {"hours": _HOURS}
        document = (await turn.api("clock", f"POST {path}", who, "POST", path, json=hours))[1]
        who.today = date.fromisoformat(document["data"]["now"][:10])


async def reuse_a_key(turn: Turn, who: Customer, rng: Random) -> None:
    """Send another order under the key of an earlier one."""
    headers = {"Idempotency-Key": f"reused-{who.number}"}
    body = {"bundle_type": "account_only", "country": "USA", "platform": "tiktok"}
    first = {**body, "title": "Always the same"}
    place = ("POST", "/bundles")
    status, document = await turn.api(
        "write",
        "POST /bundles, replayed",
        who,
        *place,
        meant=(201, 409),
        headers=headers,
        json=first,
    )
    if status == 201:
        other = {**body, "title": f"Another one {rng.random()}"}
        kind = "refused: a key used for another order"
        await turn.api("refusal", kind, who, *place, meant=(422,), headers=headers, json=other)
        assert document["data"]["title"] == first["title"], document
