from __future__ import annotations

from tests.webhooks.receiver import Receiver
from tests.webhooks.rig import Rig
from tests.webhooks.test_totals import same
from tokportal_server.webhooks.retention import WebhookRetention

LONG_AGO = """
CREATE TABLE {table}_202601 PARTITION OF {table}
    FOR VALUES FROM ('2026-01-01T00:00Z') TO ('2026-02-01T00:00Z')
"""


async def purge(rig: Rig) -> int:
    """Let a fresh loop take its first turn."""
    return await WebhookRetention(rig.ports.database).run_once()


async def test_bodies_go_after_thirty_days_and_the_log_stays(rig: Rig, receiver: Receiver) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit(3)
    old, kept, _ = await rig.rows("SELECT event_id FROM webhook_payloads ORDER BY event_id")
    for event, age in ((old, "30 days 1 minute"), (kept, "29 days")):
        await rig.execute(
            "UPDATE webhook_payloads SET recorded_at = now() - $2::text::interval"
            " WHERE event_id = $1",
            event["event_id"],
            age,
        )
    assert await purge(rig) == 1
    left = await rig.rows("SELECT event_id FROM webhook_payloads")
    assert len(left) == 2
    assert old not in left
    assert len(await rig.deliveries()) == 3


async def test_months_that_are_past_are_dropped_and_taken_off_the_totals(
    rig: Rig, receiver: Receiver
) -> None:
    for table in ("events", "webhook_deliveries", "webhook_payloads"):
        await rig.execute(LONG_AGO.format(table=table))
    await rig.endpoint(receiver.url)
    await rig.emit(5)
    await rig.deliver()
    for table in ("events", "webhook_deliveries"):
        await rig.execute(
            f"UPDATE {table} SET recorded_at = '2026-01-15T00:00Z'"
            f" WHERE ctid IN (SELECT ctid FROM {table} LIMIT 2)"
        )
    assert await same(rig) == 5
    assert await purge(rig) == 3
    assert await same(rig) == 3
    assert len(await rig.rows("SELECT * FROM events")) == 3
    # What is left over is nobody's work any more.
    assert await purge(rig) == 0


async def test_notices_go_after_half_a_year(rig: Rig) -> None:
    for subject, age in (("old", "181 days"), ("new", "179 days")):
        await rig.execute(
            "INSERT INTO notices (workspace_id, person_id, kind, topic, subject, text, created_at,"
            " told_at) VALUES ($1, $2, 'k', 'k', $3, 't', now(), now() - $4::text::interval)",
            rig.world.acme,
            rig.world.alice,
            subject,
            age,
        )
    assert await purge(rig) == 1
    assert [row["subject"] for row in await rig.rows("SELECT * FROM notices")] == ["new"]
