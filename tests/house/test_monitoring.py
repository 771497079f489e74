"""What is watched exists: metrics of alerts and dashboard, runbooks, lines of the log."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.house.repository import PACKAGE, ROOT, modules
from tokportal_server.entry.metric_page import metrics
from tokportal_server.reference.guides import slug

PAGE = (ROOT / "docs" / "operate" / "monitoring.md").read_text(encoding="utf-8")
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "tokportal-server.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
_METRIC = re.compile(r"\btokportal_[a-z_]+")
_SELECTOR = re.compile(r"\b(tokportal_[a-z_]+)\{([^}]*)\}")
_BY = re.compile(r"by \(([^)]*)\)")
_OF_PROMETHEUS = {"instance", "job", "pid", "le"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Give every PromQL expression with where it stands."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def series() -> dict[str, set[str]]:
    """Give the labels of every series that a metric becomes."""
    ends = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        told.name + end: set(told.labels)
        for told in metrics()
        for end in ends.get(told.kind, ("",))
    }


def test_every_query_asks_for_metrics_and_labels_that_there_are() -> None:
    known = series()
    asked = dict(queries())
    assert len(asked) > 50
    for where, query in asked.items():
        names = set(_METRIC.findall(query))
        assert names <= known.keys(), f"{where}: {sorted(names - known.keys())}"
        for name, selector in _SELECTOR.findall(query):
            labels = set(re.findall(r"(\w+)\s*(?:=|!)", selector))
            assert labels <= known[name] | _OF_PROMETHEUS, f"{where}: {query}"
        allowed = set().union(*(known[name] for name in names), _OF_PROMETHEUS)
        for grouped in _BY.findall(query):
            assert {part.strip() for part in grouped.split(",")} <= allowed, f"{where}: {query}"


def test_everything_that_waits_or_fails_has_an_alert_or_a_panel() -> None:
    shown = {name for _, query in queries() for name in _METRIC.findall(query)}
    sums = {name for name in series() if name.endswith(("_sum", "_count", "_bucket"))}
    assert set(series()) - sums - shown == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/operate/monitoring.md"
    assert f"### {rule['alert']}\n" in PAGE
    assert anchor == slug(rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")


def test_every_section_about_an_alert_has_one() -> None:
    assert set(re.findall(r"^### (Tokportal\w+)$", PAGE, re.MULTILINE)) == {
        rule["alert"] for rule in RULES
    }


def test_the_dashboard_has_the_form_that_grafana_imports() -> None:
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, f"{panel['title']} lies over another panel"
        places |= cells
    for panel in panels():
        assert panel["type"] in ("timeseries", "stat")
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_the_rules_and_they_do_what_their_tests_say(
    arguments: tuple[str, ...],
) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# The log.

_LEVELS = {"debug", "info", "warning", "error", "exception"}
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|\s*([^|]*?)\s*\| [^|]+ \|$", re.MULTILINE)


def calls() -> Iterator[tuple[str, str, str, frozenset[str]]]:
    """Give place, event, level and fields of every line that the code logs."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in _LEVELS and ast.unparse(node.func.value) == "log":
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                [event] = node.args
                assert isinstance(event, ast.Constant), f"{place}: an event is a constant"
                level = node.func.attr.replace("exception", "error")
                fields = {word.arg or "**" for word in node.keywords} - {"exc_info"}
                yield place, str(event.value), level, frozenset(fields)


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Give level and fields by event, as the page has them."""
    section = PAGE.partition("\n## Logs\n")[2].partition("\n## ")[0]
    return {
        event: (level, frozenset(re.findall(r"`(\w+)`", fields)))
        for event, level, fields in _ROW.findall(section)
    }


def test_every_line_of_the_log_is_documented_with_its_fields() -> None:
    told = documented()
    wrong = [call for call in calls() if told.get(call[1]) != call[2:]]
    assert wrong == []


def test_every_documented_line_is_logged() -> None:
    # The line of a request has a way of its own.
    assert set(documented()) - {event for _, event, _, _ in calls()} == {"request"}


def test_the_line_of_a_request_is_documented() -> None:
    tree = ast.parse((PACKAGE / "lib" / "log.py").read_text(encoding="utf-8"))
    [line] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "RequestLine"]
    fields = {
        n.target.id
        for n in line.body
        if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    }
    common = {"event", "level", "logger", "timestamp", "request_id", "trace_id"}
    assert documented()["request"] == ("info", frozenset(fields - common))
