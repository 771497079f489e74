"""The ledger of statuses fails for a declared answer that no test has met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import contract
from tools import status_ledger

DECLARED: dict[str, Any] = {
    "paths": {
        "/things/{id}": {
            "get": {
                "operationId": "getThing",
                "responses": {
                    "200": {},
                    "401": {"x-error-codes": ["AUTH_INVALID_KEY", "AUTH_MISSING_KEY"]},
                    "404": {"x-error-codes": ["THING_NOT_FOUND"]},
                    "500": {"x-error-codes": ["INTERNAL_ERROR"]},
                },
            }
        }
    }
}
GOOD = ("getThing", 200, None)
LOST = ("getThing", 404, "THING_NOT_FOUND")
KEYLESS = ("getOther", 401, "AUTH_MISSING_KEY")
BAD_KEY = ("getOther", 401, "AUTH_INVALID_KEY")


def lacking(*met: tuple[str, int, str | None]) -> list[str]:
    return list(status_ledger.missing(DECLARED, frozenset(met)))


def test_nothing_is_lacking_when_all_was_met() -> None:
    assert lacking(GOOD, LOST, KEYLESS, BAD_KEY) == []


def test_an_unmet_success_or_refusal_of_an_operations_own_is_named() -> None:
    assert lacking(LOST, KEYLESS, BAD_KEY) == ["getThing declares 200, and no test has met it"]
    (sentence,) = lacking(GOOD, KEYLESS, BAD_KEY)
    assert sentence.startswith("getThing declares 404 (THING_NOT_FOUND)")
    (sentence,) = lacking(GOOD, KEYLESS, BAD_KEY, ("getOther", 404, "THING_NOT_FOUND"))
    assert sentence.startswith("getThing declares 404")


def test_a_shared_refusal_is_met_by_any_operation_but_each_code_once() -> None:
    (sentence,) = lacking(GOOD, LOST, BAD_KEY)
    assert sentence.startswith("AUTH_MISSING_KEY is declared")


def test_an_empty_ledger_is_no_success(tmp_path: Path) -> None:
    assert status_ledger.main([str(tmp_path)]) == 1


def test_the_notes_of_all_processes_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(contract.LEDGER, str(tmp_path / "notes"))
    monkeypatch.setattr(contract, "_noted", set())
    for _ in range(2):
        contract.note(*GOOD)
    contract.note(*LOST)
    (own,) = (tmp_path / "notes").iterdir()
    assert len(own.read_text(encoding="utf-8").splitlines()) == 2
    (tmp_path / "notes" / "1.jsonl").write_text(json.dumps(KEYLESS) + "\n", encoding="utf-8")
    assert status_ledger.read(tmp_path / "notes") == {GOOD, LOST, KEYLESS}
