"""What a setting may look like: patterns and bounds, with the words that name them in the docs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# \Z, because $ would let a line break pass at the end.
HostName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9._:-]+\Z", extra={"accepts": "an address or a host name"}),
]
MailAddress = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+\Z",
        extra={"accepts": "an e-mail address"},
    ),
]
Network = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?\Z",
        extra={"accepts": "an address, or a network such as `10.0.0.0/8`"},
    ),
]
PublicUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?\Z",
        extra={"accepts": "an http or https URL without credentials, query or fragment"},
    ),
]
PostgresUrl = Annotated[
    str,
    Meta(
        pattern=r"^postgres(ql)?://\S+\Z",
        extra={"accepts": "a URL `postgresql://user:password@host:port/database`"},
    ),
]
StorageUrl = Annotated[
    str,
    Meta(
        pattern=r"^(file:[^@\n]*|s3://[^\s/@]+(/[^\s@]*)?)\Z",
        extra={"accepts": "`file:directory` or `s3://bucket/prefix`, without credentials"},
    ),
]
_ONE_KEY = r"([0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?)"
VaultKey = Annotated[
    str,
    Meta(
        pattern=rf"^{_ONE_KEY}([\s,]+{_ONE_KEY})*\Z",
        extra={"accepts": "32 bytes as 64 hexadecimal digits or as base64; several with commas"},
    ),
]
BearerToken = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._~+/=-]{16,200}\Z",
        extra={"accepts": "16 to 200 letters, digits and `._~+/=-`"},
    ),
]
SigningSecret = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{16,200}\Z",
        extra={"accepts": "16 to 200 printable characters without blanks"},
    ),
]
ClientId = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{1,200}\Z",
        extra={"accepts": "1 to 200 printable characters without blanks"},
    ),
]
CallsPerMinute = Annotated[int, Meta(ge=1, le=1_000_000)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Hours = Annotated[int, Meta(ge=1, le=8760)]
