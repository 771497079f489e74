"""What may be written into paths, queries and bodies, and how all that is wrong is told at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from tests.client import Client
from tests.http.examples import JSON
from tests.http.seed import Seed
from tests.uploads.forms import form
from tokportal_server.http import body as wire_body

ORDER = {"bundle_type": "account_only", "country": "USA"}


def raw(**more: Any) -> bytes:
    """Write an order with more fields."""
    return json.dumps(ORDER | more).encode()


async def send(client: Client, body: bytes, **headers: str) -> Any:
    """Send an order as it is."""
    return await client.post("/bundles", body=body, headers=JSON | headers)


# Queries.


async def test_a_page_out_of_bounds_is_refused(alice: Client) -> None:
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=",
        "page=1.5",
        "per_page=0",
        "per_page=101",
        "per_page=1e3",
        "page=99999999999999999999",
        "per_page=%C2%B2",
    ]:
        refused = await alice.get(f"/bundles?{query}")
        assert refused.code == "VALIDATION_ERROR"
        assert [query.partition("=")[0]] == list(refused.problems)


async def test_a_page_within_bounds_is_given(alice: Client) -> None:
    for query in ["page=1&per_page=100", "page=1000000&per_page=1", "per_page=7"]:
        reply = await alice.get(f"/bundles?{query}")
        assert f"per_page={reply.json['pagination']['per_page']}" in query


async def test_a_single_valued_parameter_is_refused_when_repeated(alice: Client) -> None:
    refused = await alice.get("/bundles?page=1&platform=tiktok&platform=tiktok&page=1")
    assert refused.problems == {"page": "must be given once", "platform": "must be given once"}


async def test_every_wrong_parameter_is_named_at_once(alice: Client) -> None:
    refused = await alice.get("/bundles?page=0&per_page=1000&status=lost&bundle_type=none")
    assert set(refused.problems) == {"page", "per_page", "status", "bundle_type"}


async def test_every_unknown_parameter_is_named_at_once(alice: Client) -> None:
    refused = await alice.get("/bundles?a=1&b=2&page=1&%E2%82%AC=3")
    assert refused.code == "UNKNOWN_PARAMETER"
    assert set(refused.details["parameters"]) == {"a", "b", "\u20ac"}


async def test_booleans_are_read_in_any_case(alice: Client, seed: Seed) -> None:
    for yes in ["true", "TRUE", "True", "tRuE", "1"]:
        for no in ["false", "FALSE", "False", "0"]:
            on = (await alice.get(f"/webhooks?enabled={yes}")).data
            off = (await alice.get(f"/webhooks?enabled={no}")).data
            assert ([e["id"] for e in on], off) == ([seed.endpoint], [])


async def test_other_words_are_no_booleans(alice: Client) -> None:
    for text in ["yes", "on", "2", "", "t", "null", "true%20"]:
        refused = await alice.get(f"/webhooks?enabled={text}")
        assert list(refused.problems) == ["enabled"]


# Texts that no database holds.


async def test_a_query_with_nul_or_bytes_that_are_no_text_is_refused_by_name(alice: Client) -> None:
    for bad in ["%00", "a%00b", "%ED%A0%80", "%FF", "%C0%80", "%F4%90%80%80"]:
        refused = await alice.get(f"/bundles?external_ref={bad}")
        assert (refused.status, list(refused.problems)) == (400, ["external_ref"])


async def test_a_path_with_nul_or_bytes_that_are_no_text_is_refused_by_name(alice: Client) -> None:
    for bad in ["%00", "a%00b", "%ED%A0%80", "%FF"]:
        refused = await alice.get(f"/bundles/{bad}")
        assert (refused.status, list(refused.problems)) == (400, ["id"])
        refused = await alice.put(f"/bundles/{bad}/videos/{bad}", {"video_type": "video"})
        assert set(refused.problems) == {"id", "position"}


async def test_a_body_with_nul_or_a_lone_surrogate_is_refused_by_name(alice: Client) -> None:
    for bad in ["\\u0000", "\\ud800", "a\\udfffb", "\\udc00\\ud800"]:
        body = b'{"bundle_type": "account_only", "country": "USA", "title": "%s"}' % bad.encode()
        refused = await send(alice, body)
        assert (refused.code, list(refused.problems)) == ("VALIDATION_ERROR", ["title"])


async def test_a_raw_nul_in_a_text_never_reaches_the_database(alice: Client) -> None:
    refused = await send(
        alice, b'{"bundle_type": "account_only", "country": "USA", "title": "a\0b"}'
    )
    assert (refused.status, refused.code) == (400, "MALFORMED_JSON")


async def test_a_name_with_nul_is_refused_and_can_be_shown(alice: Client) -> None:
    refused = await send(alice, raw()[:-1] + b', "a\\u0000": 1}')
    assert refused.status == 400
    refused = await alice.get("/bundles?a%00=1")
    assert refused.code == "UNKNOWN_PARAMETER"


async def test_a_paired_surrogate_is_a_letter_like_any_other(alice: Client) -> None:
    reply = await send(alice, raw()[:-1] + b', "title": "\\ud83d\\ude00"}')
    assert reply.data["title"] == "\U0001f600"


async def test_nul_in_a_form_is_refused_by_name(alice: Client) -> None:
    body, headers = form(b"x", {"bundle_id": f"{uuid4()}\0"})
    refused = await alice.post("/upload/video/direct", body=body, headers=headers)
    assert list(refused.problems) == ["bundle_id"]


# Bodies.


async def test_json_under_another_type_is_415(alice: Client) -> None:
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
        "application/vnd.api+json",
        "text/json",
    ]:
        refused = await alice.post("/bundles", body=raw(), headers={"Content-Type": content_type})
        assert (refused.status, refused.code) == (415, "UNSUPPORTED_CONTENT_TYPE")
        assert refused.details == {"accepted": ["application/json"]}


async def test_json_may_carry_parameters_of_its_type(alice: Client) -> None:
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;",
    ]:
        reply = await alice.post("/bundles", body=raw(), headers={"Content-Type": content_type})
        assert reply.status == 201


async def test_a_form_operation_takes_nothing_but_forms(alice: Client) -> None:
    for content_type in ("application/json", "multipart/form-data", "multipart/mixed; boundary=b"):
        refused = await alice.post(
            "/upload/image/direct", body=b"{}", headers={"Content-Type": content_type}
        )
        assert (refused.status, refused.details) == (415, {"accepted": ["multipart/form-data"]})


async def test_a_post_without_body_needs_no_type(alice: Client, seed: Seed) -> None:
    reply = await alice.post(
        f"/bundles/{seed.ready}/publish", headers={"Content-Type": "text/plain"}
    )
    assert reply.status == 200


async def test_an_operation_without_a_body_lets_an_empty_object_pass_and_no_field(
    alice: Client, seed: Seed
) -> None:
    refused = await alice.post(f"/bundles/{seed.ready}/publish", {"force": True})
    assert (refused.code, refused.details) == ("UNKNOWN_FIELD", {"fields": ["force"]})
    assert (await alice.post(f"/bundles/{seed.ready}/publish", {})).status == 200


async def test_a_missing_body_is_told_as_such(alice: Client) -> None:
    refused = await alice.post("/bundles")
    assert refused.problems == {"body": "must be a JSON object"}


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_body_may_be_a_mebibyte_long_and_not_a_byte_longer(
    alice: Client, extra: int
) -> None:
    body = raw()
    reply = await send(alice, body + b" " * ((1 << 20) - len(body) + extra))
    assert reply.status == (413 if extra else 201)
    if extra:
        assert reply.details == {"max_bytes": 1 << 20}


async def test_a_long_body_of_unknown_length_is_413_too(alice: Client) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * (1 << 16)

    refused = await alice.post("/bundles", body=endless(), headers=JSON)
    assert (refused.status, refused.code) == (413, "BODY_TOO_LARGE")


async def test_what_is_no_json_is_malformed(alice: Client) -> None:
    for body in [
        b"{",
        b"{}}",
        b"[1,]",
        b"nope",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"\xff\xfe",
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": 01}',
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"a": "\n"}',
        b"\xef\xbb\xbf{}x",
        b'{"a": "\\x"}',
    ]:
        refused = await send(alice, body)
        assert (refused.status, refused.code) == (400, "MALFORMED_JSON")


async def test_json_that_is_no_object_is_invalid(alice: Client) -> None:
    for body in [b"null", b"[]", b'"text"', b"17", b"true", b"1e999"]:
        assert list((await send(alice, body)).problems) == ["body"]


async def test_no_depth_of_nesting_breaks_the_server(alice: Client) -> None:
    for depth in [50, 300, 480, 700, 900, 960, 985, 995, 1200]:
        for inner in (b"1", b'"\\u0000"'):
            deep = b'{"title": ' + b"[" * depth + inner + b"]" * depth + b"}"
            assert (await send(alice, deep)).status == 400


async def test_unknown_fields_alone_have_a_code_of_their_own(alice: Client) -> None:
    refused = await send(alice, raw(surprise=1, another={"deep": 1}))
    assert refused.code == "UNKNOWN_FIELD"
    assert refused.details == {"fields": ["surprise", "another"]}


async def test_everything_wrong_with_a_body_is_told_at_once(alice: Client) -> None:
    refused = await send(
        alice,
        json.dumps(
            {
                "bundle_type": "everything",
                "platform": 7,
                "title": "x" * 201,
                "videos_quantity": 501,
                "edits_quantity": "two",
                "account_id": "17",
                "wants_moderation": "yes",
                "surprise": 1,
            }
        ).encode(),
    )
    assert refused.code == "VALIDATION_ERROR"
    assert set(refused.problems) == {
        "bundle_type",
        "platform",
        "title",
        "videos_quantity",
        "edits_quantity",
        "account_id",
        "wants_moderation",
        "surprise",
    }
    told = {p["field"]: p.get("value") for p in refused.details["errors"]}
    assert told["bundle_type"] == "everything"
    assert told["platform"] == 7


async def test_rules_between_fields_are_told_beside_wrong_fields(alice: Client) -> None:
    refused = await send(
        alice,
        json.dumps(
            {"bundle_type": "account_and_videos", "edits_quantity": 3, "title": 1, "country": "USA"}
        ).encode(),
    )
    assert set(refused.problems) == {"videos_quantity", "edits_quantity", "title"}


async def test_a_nested_field_is_named_by_its_way(alice: Client, seed: Seed) -> None:
    refused = await alice.put(
        f"/bundles/{seed.fresh}/videos/1",
        {
            "video_type": "carousel",
            "description": "x",
            "target_publish_date": "2027-01-01",
            "carousel_images": ["https://a.example/1.png", 2],
        },
    )
    assert list(refused.problems) == ["carousel_images[1]"]


async def test_a_huge_value_is_not_sent_back_whole(alice: Client) -> None:
    refused = await send(alice, raw(title="x" * 100_000))
    assert len(refused.body) < 2_000


async def test_a_number_of_any_size_is_a_400(alice: Client) -> None:
    for number in (b"9" * 30, b"9" * 5000, b"1e400", b"-1e400", b"0.1", b"1e2"):
        body = b'{"bundle_type": "account_and_videos", "country": "USA", "videos_quantity": %s}'
        reply = await send(alice, body % number)
        assert reply.status == 400, number[:10]


# A body that does not come.


@pytest.mark.parametrize("path", ["/bundles", "/upload/video/direct"])
async def test_a_body_that_stops_coming_is_a_408(
    alice: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    # The server runs in this process; half a minute is too long for a test.
    monkeypatch.setattr(wire_body, "IDLE_SECONDS", 0.2)

    async def stuck() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    kind = "application/json" if path == "/bundles" else "multipart/form-data; boundary=b"
    reply = await alice.post(path, body=stuck(), headers={"Content-Type": kind})
    assert (reply.status, reply.code) == (408, "BODY_TIMEOUT")


async def test_a_body_in_many_pieces_is_read_to_its_end() -> None:
    async def slow() -> Any:
        for letter in (b"a", b"b", b"c"):
            await asyncio.sleep(0)
            yield letter

    assert [chunk async for chunk in wire_body.arriving(slow())] == [b"a", b"b", b"c"]


async def test_a_form_cut_short_is_malformed(alice: Client) -> None:
    whole, headers = form(b"x" * 100, {"bundle_id": str(uuid4())})
    for cut in (whole[:-10], whole[:50], b"no form"):
        refused = await alice.post("/upload/video/direct", body=cut, headers=headers)
        assert (refused.status, refused.code) == (400, "MALFORMED_MULTIPART")
