from __future__ import annotations

from tools.secrets_scan import known, scan, tracked_files

# In two pieces, or this file would hold what it looks for.
KEY = "AKIA" + "Z3MFX7QJ4W2LKR5T"


def test_no_file_holds_a_secret() -> None:
    found = scan(tracked_files())
    assert [one for one in found if one.digest not in known()] == []


def test_every_excused_finding_is_still_there_and_has_a_reason() -> None:
    found = {one.digest for one in scan(tracked_files())}
    assert set(known()) <= found
    assert all(len(reason) > 10 for reason in known().values())


def test_the_scan_finds_what_it_is_for() -> None:
    texts = [("a", f"key = '{KEY}'"), ("b", "-----BEGIN RSA " + "PRIVATE KEY-----")]
    assert [one.place for one in scan(iter(texts))] == ["a:1", "b:1"]
