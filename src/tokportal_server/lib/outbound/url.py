"""Judging a URL as text, before any name is resolved.

The text is first refused for everything that two URL parsers could read differently (control
characters, backslashes, userinfo, percent signs in the host), and then read by the very parser
whose result the client dials with.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Final

from yarl import URL

from tokportal_server.lib.outbound.address import is_loopback, is_refused

MAX_URL_LENGTH: Final = 2048

_START: Final = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What inet_aton() reads as a number, and therefore dials, though it is not a dotted quad.
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_HOST_LENGTH: Final = 253
# Names that mean "this machine" or "this network" whatever a resolver says (RFC 6761, 6762, 8375,
# 9476 and the private zone of one cloud's metadata service).
_LOCAL_ZONES: Final = frozenset(
    {"localhost", "localdomain", "local", "internal", "lan", "home", "corp", "alt", "onion"}
)
_LOCAL_SUFFIXES: Final = (".home.arpa",)
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})


@dataclass(frozen=True, kw_only=True)
class OutboundPolicy:
    """What may be called.

    ``allowed_ports``: ports of hosts other than loopback. ``allow_http_hosts``: lower-case names
    that may be called without TLS; they must still be public. ``allow_loopback``: lets URLs that
    say ``localhost``, 127.0.0.0/8 or ``[::1]`` through, on any port and without TLS; meant for
    tests and the demo. A public name that resolves to loopback stays refused.
    """

    allowed_ports: frozenset[int] = frozenset({80, 443})
    allow_http_hosts: frozenset[str] = frozenset()
    allow_loopback: bool = False


class BlockedUrl(ValueError):  # noqa: N818 - a verdict about a URL, named as the failure class is
    """The URL may not be called; ``reason`` completes the sentence "the URL ..."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_url(url: str, policy: OutboundPolicy) -> None:
    """Raise ``BlockedUrl`` if ``url`` may not be called under ``policy``; asks no name server."""
    parse_url(url, policy)


@lru_cache(maxsize=1024)
def parse_url(url: str, policy: OutboundPolicy) -> URL:
    """Give the URL as it is to be dialled, or raise ``BlockedUrl``.

    The verdict is about the text alone, so it is remembered: a receiver is called again and again.
    """
    _refuse_ambiguous_text(url)
    start = _START.match(url)
    if start is None:
        raise BlockedUrl("must begin with https:// and a host")
    _refuse_ambiguous_authority(start[2])
    parsed = _read(url)
    host = _judged_host(parsed.raw_host or "", policy, literal="[" in start[2])
    if not is_local_host(host):
        _judge_scheme_and_port(parsed.scheme, host, parsed.port, policy)
    return parsed.with_host(host)


def parse_location(origin: URL, location: str, policy: OutboundPolicy) -> URL:
    """Give the URL that a redirect from ``origin`` leads to, or raise ``BlockedUrl``.

    What names a host of its own is judged as it was sent: joining would first tidy it up.
    """
    if _SCHEME.match(location):
        target = parse_url(location, policy)
    elif location.startswith("//"):
        target = parse_url(f"{origin.scheme}:{location}", policy)
    else:
        _refuse_ambiguous_text(location)
        target = parse_url(str(origin.join(_read(location))), policy)
    if origin.scheme == "https" and target.scheme != "https":
        raise BlockedUrl("leads from https to http")
    return target


def _refuse_ambiguous_text(text: str) -> None:
    """Raise ``BlockedUrl`` for text that URL parsers read in different ways."""
    if len(text) > MAX_URL_LENGTH:
        raise BlockedUrl(f"is longer than {MAX_URL_LENGTH} characters")
    if "\\" in text:
        raise BlockedUrl("contains a backslash")
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in text):
        raise BlockedUrl("contains blanks or invisible characters; percent-encode them")


def is_local_host(host: str) -> bool:
    """Tell whether the host of a URL says loopback by itself: ``localhost`` or a literal."""
    if host == "localhost":
        return True
    try:
        return is_loopback(host)
    except ValueError:
        return False


def _read(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise BlockedUrl("has a host or a port that cannot be read") from None


def _refuse_ambiguous_authority(authority: str) -> None:
    # The compatibility form shows what IDNA makes of look-alikes such as U+FF20 for "@".
    plain = unicodedata.normalize("NFKC", authority)
    if "@" in plain:
        raise BlockedUrl("contains a user name or a password; send credentials another way")
    if not authority or authority.startswith(":"):
        raise BlockedUrl("has no host")
    if any(character in plain for character in "%/?#\\"):
        raise BlockedUrl("has a host with characters that no host name has")


def _judged_host(raw_host: str, policy: OutboundPolicy, *, literal: bool) -> str:
    host = raw_host.lower()
    # Brackets may hold an IPv6 address only; the parser also lets "[v1.x]" pass, as a name.
    if literal:
        _judge_literal(host, policy)
        return host
    # One trailing dot is the absolute form of the same name; more are no name at all.
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > _MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise BlockedUrl("has a host with characters or lengths that no host name has")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        _judge_literal(host, policy)
    elif not (policy.allow_loopback and host == "localhost"):
        _refuse_local_name(host, labels)
    return host


def _judge_literal(host: str, policy: OutboundPolicy) -> None:
    try:
        address = ip_address(host)
    except ValueError:
        raise BlockedUrl("has an IP address that is neither dotted decimal nor IPv6") from None
    if is_refused(host, allow_loopback=policy.allow_loopback):
        family = "IPv4" if isinstance(address, IPv4Address) else "IPv6"
        raise BlockedUrl(f"points at an {family} address that is not public")


def _refuse_local_name(host: str, labels: list[str]) -> None:
    if len(labels) == 1 or labels[-1] in _LOCAL_ZONES or host.endswith(_LOCAL_SUFFIXES):
        raise BlockedUrl("points at a name of a local network; use a public host name")


def _judge_scheme_and_port(
    scheme: str, host: str, port: int | None, policy: OutboundPolicy
) -> None:
    if scheme == "http" and host not in policy.allow_http_hosts:
        raise BlockedUrl("must begin with https://; http is open only to hosts set by the operator")
    if port not in policy.allowed_ports:
        allowed = ", ".join(str(number) for number in sorted(policy.allowed_ports))
        raise BlockedUrl(f"uses port {port}; allowed: {allowed}")
