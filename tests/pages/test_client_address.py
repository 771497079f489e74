from __future__ import annotations

import pytest

from tokportal_server.http.client_address import client_address
from tokportal_server.lib.settings import Settings, SettingsError

OURS = ("10.0.0.0/8", "fd00::/8")


def asked(peer: str, *forwarded: str) -> dict[str, object]:
    """Give a request from a peer with ``X-Forwarded-For`` headers."""
    return {
        "client": (peer, 4711),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }


@pytest.mark.parametrize(
    ("scope", "address"),
    [
        (asked("10.0.0.1", "198.51.100.7"), "198.51.100.7"),
        (asked("10.0.0.1", "203.0.113.9, 198.51.100.7"), "198.51.100.7"),
        (asked("10.0.0.1", "198.51.100.7, 10.0.0.2"), "198.51.100.7"),
        (asked("10.0.0.1", "198.51.100.7", "10.0.0.2"), "198.51.100.7"),
        (asked("fd00::1", "2001:db8::5"), "2001:db8::5"),
        (asked("10.0.0.1"), "10.0.0.1"),
        (asked("10.0.0.1", "10.0.0.5"), "10.0.0.5"),
        (asked("10.0.0.1", "unknown"), "10.0.0.1"),
        (asked("10.0.0.1", "<script>, 10.0.0.5"), "10.0.0.5"),
        ({"client": None, "headers": []}, ""),
    ],
)
def test_a_trusted_proxy_says_where_the_visitor_is(scope: dict[str, object], address: str) -> None:
    assert client_address(scope, OURS) == address


def test_nobody_else_can_say_it() -> None:
    assert client_address(asked("192.0.2.1", "198.51.100.7"), OURS) == "192.0.2.1"
    assert client_address(asked("10.0.0.1", "198.51.100.7"), ()) == "10.0.0.1"


def test_a_header_full_of_addresses_is_not_walked_through() -> None:
    assert client_address(asked("10.0.0.1", ",".join(["10.0.0.9"] * 10_000)), OURS) == "10.0.0.9"


@pytest.mark.parametrize("value", ["10.0.0.0/99", "10.0.0", "proxy.example", "10.0.0.1,::1/200"])
def test_a_network_that_is_none_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match="TOKPORTAL_TRUSTED_PROXIES"):
        Settings.from_env({"TOKPORTAL_TRUSTED_PROXIES": value})
