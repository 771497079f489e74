"""Addresses that strangers have us call, or follow, or show as links."""

from __future__ import annotations

from ipaddress import ip_address

from yarl import URL

from tests.fuzz.parsers.target import Target, pieces_of, text_of
from tokportal_server.lib.outbound.address import is_refused
from tokportal_server.lib.outbound.url import (
    BlockedUrl,
    OutboundPolicy,
    parse_location,
    parse_url,
)
from tokportal_server.orders.post_urls import (
    author_of_post,
    comment_of_url,
    is_post_url,
    is_profile_url,
    post_key,
)
from tokportal_server.pages.entering import _own
from tokportal_server.uploads.share_links import direct_download

POLICY = OutboundPolicy()
ORIGIN = URL("https://media.example.com/a/b?c")


def judge(url: URL) -> None:
    """Fail unless an address may be called: by TLS, on a public host, without credentials."""
    assert url.scheme == "https"
    assert url.port in POLICY.allowed_ports
    assert not url.user
    assert not url.password
    host = url.raw_host or ""
    assert host
    try:
        literal = ip_address(host)
    except ValueError:
        assert "." in host
    else:
        assert not is_refused(str(literal))


def call_an_address(data: bytes) -> None:
    """An address may be called, or is blocked; what it becomes for a file is judged again."""
    text = text_of(data)
    try:
        judge(parse_url(text, POLICY))
    except BlockedUrl:
        return
    try:
        judge(parse_url(direct_download(text), POLICY))
    except BlockedUrl:
        return


def follow_a_redirect(data: bytes) -> None:
    """A redirect leads where we might have gone by ourselves, or is blocked."""
    try:
        judge(parse_location(ORIGIN, text_of(data), POLICY))
    except BlockedUrl:
        return


def read_a_post(data: bytes) -> None:
    """An address of a post names its post."""
    url = text_of(data)
    for platform in ("tiktok", "instagram"):
        is_profile_url(platform, url)
        author_of_post(platform, url)
        comment_of_url(platform, url)
        if is_post_url(platform, url):
            assert post_key(platform, url)


def lead_on(data: bytes) -> None:
    """After signing in one is led to a path of ours, or nowhere in particular."""
    for piece in pieces_of(data, 2):
        own = _own(text_of(piece))
        assert not own or (own[0] == "/" and own[1:2] not in {"/", "\\"} and own.isprintable())


TARGETS = (
    Target(
        "address_call",
        call_an_address,
        (
            b"https://hooks.example.com:443/a?b=c#d",
            "https://b\u00fccher.example/\u00fc".encode(),
            b"https://[2606:4700::1111]/",
            b"https://8.8.8.8/",
            b"https://drive.google.com/file/d/abc/view?resourcekey=x",
            b"https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&dl=0",
        ),
    ),
    Target(
        "address_redirect",
        follow_a_redirect,
        (b"../c?d", b"//cdn.example.com/x", b"https://cdn.example.com/x", b"?q", b"#f"),
    ),
    Target(
        "address_post",
        read_a_post,
        (
            b"https://www.tiktok.com/@name/video/7300000000000000000?comment_id=12345",
            b"https://vm.tiktok.com/abcde/",
            b"https://www.instagram.com/reel/Cabc123def4/c/12345/",
        ),
    ),
    Target("address_next", lead_on, (b"/console/x?y=z\xff//evil.example", b"/\\evil.example")),
)
