from __future__ import annotations

import pytest

from tokportal_server.uploads.ranges import (
    UnsatisfiableRange,
    byte_range,
    is_unchanged,
    range_applies,
)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("BYTES = 10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-99999999999999999", (99, 100)),
    ],
)
def test_gives_the_bytes_of_one_range(header: str, part: tuple[int, int]) -> None:
    assert byte_range(header, 100) == part


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,3-4",
        "lines=0-1",
    ],
)
def test_ignores_what_is_no_single_range(header: str | None) -> None:
    assert byte_range(header, 100) is None


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=" + "9" * 40 + "-"]
)
def test_refuses_a_range_without_a_byte_of_the_file(header: str) -> None:
    with pytest.raises(UnsatisfiableRange):
        byte_range(header, 100)


def test_knows_a_file_by_any_of_the_tags_sent() -> None:
    assert is_unchanged('"b", W/"a"', '"a"')
    assert is_unchanged("*", '"a"')
    assert not is_unchanged('"b"', '"a"')
    assert not is_unchanged(None, '"a"')


def test_a_range_applies_to_the_very_file_only() -> None:
    assert range_applies(None, '"a"')
    assert range_applies('"a"', '"a"')
    assert not range_applies('W/"a"', '"a"')
    assert not range_applies("Mon, 23 Nov 2026 08:00:00 GMT", '"a"')
