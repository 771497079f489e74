"""Mail to people: links and notices, by a job, to whom they are for and to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.cast import World
from tests.conftest import serving
from tests.pages.guest import Guest, visiting
from tests.pages.postbox import Postbox, postbox, words
from tokportal_server.entry.wiring import open_ports
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.mail import Mail, compose
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings, SettingsError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workspaces.notices import tell_owners

FIELDS = {"to": "alice@example.com", "subject": "Hello", "text": "One.\n\nTwo.", "key": "k"}


@pytest.fixture
async def box() -> AsyncIterator[Postbox]:
    """The operator's mail server."""
    async with postbox() as opened:
        yield opened


@pytest.fixture
def settings(settings: Settings, box: Postbox) -> Settings:
    """Settings of a server that sends mail."""
    return msgspec.structs.replace(
        settings,
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_security="none",
        mail_from="tok@tok.example",
    )


async def run_jobs(ports: Ports) -> None:
    """Do what a worker would do now."""
    await job_runner(ports, OrderRules.of(ports.settings)).drain()


async def test_a_forgotten_password_is_mailed_a_link(
    guest: Guest, ports: Ports, box: Postbox
) -> None:
    page = await guest.get("/sign-in")
    assert "/password/lost" in page.html
    sent = await guest.post("/password/lost", {"email": "ALICE@example.com"})
    assert "on its way" in sent.text
    await run_jobs(ports)
    [mail] = box.mails
    assert (mail["To"], mail["From"]) == ("alice@example.com", "tok@tok.example")
    [link] = [line for line in words(mail).splitlines() if "link=" in line]
    async with visiting(guest.address) as phone:
        path = link.removeprefix(guest.address)
        assert "Alice, you sign in as" in (await phone.get(path)).text


async def test_the_answer_does_not_tell_whether_an_address_is_known(
    guest: Guest, ports: Ports, box: Postbox
) -> None:
    await guest.get("/password/lost")
    known = await guest.post("/password/lost", {"email": "alice@example.com"})
    unknown = await guest.post("/password/lost", {"email": "zoe@example.com"})
    assert (known.status, known.text) == (unknown.status, unknown.text)
    await run_jobs(ports)
    assert box.recipients == ["alice@example.com"]


async def test_nobodys_postbox_is_filled(guest: Guest, ports: Ports, box: Postbox) -> None:
    await guest.get("/password/lost")
    for _ in range(3):
        assert (await guest.post("/password/lost", {"email": "alice@example.com"})).status == 200
    stopped = await guest.post("/password/lost", {"email": "Alice@example.com"})
    assert stopped.status == 429
    assert int(stopped.headers["retry-after"]) >= 1
    await run_jobs(ports)
    assert len(box.mails) == 3


async def test_a_link_on_its_way_is_sealed_and_gone_when_it_has_been_sent(
    guest: Guest, ports: Ports, box: Postbox, conn: Connection
) -> None:
    await guest.get("/password/lost")
    await guest.post("/password/lost", {"email": "alice@example.com"})
    waiting = await conn.fetch("SELECT * FROM sealed_mails")
    jobs = await conn.fetch("SELECT payload FROM pgqueuer")
    await run_jobs(ports)
    link = words(box.mails[0]).split("link=")[1].split()[0]
    assert link not in str(waiting)
    assert link not in str(jobs)
    assert await conn.fetchval("SELECT count(*) FROM sealed_mails") == 0


async def test_a_mail_server_that_is_away_is_asked_again(
    guest: Guest, ports: Ports, box: Postbox, conn: Connection
) -> None:
    await guest.get("/password/lost")
    await guest.post("/password/lost", {"email": "alice@example.com"})
    box.refusing = True
    runner = job_runner(ports, OrderRules.of(ports.settings))
    runner._backoff /= 1000
    await runner.drain()
    assert box.mails == []
    assert await conn.fetchval("SELECT status::text FROM pgqueuer") == "failed"
    # The operator has it run again.
    box.refusing = False
    await conn.execute("UPDATE pgqueuer SET status = 'queued', starts = 0")
    await runner.drain()
    assert len(box.mails) == 1


async def test_a_notice_is_mailed_once_to_who_wants_it(
    ports: Ports, box: Postbox, conn: Connection, world: World
) -> None:
    for _ in range(2):
        await tell_owners(
            conn, world.acme, kind="credits.low", subject="s", text="Ten are left.", at=real_now()
        )
        await run_jobs(ports)
    [mail] = box.mails
    assert mail["Subject"] == "Credits low or expiring: Acme"
    assert "Ten are left." in words(mail)
    assert f"/console/{world.acme}/credits" in words(mail)


async def test_a_rehearsal_mails_nobody(
    ports: Ports, box: Postbox, conn: Connection, world: World
) -> None:
    await conn.execute("UPDATE workspaces SET rehearsal = true WHERE id = $1", world.acme)
    await tell_owners(conn, world.acme, kind="credits.low", subject="s", text="Ten.", at=real_now())
    await run_jobs(ports)
    assert box.mails == []
    assert await conn.fetchval("SELECT count(*) FROM notices") == 1


@pytest.mark.parametrize(
    "to",
    [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "a@example.com>\r\nRCPT TO:<b@example.com",
        "Nobody",
        "",
    ],
)
def test_no_second_recipient_can_be_written_into_an_address(to: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compose(Mail(**{**FIELDS, "to": to}), sender="tok@tok.example")


def test_no_header_can_be_written_into_a_subject() -> None:
    mail = compose(
        Mail(**{**FIELDS, "subject": "Hi\r\nBcc: b@example.com"}), sender="tok@tok.example"
    )
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hi Bcc: b@example.com"


def test_what_people_wrote_is_escaped_in_the_html_and_addresses_are_links() -> None:
    text = 'By <b onclick="x">. See https://tok.example/a?b=1&c=2\nEnd.'
    mail = compose(Mail(**{**FIELDS, "text": text}), sender="tok@tok.example")
    part = mail.get_body(("html",))
    assert part is not None
    html = part.get_content()
    assert "<b onclick" not in html
    assert '<a href="https://tok.example/a?b=1&amp;c=2">' in html


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TOKPORTAL_SMTP_HOST": "mail.example"}, "TOKPORTAL_MAIL_FROM"),
        (
            {
                "TOKPORTAL_SMTP_HOST": "mail.example",
                "TOKPORTAL_MAIL_FROM": "a@b.example",
                "TOKPORTAL_SMTP_USERNAME": "me",
            },
            "TOKPORTAL_SMTP_PASSWORD",
        ),
        ({"TOKPORTAL_MAIL_FROM": "a@b.example\nBcc: x@y.example"}, "TOKPORTAL_MAIL_FROM"),
    ],
)
def test_half_a_mail_server_stops_the_start(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings.from_env(environ)


@pytest.mark.usefixtures("world")
async def test_a_server_without_mail_says_who_can_help(settings: Settings) -> None:
    plain = msgspec.structs.replace(settings, smtp_host=None)
    async with serving(plain) as address, open_ports(plain) as ports, visiting(address) as nobody:
        assert "/password/lost" not in (await nobody.get("/sign-in")).html
        assert "sends no mail" in (await nobody.get("/password/lost")).text
        await run_jobs(ports)
