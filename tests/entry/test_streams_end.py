from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.entry.installation import installed
from tests.pages.guest import visiting


async def test_a_page_that_listens_does_not_hold_up_the_end_of_the_server() -> None:
    # Longer than `stop` waits: without a notice the stream would last as long as that.
    with installed(TOKPORTAL_PORT="0", TOKPORTAL_DRAIN_SECONDS="300") as installation:
        program = await asyncio.to_thread(installation.serve)
        invited = await asyncio.to_thread(
            installation.run, "person", "invite", "olga@example.com", "Olga", "--operator"
        )
        link = next(word for word in invited.stdout.split() if "?link=" in word)
        async with visiting(program.address) as olga:
            await olga.get(f"/password?{urlsplit(link).query}")
            token = urlsplit(link).query.removeprefix("link=")
            await olga.post("/password", {"link": token, "password": "a long new password"})
            async with olga.listening("/admin/live") as stream:
                assert (await stream.readany()).startswith(b"retry")
                assert await asyncio.to_thread(program.stop) == 0
