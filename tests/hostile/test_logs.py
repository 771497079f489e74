"""What a stranger sends is one value of one line of the log, and not for a terminal to obey."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from tests.hostile.texts import HOSTILE_TEXTS
from tokportal_server.lib import log
from tokportal_server.lib.log import RequestLine, log_request

LINES = [text for text in HOSTILE_TEXTS if len(text) < 1000]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave the logs as every other test has them."""
    yield
    log.configure("warning", "console")


def say(text: str) -> None:
    """Log three lines with a text wherever a stranger can put one."""
    log_request(
        RequestLine(
            operation="unrouted", method=text, path=text, status=404, ms=1.0, request_id="req_1"
        )
    )
    log.logger("x").info("called", value=text)
    logging.getLogger("driver").warning("cannot reach %s", text)


@pytest.mark.parametrize("text", LINES)
def test_a_request_is_one_line_of_json(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    say(text)
    # U+2028 ends no line for whoever reads JSON line by line.
    told = [json.loads(one) for one in capsys.readouterr().err.rstrip("\n").split("\n")]
    assert [one["event"] for one in told[:2]] == ["request", "called"]
    assert told[0]["path"] == told[1]["value"] == text
    assert len(told) == 3


@pytest.mark.parametrize("text", LINES)
def test_a_terminal_is_told_nothing_to_do(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "console")
    say(text)
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 3
    assert all(letter.isprintable() or letter in "\n\u200b\u200d\ufeff" for letter in told)


def test_a_traceback_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "console")
    try:
        raise ValueError("one\ntwo")  # noqa: TRY301 - a traceback is wanted
    except ValueError:
        log.logger("x").exception("refused")
    assert "Traceback" in capsys.readouterr().err.splitlines()[1]
