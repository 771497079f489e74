"""Outcomes of scenarios as JUnit XML, which CI systems read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from tokportal_server.entry.rehearsing.playing import Outcome


def as_junit(played: Mapping[str, Sequence[Outcome]]) -> bytes:
    """Write a suite for each scenario by its name, with a case for each step that was taken."""
    root = ET.Element("testsuites")
    for name, outcomes in played.items():
        failed = sum(outcome.failure is not None for outcome in outcomes)
        seconds = sum(outcome.seconds for outcome in outcomes)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=name,
            tests=str(len(outcomes)),
            failures=str(failed),
            errors="0",
            time=f"{seconds:.3f}",
        )
        for number, outcome in enumerate(outcomes, 1):
            case = ET.SubElement(
                suite,
                "testcase",
                classname=name,
                name=f"{number}. {outcome.step.do}",
                time=f"{outcome.seconds:.3f}",
            )
            if outcome.failure is not None:
                ET.SubElement(case, "failure", message=outcome.failure[:2000])
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
