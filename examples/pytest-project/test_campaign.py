"""The app's tests: its managers are simulated, and three days pass in a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from campaign import Campaign
from tokportal import TokPortal

if TYPE_CHECKING:
    from tokportal_server.entry.rehearsing.server import Rehearsal


@pytest.fixture
def campaign(tokportal_server: Rehearsal) -> Campaign:
    client = TokPortal(tokportal_server.api_key, base_url=tokportal_server.base_url)
    return Campaign(client, username="acme.daily")


def test_what_is_right_is_approved(campaign: Campaign, tokportal_server: Rehearsal) -> None:
    campaign.order("rehearsal:prompt")
    tokportal_server.clock.advance(hours=1)
    assert campaign.review() == "finalized"


def test_what_is_wrong_is_sent_back_once(campaign: Campaign, tokportal_server: Rehearsal) -> None:
    campaign.order("rehearsal:careless")
    tokportal_server.clock.advance(hours=1)
    assert campaign.review() == "pending_corrections"
    tokportal_server.clock.advance(hours=1)
    assert campaign.review() == "finalized"


def test_what_nobody_looks_at_is_approved_by_time(
    campaign: Campaign, tokportal_server: Rehearsal
) -> None:
    campaign.order("rehearsal:prompt")
    tokportal_server.clock.advance(hours=73)
    assert campaign.review() == "finalized"
