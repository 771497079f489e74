"""The page of measurements: what it shows of results, and which of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.harness.report import Measure, NotRun, Results
from tools.bench_page import known, page


def results(script: str, *measures: Measure, not_run: list[NotRun] | None = None) -> Results:
    return Results(
        script=script,
        title="Something",
        measured_at=datetime(2026, 11, 23, 12, 30, tzinfo=UTC),
        commit="abc1234",
        load=0.25,
        seconds=12.0,
        machine={"processor": "P", "cores": "2", "memory": "24 GiB", "kernel": "Linux 6"},
        versions={"python": "3.11.7"},
        measures=list(measures),
        not_run=not_run or [],
    )


def wrote(folder: Path, name: str, one: object) -> None:
    (folder / name).write_bytes(msgspec.json.encode(one))


def test_a_broken_limit_is_shown_as_broken() -> None:
    slow = Measure(
        name="GET /me",
        value=900.0,
        unit="requests/s",
        ratio=0.6,
        versus="the bare handler",
        spread=(0.5, 0.7),
        limit="at least 0.7",
        kept=False,
    )
    text = page([results("wire", slow)])
    assert "**Limits:** 0 of 1 kept." in text
    assert "- broken: [wire](#wire), GET /me" in text
    row = "| GET /me | 900 requests/s | 0.60 (0.50 to 0.70) of the bare handler | at least 0.7 |"
    assert f"{row} **broken** |" in text


def test_what_could_not_run_is_said_with_its_reason() -> None:
    text = page([results("mock", not_run=[NotRun("the mock", "there is no Node")])])
    assert "not run: [mock](#mock), the mock: there is no Node" in text


def test_a_script_that_was_not_run_again_keeps_its_results(tmp_path: Path) -> None:
    old, build = tmp_path / "known.json", tmp_path / "build"
    build.mkdir()
    kept, replaced = results("start"), results("wire")
    old.write_bytes(msgspec.json.encode({"start": kept, "wire": replaced}))
    fresh = results("wire", Measure(name="new", value=1.0, unit="s"))
    wrote(build, "wire.json", fresh)
    assert known(old, build) == {"start": kept, "wire": fresh}


def test_a_part_of_a_script_is_on_no_page(tmp_path: Path) -> None:
    wrote(tmp_path, "orders.partial.json", results("orders"))
    assert known(tmp_path) == {}
