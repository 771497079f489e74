from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from tokportal_server.lib.chain import (
    GENESIS,
    ChainBrokenError,
    Entry,
    Fact,
    check_chain,
    check_signature,
    make_chain,
    sign_hash,
)

FACTS = [
    Fact("order", "2026-11-23T10:00:00Z", {"position": 1, "title": 'ünï "code" \u2028 𝄞'}),
    Fact("media", None, {"files": []}),
    Fact("approval", None, {"by": "customer", "late": False, "reason": None}),
]
SEED = bytes(range(32))


def test_hashes_are_those_of_canonical_json() -> None:
    [entry] = make_chain([Fact("a", None, {"b": 1, "a": "é"})])
    told = f'{{"at":null,"data":{{"a":"é","b":1}},"kind":"a","previous":"{GENESIS}"}}'
    assert entry.hash == hashlib.sha256(told.encode()).hexdigest()


def test_a_chain_that_was_left_alone_checks() -> None:
    chain = make_chain(FACTS)
    assert check_chain(chain) == chain[-1].hash
    check_signature(chain[-1].hash, sign_hash(chain[-1].hash, SEED))
    # However it was written down meanwhile.
    again = msgspec.json.decode(msgspec.json.encode(chain), type=list[Entry])
    assert check_chain(again) == chain[-1].hash


@pytest.mark.parametrize("number", range(len(FACTS)))
@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"at": "2020-01-01T00:00:00Z"},
        {"data": {"position": 2}},
        {"previous": "f" * 64},
        {"hash": "f" * 64},
    ],
)
def test_one_change_anywhere_breaks_it(number: int, change: dict[str, Any]) -> None:
    chain = make_chain(FACTS)
    chain[number] = msgspec.structs.replace(chain[number], **change)
    with pytest.raises(ChainBrokenError, match="entry"):
        check_chain(chain)


def test_entries_cannot_be_taken_out_or_turned_round() -> None:
    first, second, third = make_chain(FACTS)
    for chain in ([second, third], [first, third], [second, first, third], []):
        with pytest.raises(ChainBrokenError):
            check_chain(chain)


def test_a_chain_that_somebody_else_wrote_anew_has_another_signature() -> None:
    chain = make_chain(FACTS)
    signature = sign_hash(chain[-1].hash, SEED)
    forged = make_chain([*FACTS[:2], Fact("approval", None, {"by": "nobody"})])
    with pytest.raises(ChainBrokenError, match="signature"):
        check_signature(check_chain(forged), signature)
    with pytest.raises(ChainBrokenError, match="signature"):
        check_signature(chain[-1].hash, msgspec.structs.replace(signature, public_key="zz"))


def test_refuses_numbers_that_json_cannot_say_exactly() -> None:
    with pytest.raises(ValueError, match="canonical"):
        make_chain([Fact("a", None, {"n": 2**53 + 1})])
