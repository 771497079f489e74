"""Which IP addresses may be called: an explicit list, because ``ipaddress.is_global`` is not one.

The blocks are those of the IANA special-purpose registries plus multicast, the retired 6to4 relay
and 6bone ranges, and one platform address that clouds put into public space. For IPv6 the rule is
turned around: only global unicast (2000::/3) less its special blocks, so that whatever the
registry gains later outside of it (mapped, NAT64, ULA, link-local, multicast) is refused today.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_REFUSED_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; some clouds keep their metadata here
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # host agent of a cloud, inside public space
        "169.254.0.0/16",  # link-local, metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, retired
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # Teredo, benchmarking, ORCHID, AMT, AS112 and other assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, retired
        "3fff::/20",  # documentation
    )
)


def is_loopback(address: str) -> bool:
    """Tell whether ``address`` is in 127.0.0.0/8 or ``::1``; a mapped ``::ffff:127.0.0.1`` isn't.

    Raises ``ValueError`` if it is no IP address.
    """
    parsed = ip_address(address)
    # Newer releases of Python call a mapped loopback address loopback, older ones do not.
    return parsed.is_loopback and getattr(parsed, "ipv4_mapped", None) is None


def is_refused(address: str, *, allow_loopback: bool = False) -> bool:
    """Tell whether ``address`` must not be called; what is no IP address is refused too.

    ``allow_loopback`` lets loopback through and nothing else that is private.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return True
    if allow_loopback and is_loopback(address):
        return False
    if isinstance(parsed, IPv4Address):
        return any(parsed in block for block in _REFUSED_V4)
    return _is_refused_v6(parsed)


def _is_refused_v6(address: IPv6Address) -> bool:
    # An address with a zone names an interface of this machine.
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return True
    return any(address in block for block in _REFUSED_V6)
