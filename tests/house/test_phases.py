from __future__ import annotations

from pathlib import Path

from tools.phases import seconds_by_kind, table

REPORT = """<testsuites><testsuite time="300">
<testcase classname="tests.lib.test_x" time="300"/>
<testcase classname="tests.hazards.test_y" time="100"/>
<testcase classname="tests.browser.test_z.TestIt" time="200"/>
</testsuite></testsuites>"""


def test_the_clock_is_shared_out_by_the_seconds_of_each_kind(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(REPORT)
    assert seconds_by_kind(report) == {"unit and API": 150, "hazards": 50, "browser": 100}


def test_the_table_marks_a_phase_over_its_budget(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(REPORT)
    text = table(report, installs=360, total=360 + 60 + 300)
    rows = {line[:14].strip(): line[14:].split() for line in text.splitlines()}
    assert rows["installs"] == ["5", "6.0", "over"]
    assert rows["check"] == ["2", "1.0"]
    assert rows["all"] == ["38", "12.0"]


def test_a_run_that_ended_before_the_tests_still_gets_its_table(tmp_path: Path) -> None:
    assert "installs" in table(tmp_path / "none.xml", installs=1, total=2)
