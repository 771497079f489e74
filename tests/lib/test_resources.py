from __future__ import annotations

import json

import pytest

from tokportal_server.lib.resources import contract_file


def test_finds_a_file_of_the_contract() -> None:
    assert json.loads(contract_file("operations.json").read_bytes())


def test_a_missing_file_is_named_with_the_way_out() -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such\.json.*reinstall"):
        contract_file("no-such.json")
