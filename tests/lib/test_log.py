from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from tokportal_server.lib import log
from tokportal_server.lib.redaction import redact, redact_text

API_KEY = "sk_" + "a1" * 32


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_an_event_is_one_json_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    log.logger("tokportal_server.orders").info("bundle published", bundle_id="b1", slots=3)
    (event,) = lines(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "bundle published",
        "bundle_id": "b1",
        "slots": 3,
        "level": "info",
        "logger": "tokportal_server.orders",
    }


def test_events_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "json")
    log.logger("a").info("quiet")
    log.logger("a").warning("loud")
    logging.getLogger("asyncpg").info("quiet")
    assert [event["event"] for event in lines(capsys)] == ["loud"]


def test_a_second_choice_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("error", "json")
    logger = log.logger("a")
    logger.info("quiet")
    log.configure("info", "json")
    logger.info("loud")
    assert [event["event"] for event in lines(capsys)] == ["loud"]


def test_libraries_speak_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    logging.getLogger("asyncpg").warning("slow query: %s ms", 12, extra={"pool": "main"})
    (event,) = lines(capsys)
    assert (event["event"], event["logger"]) == ("slow query: 12 ms", "asyncpg")
    assert (event["level"], event["pool"]) == ("warning", "main")


async def test_each_of_two_requests_at_once_keeps_its_own_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure("info", "json")
    both_inside = asyncio.Barrier(2)

    async def handle(request_id: str) -> None:
        with log.request_context(request_id):
            await both_inside.wait()
            log.logger("http").info(f"handled {request_id}")

    await asyncio.gather(handle("req_1"), handle("req_2"))
    log.logger("http").info("afterwards")
    *inside, afterwards = lines(capsys)
    assert sorted((event["event"], event["request_id"]) for event in inside) == [
        ("handled req_1", "req_1"),
        ("handled req_2", "req_2"),
    ]
    assert "request_id" not in afterwards


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_form_of_output_shows_a_secret(
    form: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("info", form)
    logger = log.logger("a")
    logger.info("called", header=API_KEY, password="hunter2", account={"email_password": "hunter2"})
    logging.getLogger("driver").warning("cannot reach %s", "postgresql://tok:hunter2@h/d")
    try:
        raise ValueError("bad secret whsec_hunter2")  # noqa: TRY301 - a traceback is wanted
    except ValueError:
        logger.exception("refused")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "cannot reach" in text
    assert "hunter2" not in text
    assert API_KEY not in text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"key {API_KEY}.", "key sk_[redacted]."),
        ("whsec_abc+/=", "whsec_[redacted]"),
        ("postgresql://tok:p:w@h/d", "postgresql://tok:[redacted]@h/d"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [redacted]"),
        ("password=hunter2&x=1", "password=[redacted]&x=1"),
        ('{"email_password": "hun ter2", "x": 1}', '{"email_password": [redacted], "x": 1}'),
        ("X-API-Key: abc", "X-API-Key: [redacted]"),
        ("12 tokens of task_id left", "12 tokens of task_id left"),
        ("https://h:8000/path?tokens=3", "https://h:8000/path?tokens=3"),
    ],
)
def test_takes_what_looks_like_a_secret_out_of_a_text(text: str, clean: str) -> None:
    assert redact_text(text) == clean


@pytest.mark.parametrize(
    "name",
    [
        "X-API-Key",
        "Set-Cookie",
        "authorization",
        "credentials",
        "email_password",
        "password",
        "recovery_codes",
        "signing_secret",
        "upload_token",
        "vault_key",
    ],
)
def test_a_secret_name_loses_its_value_whatever_it_looks_like(name: str) -> None:
    assert redact({"a": [{name: ["plain"]}]}) == {"a": [{name: "[redacted]"}]}


def test_harmless_facts_pass_unchanged() -> None:
    facts = {"tokens": 3, "key_id": "k1", "secret": None, "ok": True, "list": [1, "b"], "r": 0.5}
    assert redact(facts) == facts


def test_a_structure_that_contains_itself_has_an_end() -> None:
    loop: dict[str, Any] = {"password": "hunter2"}
    loop["self"] = loop
    assert "hunter2" not in str(redact(loop))


def test_other_objects_are_logged_as_their_text_without_secrets() -> None:
    assert redact({"error": ValueError(f"refused {API_KEY}")}) == {"error": "refused sk_[redacted]"}
