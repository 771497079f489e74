"""Every parser of what strangers send answers or refuses, whatever it is, and soon enough.

The same functions are fuzzed for minutes by `make fuzz` (tests/fuzz/guided.py).
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.campaign import ROOT
from tests.fuzz.parsers import TARGETS
from tests.hostile.texts import HOSTILE_TEXTS

MANY = 20_000
# Shapes that make a careless expression try every way to split them; each text is a mebibyte or so.
LONG = {
    "one letter": b"a" * 200_000,
    "blanks": b"a" + b" " * 100_000 + b"b",
    "words with hyphens": b"a-" * 100_000 + b"key",
    "words with underscores": b"a_" * 100_000 + b"token",
    "codes": b"code 1234 " * MANY,
    "codes without blanks": b"code1234" * MANY,
    "numbers": b"1 2 3 4 5 " * MANY,
    "addresses without a host": b"http://" * MANY,
    "signs of mail": b"@" * 100_000,
    "markup that does not end": b"<!--" * MANY,
    "declarations that do not end": b"<!" * MANY,
    "instructions that do not end": b"<?" * MANY,
    "sections that do not end": b"<![CDATA[" * MANY,
    "tags that do not end": b"<a " * MANY,
    "attributes that do not end": b'<a b="' * MANY,
    "references that do not end": b"&#" * MANY,
    "references of many digits": b"&#" + b"9" * 100_000,
    "closing tags": b"</" * MANY,
    "scripts that do not end": b"<script>" * MANY,
    "quotes": b'"' * 100_000,
    "doubled quotes": b'a;"' + b'""' * 60_000,
    "separators": b";" * 100_000,
    "commas": b"," * 100_000,
    "passwords": b"password=" * MANY,
    "passwords in quotes": b"password=\"'" * MANY,
    "addresses with passwords": b"://a:" * MANY,
    "lists": b"[" * 100_000,
    "lists that end": b"[" * 900 + b"]" * 900,
    "headers": b"a: b\r\n" * MANY,
    "folded headers": b"Subject:" + b" a\r\n " * MANY,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * MANY + b"\r\n\r\n",
    "recipients": b"To: " + b"a@b.example, " * 5_000 + b"\r\n\r\n",
    "comments of an address": b"To: " + b"(" * 5_000 + b"\r\n\r\n",
    "parts in parts": b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(2000)
    ),
    "escapes": b"%" * 100_000,
    "fields": b"a=1&" * MANY,
    "bytes that are no text": bytes(range(128, 256)) * 500,
    "zero bytes": bytes(100_000),
    "a thousand dots": b"https://" + b"a." * 1000 + b"com/",
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_parser_is_made_for_is_read(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_a_parser(name: str) -> None:
    target = TARGETS[name]
    hostile = [text.encode("utf-8", "surrogatepass") for text in HOSTILE_TEXTS]
    atoms = st.one_of(
        st.binary(max_size=200),
        st.sampled_from([*target.seeds, *hostile]),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    )
    inputs = st.lists(atoms, max_size=4).map(b"".join)

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    @example(b"")
    def check(data: bytes) -> None:
        target.check(data)

    check()


SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
# Processor time of ours: how busy the machine is makes no difference.
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
from tests.fuzz.parsers import TARGETS
from tests.hostile.test_parsers import LONG
for shape, data in LONG.items():
    print(shape, flush=True)
    TARGETS["{name}"].check(data)
    TARGETS["{name}"].check(b"\\xff" + data)
    TARGETS["{name}"].check(b"\\xff\\xff" + data)
print("done", flush=True)
"""
# The shapes take a second or two together; one that is squared takes minutes.
SECONDS = 40


@pytest.mark.parametrize("name", TARGETS)
def test_no_shape_of_text_keeps_a_parser_busy(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name, seconds=SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    at = run.stdout.splitlines()[-1:]
    assert at == ["done"], (at, run.stderr[-2000:])
