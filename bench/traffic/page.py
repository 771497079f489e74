"""The page of a load run, docs/operate/load.md, with its picture."""

from __future__ import annotations

from typing import Final

from harness.report import ROOT, figure

from traffic.chart import chart
from traffic.verdict import Run

PAGE: Final = ROOT / "docs" / "operate" / "load.md"
PICTURE: Final = ROOT / "docs" / "pictures" / "load.svg"

INTRODUCTION: Final = """\
# Load

Made by `make load`; do not change it by hand.

Mixed traffic against a whole installation on one machine: `serve --workers 2 --with-worker` with
the embedded PostgreSQL, a second `worker`, a receiver that checks the signature of every webhook,
and the program that makes the traffic. Six workspaces, two of them rehearsals whose simulated
managers work and whose clocks are moved: orders under idempotency keys, one in four sent twice at
once; configuring, uploads, publishing and reviews; lists, single objects, analytics; pages of
customers, a manager and an operator who are signed in; and calls that must be refused.

Each process has five connections to the database (`TOKPORTAL_POOL_SIZE`; the default is ten): that
is enough for two cores, and each takes up to 17 MiB in PostgreSQL.

Arrivals come at random moments that do not wait for earlier answers, and a call's time counts from
when it was due. So a pause of the server shows in every call that fell into it.
"""


def write(run: Run) -> None:
    """Write page and picture."""
    PICTURE.write_text(chart(run), encoding="utf-8")
    PAGE.write_text(page(run), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)} are written")


def page(run: Run) -> str:
    """Give the page's text."""
    made = ", ".join(f"{count:,} {name}" for name, count in run.settled.made.items())
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    facts = (
        f"{run.measured_at:%-d %B %Y, %H:%M} UTC, commit {run.commit}:"
        f" {run.seconds / 60:g} minutes, {run.rate:g} arrivals a second ({run.arrivals:,} in all,"
        f" never more than {run.most_under_way} under way). All cores were {run.busy:.0f} % busy,"
        f" {run.used:.0f} % with the run and whoever made its traffic. It made {made}.\n\n"
        f"{run.machine['processor']}, {run.machine['cores']} cores, {run.machine['memory']},"
        f" {run.machine['kernel']}; {versions}.\n"
    )
    return "\n".join(
        [
            INTRODUCTION,
            "## The run\n",
            facts,
            "| what must be true | seen | |",
            "|---|---|---|",
            *(
                f"| {one.name} | {one.said.replace('|', '/')} |"
                f" {'kept' if one.kept else '**broken**'} |"
                for one in run.claims
            ),
            "",
            *_failures(run),
            "![Memory of each part, and the latency of reads, over the run](../pictures/load.svg)",
            "",
            *_memory(run),
            *_kinds(run),
        ]
    )


def _failures(run: Run) -> list[str]:
    if not run.failures:
        return []
    lines = ["What was not intended, the first of each kind:", ""]
    first = {one.kind: one for one in reversed(run.failures)}
    lines += [
        f"- {kind}, {run.failed[kind]} times, at {one.second:g} s: `{one.said[:200]}`"
        for kind, one in first.items()
    ]
    return [*lines, ""]


def _memory(run: Run) -> list[str]:
    if not run.growth:
        return []
    return [
        "## Memory\n",
        "Proportional set size without what is made to be shared, MiB; medians of a minute.\n",
        "| part | minute 5 | last minute | | highest |",
        "|---|---|---|---|---|",
        *(
            f"| {one.part} | {one.early:.1f} | {one.late:.1f} | {one.ratio - 1:+.1%} |"
            f" {one.highest:.1f} |"
            for one in run.growth
        ),
        "",
        "PostgreSQL's shared buffers fill up to their fixed size, and are not judged.",
        "",
    ]


def _kinds(run: Run) -> list[str]:
    return [
        "## Calls\n",
        "Milliseconds, from when a call was due to the end of its answer.\n",
        "| call | | count | median | 95 % | 99 % | longest |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {kind} | {run.groups[kind]} | {one.count:,} | {figure(one.median)} |"
            f" {figure(one.p95)} | {figure(one.p99)} | {figure(one.highest)} |"
            for kind, one in run.kinds.items()
        ),
        "",
    ]
