"""Where a request comes from, also when a proxy of the operator's hands it on."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

# A header that a client has filled up would have us walk through it.
_MOST_HOPS = 20


def client_address(scope: Any, trusted: Sequence[str]) -> str:
    """Give the address of the client, as far as it can be trusted; nothing if there is none.

    Every proxy appends the address that it was asked from to ``X-Forwarded-For``. So the list is
    read from its end, past the proxies that are ``trusted`` (addresses or networks): the first
    that is not is the client. Whatever stands before it the client may have written itself.
    """
    peer = str((scope.get("client") or ("",))[0])
    if not trusted or not _is_one_of(peer, trusted):
        return peer
    sent = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    hops = [hop.strip() for hop in sent.decode("latin-1").split(",")[-_MOST_HOPS:]]
    for hop in reversed(hops):
        if not _is_address(hop):
            break
        peer = hop
        if not _is_one_of(hop, trusted):
            break
    return peer


def is_from_one_of(scope: Any, networks: Sequence[str]) -> bool:
    """Tell whether whoever asks, the last proxy if there are some, is of those networks."""
    return bool(networks) and _is_one_of(str((scope.get("client") or ("",))[0]), networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_one_of(text: str, networks: Sequence[str]) -> bool:
    return _is_address(text) and any(
        ip_address(text) in ip_network(network, strict=False) for network in networks
    )
