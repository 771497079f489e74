"""Bodies, addresses and queries that are small to send and large to read, for every operation."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.client import Client
from tests.hostile.measured import peak_of
from tests.http.examples import EXAMPLES, JSON, built, path_of, perform, writes
from tests.http.seed import Seed
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.http.errors import MalformedJsonError, UnknownFieldError, ValidationError
from tokportal_server.http.registry import Operation
from tokportal_server.http.validation import decode_body, decode_query, refuse_malformed_json
from tokportal_server.lib.errors import ApiError
from tokportal_server.videos.wire import ConfigureVideoRequest

MEBIBYTE = 1 << 20
# An answer helps whoever reads it; nobody reads more.
LONGEST_ANSWER = 100_000
SMALL = 10_000


def deep_names(depth: int, inner: str) -> bytes:
    """Nest objects under long names, in a mebibyte."""
    name = "n" * (MEBIBYTE // (depth + 2) - 10)
    return (f'{{"{name}":' * depth + inner + "}" * depth).encode()


def many_names(stem: str, value: str = "1") -> bytes:
    """Put as many names into an object as a mebibyte holds."""
    pairs: list[str] = []
    size = 2
    while size < MEBIBYTE - 40:
        pairs.append(f'"{stem}{len(pairs):x}":{value}')
        size += len(pairs[-1]) + 1
    return ("{" + ",".join(pairs) + "}").encode()


BOMBS: dict[str, bytes] = {
    "lists in lists": b"[" * 100_000 + b"]" * 100_000,
    "lists in lists without an end": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "objects under long names": deep_names(900, '"\\u0000"'),
    "a hundred thousand names": many_names(""),
    "a hundred thousand names with U+0000": many_names("\\u0000"),
    "names of options of newer clients": many_names("youtube_", "1"),
    "names of options of newer clients, neutral": many_names("youtube_", "0"),
    "names of warming": many_names("wants_advanced_warming", "true"),
    "one name over and over": b"{" + b'"title":1,' * 80_000 + b'"title":2}',
    "one long name": json.dumps({"n" * 1_000_000: 1}).encode(),
    "a long text": json.dumps({"title": "x" * 1_000_000}).encode(),
    "a number past all numbers": b'{"title": 1e400}',
    "a million digits": b'{"title": ' + b"9" * 1_000_000 + b"}",
    "four thousand digits": b'{"title": ' + b"9" * 4000 + b"}",
    "a million decimal places": b'{"title": 0.' + b"9" * 1_000_000 + b"}",
    "a long exponent": b'{"title": 1e' + b"9" * 1_000_000 + b"}",
    "not a number": b'{"title": NaN}',
    "infinity": b'{"title": -Infinity}',
    "a lone surrogate": b'{"title": "\\ud800"}',
    "a lone surrogate as a name": b'{"\\udfff": 1}',
    "U+0000": b'{"title": "\\u0000"}',
    "bytes that are no text": b'{"title": "\xff\xfe"}',
    "an overlong spelling": b'{"title": "\xc0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"title": 1}'.encode("utf-16"),
    "blanks": b" " * 1_000_000,
    "a long list": b'{"title": [' + b"1," * 400_000 + b"1]}",
    "texts that cannot be stored": b'["\\u0000"' + b',"\\u0000"' * 100_000 + b"]",
}


async def test_no_body_breaks_an_operation_or_blows_up_its_answer(
    alice: Client, seed: Seed
) -> None:
    """Small bodies for every operation; of the large ones each meets some of them."""
    told = {}
    jsons = {name: op for name, op in writes().items() if op.form is None}
    for place, (name, op) in enumerate(jsons.items()):
        for number, (bomb, body) in enumerate(BOMBS.items()):
            if len(body) > SMALL and (place + number) % 7:
                continue
            reply = await alice.call(
                op.method, path_of(name, seed), body=body, headers=JSON, base=op.base_path
            )
            if reply.status >= 500 or len(reply.body) > LONGEST_ANSWER:
                told[name, bomb] = (reply.status, len(reply.body))
    assert told == {}
    assert len(jsons) > 30


@pytest.mark.parametrize("kind", [CreateBundleRequest, ConfigureVideoRequest])
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_body_takes_more_memory_than_some_copies_of_it(
    kind: type[msgspec.Struct], bomb: str
) -> None:
    body = BOMBS[bomb]

    def read() -> None:
        try:
            refuse_malformed_json(body)
            decode_body(kind, body)
        except ApiError as error:
            json.dumps(error.body("req_1"))

    assert peak_of(read) < 40 * MEBIBYTE + 20 * len(body)


def test_a_hundred_problems_are_listed_and_the_others_counted() -> None:
    with pytest.raises(UnknownFieldError) as unknown:
        decode_body(
            CreateBundleRequest,
            b'{"bundle_type":"account_only","country":"USA",' + many_names("f")[1:],
        )
    assert len(unknown.value.details["fields"]) == 100
    assert "more. Known: " in unknown.value.message
    with pytest.raises(ValidationError) as invalid:
        decode_body(CreateBundleRequest, many_names("f"))
    assert len(invalid.value.details["errors"]) == 100
    assert "details.errors lists the first 100)" in invalid.value.message


def test_a_way_through_long_names_is_told_in_short() -> None:
    with pytest.raises(ValidationError) as error:
        decode_body(CreateBundleRequest, deep_names(500, '"\\u0000"'))
    assert len(error.value.details["errors"][0]["field"]) < 5_000


@pytest.mark.parametrize(
    "raw",
    [
        b"&".join(b"f%x" % number for number in range(40_000)),
        b"page=1&" * 40_000,
        b"&" * 400_000,
        b"%00=" * 10_000,
        b"=" * 400_000,
        b"page=" + b"9" * 400_000,
        b"page=%" * 50_000,
    ],
)
def test_a_long_query_is_refused_in_few_words(raw: bytes) -> None:
    operation = built()["listBundles"]
    assert operation.query is not None
    refusal = ""
    try:
        decode_query(operation.query, raw)
    except ApiError as error:
        refusal = json.dumps(error.body("req_1"))
    assert len(refusal) < LONGEST_ANSWER


BAD_QUERIES = (
    *("%00", "%c0%af", "%ed%a0%80", "%ff", "%", "%zz", "..%2f..%2f", "%0d%0aX:y", "%252e"),
    *("a" * 30_000, "'%20OR%201=1--", "{{7*7}}", "${jndi:ldap://x}", "%e2%80%ae"),
)


async def test_no_query_breaks_a_read(alice: Client, seed: Seed) -> None:
    told = {}
    for name, op in built().items():
        if op.method != "GET":
            continue
        for bad in BAD_QUERIES:
            for query in (bad, *_each_with(op, bad)):
                reply = await perform(alice, op, seed, path=f"{path_of(name, seed)}?{query}")
                too_long = reply.status >= 400 and len(reply.body) > LONGEST_ANSWER
                if reply.status >= 500 or too_long:
                    told[name, query[:60]] = reply.status
    assert told == {}


def _each_with(op: Operation, value: str) -> list[str]:
    """Give each parameter of an operation the value."""
    if op.query is None:
        return []
    return [f"{field.encode_name}={value}" for field in msgspec.structs.fields(op.query)]


BAD_PATHS = (
    *("%00", "a%00b", "%c0%ae%c0%ae%c0%af", "%ed%a0%80", "%ff"),
    *("...", "%0d%0aSet-Cookie:x=y", "a" * 8000, "'%20OR%201=1--", "%e2%80%ae"),
    *("%u0041", "%", "%5c..%5c", ";x=y", "null", "undefined", "-1", "0", "1e9", "%d9%a1"),
)


async def test_no_path_breaks_an_operation(alice: Client, seed: Seed) -> None:
    told: dict[Any, Any] = {}
    for name, op in built().items():
        if "{" not in op.path:
            continue
        for bad in BAD_PATHS:
            path = op.path
            for part in ("id", "position", "delivery_id"):
                path = path.replace("{" + part + "}", bad)
            reply = await perform(alice, op, seed, path=path)
            if reply.status >= 500 or reply.status < 400 or len(reply.body) > LONGEST_ANSWER:
                told[name, bad[:40]] = reply.status
    assert told == {}
    assert EXAMPLES


def test_malformed_json_is_found_before_anything_is_made_of_it() -> None:
    for bomb in ("lists in lists without an end", "not a number"):
        with pytest.raises(MalformedJsonError):
            refuse_malformed_json(BOMBS[bomb])
