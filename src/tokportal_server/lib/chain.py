"""Records that prove themselves: entries chained by their hashes, the end of the chain signed.

1. The hash of an entry is the SHA-256 of the canonical JSON (RFC 8785) of all else in it, and the
   hash of the entry before it is part of that: whoever changes one entry breaks all that follow.
2. The last hash is signed with Ed25519 (RFC 8032), so that nobody else can write a chain anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# What the first entry has in the place of a hash before it.
GENESIS: Final = "0" * 64


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry tells: of which kind, when (an instant in ISO 8601, or None), and what."""

    kind: str
    at: str | None
    data: dict[str, Any]


class Entry(Fact, frozen=True, forbid_unknown_fields=True):
    """A fact in its chain; both hashes are 64 hex digits."""

    previous: str
    hash: str


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who vouches for a chain: the Ed25519 signature of its last hash, both in hex digits."""

    algorithm: Literal["Ed25519"]
    public_key: str
    value: str


class ChainBrokenError(Exception):
    """A chain is not as it was made; says which entry, counted from 1, and how."""


def make_chain(facts: Sequence[Fact]) -> list[Entry]:
    """Chain facts in their order.

    Raises:
        ValueError: a fact holds what JSON cannot say exactly, such as a number beyond 2^53.
    """
    chain: list[Entry] = []
    previous = GENESIS
    for fact in facts:
        digest = _hash(fact, previous)
        chain.append(Entry(fact.kind, fact.at, fact.data, previous, digest))
        previous = digest
    return chain


def check_chain(chain: Sequence[Entry]) -> str:
    """Reckon a chain again; give its last hash.

    Raises:
        ChainBrokenError: it is empty, an entry was changed, or one is missing before another.
    """
    previous = GENESIS
    for number, entry in enumerate(chain, 1):
        if entry.previous != previous:
            raise ChainBrokenError(f"entry {number} does not follow the one before it")
        if entry.hash != _hash(entry, previous):
            raise ChainBrokenError(f"entry {number} ({entry.kind}) was changed")
        previous = entry.hash
    if not chain:
        raise ChainBrokenError("there is no entry")
    return previous


def sign_hash(digest: str, seed: bytes) -> Signature:
    """Sign the last hash of a chain with the private key of 32 bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Signature("Ed25519", public_key_of(seed), key.sign(digest.encode()).hex())


def public_key_of(seed: bytes) -> str:
    """Give the public key of a private one, as 64 hex digits."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


def check_signature(digest: str, signature: Signature) -> None:
    """Check that the key that a signature names has signed this hash.

    Raises:
        ChainBrokenError: it has not, or key or signature are none.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.value), digest.encode())
    except (ValueError, InvalidSignature):
        raise ChainBrokenError("the signature is not of this chain") from None


def _hash(fact: Fact, previous: str) -> str:
    told = {"kind": fact.kind, "at": fact.at, "data": fact.data, "previous": previous}
    try:
        return hashlib.sha256(rfc8785.dumps(told)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"{fact.kind} cannot be written as canonical JSON: {error}") from error
