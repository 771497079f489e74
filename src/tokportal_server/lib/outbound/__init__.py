"""Outgoing HTTP: the only way in which this server calls an address that somebody else chose.

Owns the judgement of addresses (``address``), of URLs (``url``), the guarded client (``client``),
downloads (``download``) and the port that dry runs are given instead (``port``). A URL is judged
as text, every answer of the resolver is judged, and the address is judged once more where the
socket is made: the last judgement is the one that counts, the other two give better messages.
"""

from __future__ import annotations

from tokportal_server.lib.outbound.client import Outbound
from tokportal_server.lib.outbound.download import Download
from tokportal_server.lib.outbound.failure import ErrorClass, OutboundFailure
from tokportal_server.lib.outbound.port import Answer, NullOutbound, OutboundPort, UnexpectedCall
from tokportal_server.lib.outbound.url import BlockedUrl, OutboundPolicy, check_url

__all__ = [
    "Answer",
    "BlockedUrl",
    "Download",
    "ErrorClass",
    "NullOutbound",
    "Outbound",
    "OutboundFailure",
    "OutboundPolicy",
    "OutboundPort",
    "UnexpectedCall",
    "check_url",
]
