"""Whether a proof that somebody was given is one: no database, no network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tokportal_server.lib.chain import ChainBrokenError, check_chain, check_signature
from tokportal_server.videos.proofs.wire import FIRST_KINDS, LAST_KINDS, SlotProof

_PIECE = 2**20


class _Wrapped(msgspec.Struct):
    """An answer of the API, which has the proof as its data."""

    data: SlotProof


def read_proof(document: bytes) -> SlotProof:
    """Read a proof, alone or as the API's answer.

    Raises:
        ChainBrokenError: it is none; says where it goes wrong.
    """
    try:
        plain = msgspec.json.decode(document)
        wrapped = isinstance(plain, dict) and "data" in plain and "entries" not in plain
        kind: Any = _Wrapped if wrapped else SlotProof
        read = msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChainBrokenError(f"this is no slot proof: {error}") from error
    proof: SlotProof = read.data if isinstance(read, _Wrapped) else read
    return proof


def verify_proof(proof: SlotProof, *, public_key: str | None = None) -> None:
    """Check chain, order of entries and signature.

    ``public_key`` is the one that the server's operator has published: without it the proof only
    shows that whoever holds the key that it names has made it.

    Raises:
        ChainBrokenError: something was changed, or another key has signed.
    """
    kinds = tuple(entry.kind for entry in proof.entries)
    whole = len(kinds) >= len(FIRST_KINDS) + len(LAST_KINDS)
    if not whole or kinds[:3] != FIRST_KINDS or kinds[-2:] != LAST_KINDS:
        raise ChainBrokenError("entries of a slot proof are missing, or stand in another order")
    check_signature(check_chain(proof.entries), proof.signature)
    if public_key is not None and proof.signature.public_key != public_key.strip().lower():
        raise ChainBrokenError("it was signed with another key than the one that you gave")


def find_medium(proof: SlotProof, path: Path) -> Mapping[str, Any] | None:
    """Give what a proof says of a file with these bytes, or None if it names none such.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    media: list[dict[str, Any]] = list(proof.entries[2].data.get("files", []))
    if evidence := proof.entries[-2].data.get("evidence"):
        media.append({"kind": "evidence", "ordinal": 1, **evidence})
    return next((one for one in media if one.get("sha256") == digest.hexdigest()), None)
