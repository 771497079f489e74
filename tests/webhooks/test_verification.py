from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.client import Client
from tests.webhooks.receiver import Receiver
from tests.webhooks.rig import Rig
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.signing import new_webhook_secret, sign_webhook
from tokportal_server.webhooks.verification import explain

SECRET = "whsec_" + "5e" * 32
NOW = 1_795_420_800
BODY = (
    '{"id":"evt_0","type":"bundle.created","api_version":"2026-05-25",'
    '"created_at":"2026-11-23T08:00:00.000Z","data":{"text":"é </script>","n":[1,2.5,null]}}'
).encode()
SIGNATURE = sign_webhook(SECRET, NOW - 10, BODY)
PARSED = json.loads(BODY)


def verdict(
    *,
    secret: str = SECRET,
    signature: str | None = SIGNATURE,
    body: bytes = BODY,
    now: int = NOW,
    sent: bytes | None = None,
) -> str:
    """Give the code, having seen that no secret is repeated."""
    told = explain(secret=secret, signature=signature, body=body, now=now, sent=sent)
    assert told.valid == (told.code == "valid")
    assert len(secret) == 1 or secret not in told.text
    assert told.text.endswith(".")
    return told.code


def test_says_that_a_good_delivery_verifies() -> None:
    assert verdict() == verdict(sent=BODY) == "valid"


@pytest.mark.parametrize("signature", [None, "", "  "])
def test_names_a_missing_header(signature: str | None) -> None:
    assert verdict(signature=signature) == "missing_header"


@pytest.mark.parametrize(
    "signature", ["v1=" + "0" * 64, "t=1,v1=xyz", "sha256=" + "0" * 64, SIGNATURE[:-1]]
)
def test_names_a_malformed_header(signature: str) -> None:
    assert verdict(signature=signature) == "malformed_header"


@pytest.mark.parametrize("late", [291, 86_400, -311])
def test_names_a_stale_time(late: int) -> None:
    assert verdict(now=NOW + late) == "stale"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(PARSED).encode(),
        json.dumps(PARSED, ensure_ascii=False, indent=2).encode(),
        json.dumps(PARSED, separators=(",", ":")).encode(),
        json.dumps({name: PARSED[name] for name in sorted(PARSED)}).encode(),
        BODY + b"\n",
        b"\xef\xbb\xbf" + BODY,
        BODY.replace(b"/", rb"\/"),
    ],
)
def test_recognises_json_that_was_written_again(body: bytes) -> None:
    assert verdict(body=body) == verdict(body=body, sent=BODY) == "reserialised_json"


def test_recognises_any_order_of_keys_where_it_knows_what_was_sent() -> None:
    body = json.dumps(PARSED, sort_keys=True).encode()
    assert verdict(body=body, sent=BODY) == "reserialised_json"


@pytest.mark.parametrize(
    "secret", [f" {SECRET}\n", f'"{SECRET}"', SECRET.removeprefix("whsec_"), "sk_" + "0" * 64, "x"]
)
def test_recognises_a_secret_that_was_cut_or_is_none(secret: str) -> None:
    assert verdict(secret=secret) == "wrong_secret"


def test_tells_a_wrong_secret_from_a_changed_body_where_it_knows_what_was_sent() -> None:
    other = new_webhook_secret()
    changed = BODY.replace(b"2.5", b"3.5")
    assert verdict(secret=other, sent=BODY) == "wrong_secret"
    assert verdict(body=changed, sent=BODY) == "changed_body"
    assert verdict(secret=other) == "wrong_secret_or_changed_body"
    assert verdict(body=changed) == "wrong_secret_or_changed_body"
    assert verdict(body=BODY[:-1]) == "changed_body"


async def fill_in(client: Client, **fields: str) -> str:
    """Send the form of the page; give the page."""
    reply = await client.call(
        "POST",
        "/docs/webhooks/verify",
        body=urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        base="",
    )
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert "form-action 'self'" in reply.headers["Content-Security-Policy"]
    return reply.body.decode()


async def test_the_page_says_why_and_does_not_show_the_secret(nobody: Client) -> None:
    blank = await nobody.call("GET", "/docs/webhooks/verify", base="")
    assert b'name="secret"' in blank.body
    filled = {"signature": SIGNATURE, "body": BODY.decode(), "secret": SECRET}
    fresh = await fill_in(nobody, **filled, at=str(NOW))
    assert 'data-verdict="valid"' in fresh
    assert SECRET not in fresh
    assert "</script> " not in fresh
    assert "&lt;/script&gt;" in fresh
    assert 'data-verdict="stale"' in await fill_in(nobody, **filled)
    assert 'data-verdict="missing_header"' in await fill_in(nobody, secret=SECRET)
    assert 'data-verdict="too_long"' in await fill_in(nobody, body="x" * 300_000)


async def test_the_command_compares_with_what_was_sent(
    rig: Rig, receiver: Receiver, settings: Settings, tmp_path: Path
) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [sent] = receiver.received
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(sent.body)
    bad.write_bytes(sent.body.replace(b'"n":0', b'"n":1'))
    environment = {
        "TOKPORTAL_HOME": str(settings.home),
        "TOKPORTAL_DATABASE_URL": str(settings.database_url),
        "WEBHOOK_SECRET": str(endpoint.signing_secret),
    }
    told = {}
    for file, more in ((good, []), (bad, []), (bad, ["--look-up"])):
        done = subprocess.run(  # noqa: ASYNC221 - a command of ours; nothing else runs meanwhile
            [
                *(sys.executable, "-m", "tokportal_server.entry.main", "webhook", "verify"),
                *(str(file), "--signature", sent.headers["TokPortal-Signature"], *more),
            ],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode != 2, done.stderr
        assert str(endpoint.signing_secret).encode() not in done.stdout + done.stderr
        told[file.name, *more] = (done.returncode, done.stdout.decode().strip())
    assert list(told.values()) == [
        (0, "valid"),
        (1, "wrong_secret_or_changed_body"),
        (1, "changed_body"),
    ]
