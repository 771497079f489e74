"""What Schemathesis makes up from the served document is answered as the document says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cast import World, give_credits
from tests.fuzz.campaign import PHASES, Campaign
from tests.http.examples import built
from tokportal_server.lib.db import Connection
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces.operations.api_keys import create_api_key

TAGS = sorted({op.tag for op in built().values() if not op.beyond_reference})


@pytest.mark.hazard(36)
@pytest.mark.parametrize("tag", TAGS)
async def test_a_groups_operations_answer_generated_requests_as_documented(
    campaign: Campaign, tag: str
) -> None:
    await campaign.run(PHASES, "--include-tag", tag)


@pytest.mark.hazard(36)
async def test_operations_chained_by_links_answer_as_documented(campaign: Campaign) -> None:
    await campaign.run(("stateful",))


async def test_the_clock_of_a_rehearsal_answers_generated_requests_as_documented(
    campaign: Campaign, conn: Connection, world: World
) -> None:
    workspace = await create_rehearsal(
        conn=conn, name="Second", owner_id=world.alice, plan="starter"
    )
    await give_credits(conn, workspace, 1000)
    _, key = await create_api_key(
        conn=conn, workspace_id=workspace, person_id=world.alice, name="Second"
    )
    await replace(campaign, key=key).run(PHASES, "--include-tag", "Rehearsal")


@pytest.mark.hazard(36)
@pytest.mark.fuzz
@pytest.mark.parametrize("number", range(1, 5))
async def test_a_long_night_of_requests_is_answered_as_documented(
    campaign: Campaign, number: int
) -> None:
    night = replace(campaign, examples=300, number=number)
    await night.run((*PHASES, "stateful"))
