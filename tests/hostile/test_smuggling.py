"""One request has one answer: what two servers could read differently hides no second request."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.hostile.wire import Answered, Api, connected, is_served, said

# Every answer to an address that is none repeats it, so a second request would show.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
ENDED = b"0\r\n\r\n"
LENGTH = b"Content-Length: %d"

# Two ways to say how long the body is, which disagree, or a way that is none. The body that either
# reading leaves over is a request.
LENGTHS: dict[str, tuple[bytes, bytes]] = {
    "length and chunks": (LENGTH % (len(ENDED) + len(HIDDEN)) + b"\r\n" + CHUNKED, ENDED + HIDDEN),
    "chunks and length": (CHUNKED + b"\r\n" + LENGTH % 5, ENDED + HIDDEN),
    "length too short, and chunks": (LENGTH % 3 + b"\r\n" + CHUNKED, ENDED + HIDDEN),
    "two lengths": (b"Content-Length: 0\r\n" + LENGTH % len(HIDDEN), HIDDEN),
    "two lengths, other order": (LENGTH % len(HIDDEN) + b"\r\nContent-Length: 0", HIDDEN),
    "a list of lengths": (b"Content-Length: 0, %d" % len(HIDDEN), HIDDEN),
    "a signed length": (b"Content-Length: +0", HIDDEN),
    "a negative length": (b"Content-Length: -1", HIDDEN),
    "a length in hex": (b"Content-Length: 0x0", HIDDEN),
    "a length with an exponent": (b"Content-Length: 0e1", HIDDEN),
    "a length and a half": (b"Content-Length: 0.0", HIDDEN),
    "a length with a blank in it": (b"Content-Length: 0 0", HIDDEN),
    "a length of other digits": ("Content-Length: \u0660".encode(), HIDDEN),
    "an empty length": (b"Content-Length:", HIDDEN),
    "a length past all numbers": (b"Content-Length: 99999999999999999999999", HIDDEN),
    "an unknown coding": (b"Transfer-Encoding: xchunked", ENDED + HIDDEN),
    "chunked before another coding": (b"Transfer-Encoding: chunked, identity", ENDED + HIDDEN),
    "chunked, then nothing": (CHUNKED + b"\r\nTransfer-Encoding: identity", ENDED + HIDDEN),
    "an empty coding": (b"Transfer-Encoding:", ENDED + HIDDEN),
    "chunked after a vertical tab": (b"Transfer-Encoding: \x0bchunked", ENDED + HIDDEN),
    "a quoted coding": (b'Transfer-Encoding: "chunked"', ENDED + HIDDEN),
    "a blank before the colon": (b"Transfer-Encoding : chunked", ENDED + HIDDEN),
    "a tab before the colon": (b"Content-Length\t: 0", HIDDEN),
    "a folded line": (b"X: y\r\n Transfer-Encoding: chunked", ENDED + HIDDEN),
    "a line that ends in LF, with chunks": (b"X: y\nTransfer-Encoding: chunked\r\n", HIDDEN),
    "CR alone between two headers": (b"X: y\rContent-Length: 0", HIDDEN),
    "a zero byte in the name": (b"Content-\x00Length: 0", HIDDEN),
    "a zero byte in the value": (b"Content-Length: 0\x00", HIDDEN),
}
# Chunks that are none.
CHUNKS: dict[str, bytes] = {
    "a negative size": b"-1\r\n\r\n" + HIDDEN,
    "a signed size": b"+0\r\n\r\n" + HIDDEN,
    "a size with a prefix": b"0x0\r\n\r\n" + HIDDEN,
    "a size past all numbers": b"FFFFFFFFFFFFFFFFF\r\n" + HIDDEN,
    "no size": b"\r\n\r\n" + HIDDEN,
    "an underscore": b"0_0\r\n\r\n" + HIDDEN,
    "more than the size says": b"1\r\nab\r\n" + ENDED + HIDDEN,
    "a line that ends in LF": b"1\nab\r\n" + ENDED + HIDDEN,
    "a line that ends in CR": b"1\rab\r\n" + ENDED + HIDDEN,
    "an extension with a line end in it": b"0;a\n" + HIDDEN + b"\r\n\r\n",
}


def posted(header: bytes, body: bytes, *, path: bytes = b"/docs/webhooks/verify") -> bytes:
    """Write a request whose body somebody reads."""
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (path, header, body)


def reads_one(answers: list[Answered]) -> bool:
    """Say whether there was one answer, or none, beside that of the connection's last request."""
    hidden = any(b"/hidden" in one.content for one in answers)
    return len(answers) <= 2 and not hidden and all(one.status < 500 for one in answers)


@pytest.mark.parametrize("path", [b"/docs/webhooks/verify", b"/api/ext/bundles", b"/nowhere"])
async def test_a_body_whose_length_is_in_doubt_hides_no_request(api: Api, path: bytes) -> None:
    told = {}
    for name, (header, body) in LENGTHS.items():
        answers = await said(api, posted(header, body, path=path))
        if not reads_one(answers):
            told[name] = [(one.status, one.content[-200:]) for one in answers]
    assert told == {}


async def test_chunked_said_twice_is_read_as_every_proxy_reads_it(api: Api) -> None:
    """It should be refused; it is taken as chunked, so what follows the chunks is not hidden."""
    header = CHUNKED + b"\r\n" + CHUNKED
    answers = await said(api, posted(header, ENDED + HIDDEN, path=b"/nowhere"))
    assert len(answers) in {1, 3}


async def test_chunks_that_are_none_hide_no_request(api: Api) -> None:
    told = {}
    for name, body in CHUNKS.items():
        answers = await said(api, posted(CHUNKED, body))
        if not reads_one(answers):
            told[name] = [(one.status, one.content[-200:]) for one in answers]
    assert told == {}


async def test_what_is_not_read_of_a_refused_body_is_no_request(api: Api, world: World) -> None:
    """A 401, 404, 413 or 415 comes before the body has been read."""
    del world
    for path in (b"/api/ext/bundles", b"/nowhere", b"/desk/claim", b"/uploads/x"):
        for header, body in (
            (LENGTH % len(HIDDEN * 50), HIDDEN * 50),
            (CHUNKED, b"%x\r\n%s\r\n%s" % (len(HIDDEN), HIDDEN, ENDED)),
        ):
            answers = await said(api, posted(header, body, path=path))
            assert not any(b"/hidden" in one.content for one in answers), path
            assert answers[0].status in {401, 404, 405, 415}, path


async def test_requests_one_after_the_other_have_an_answer_each(api: Api) -> None:
    answers = await said(api, b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN)
    assert [one.status for one in answers] == [404, 404, 200]


HEADS: dict[str, bytes] = {
    "a zero byte in a value": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "a zero byte in a name": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n",
    "a zero byte in the address": b"GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank in a name": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX Y: a\r\n\r\n",
    "no name": b"GET /healthz HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
    "no colon": b"GET /healthz HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a folded line": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "ten thousand headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n"
    % b"".join(b"X-%d: a\r\n" % number for number in range(10_000)),
    "a header of a megabyte": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"a" * 10**6),
    "an address of a megabyte": b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 10**6),
    "a method of a megabyte": b"%s / HTTP/1.1\r\nHost: x\r\n\r\n" % (b"A" * 10**6),
    "an unknown version": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n",
    "a blank line too many": b"GET /healthz HTTP/1.1\r\n\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "everything": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "an echo": b"TRACE /healthz HTTP/1.1\r\nHost: x\r\nX-API-Key: sk_mine\r\n\r\n",
    "an address of another server": b"GET http://169.254.169.254/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address without a path": b"GET http://evil.example HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs": b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs, encoded": b"GET /media/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
    "backslashes": b"GET /assets/..\\..\\etc\\passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path in UTF-8": "GET /hälth HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a method of our own": b"GETT /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "an upgrade": b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    "a socket": b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "an unknown expectation": b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: gold\r\n\r\n",
}


async def test_a_head_of_any_kind_breaks_nothing(api: Api) -> None:
    told = {}
    for name, head in HEADS.items():
        answers = await said(api, head)
        statuses = [one.status for one in answers]
        # 501 and 505 are what HTTP has for an unknown method and an unknown version.
        fine = all(status < 500 or status in {501, 505} for status in statuses)
        secret = any(b"sk_mine" in one.content or b"root:" in one.content for one in answers)
        if len(answers) > 2 or not fine or secret or 101 in statuses:
            told[name] = statuses
    assert told == {}
    assert await is_served(api)


async def test_http_2_is_not_spoken(api: Api) -> None:
    """What stands before us speaks HTTP/1.1 to us; a second protocol would be a second parser."""
    async with connected(api) as (reader, writer):
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        await writer.drain()
        received = await reader.read()
    assert not received.startswith(b"\0\0")
    assert await is_served(api)
