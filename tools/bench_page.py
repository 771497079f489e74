"""``python -m tools.bench_page``: the page of all measurements, docs/operate/benchmarks.md.

What the scripts of ``bench/`` have left in ``build/bench`` replaces what is known of them; what is
known is kept in docs/operate/benchmarks.json, so that a script that was not run keeps its place and
its date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.harness.report import RESULTS, ROOT, Measure, Results, figure

KNOWN: Final = ROOT / "docs" / "operate" / "benchmarks.json"
PAGE: Final = ROOT / "docs" / "operate" / "benchmarks.md"
LOAD: Final = PAGE.with_name("load.md")

INTRODUCTION: Final = """\
# Benchmarks

Made by `make bench`, which runs the scripts of `bench/`, each by itself; do not change it by hand.
What it means is told in [Performance](performance.md).

Ratios are what to look at: both sides were measured by turns on one machine, which has a speed of
its own. Two numbers in brackets are the middle half of several rounds; what stands before them is
their median. A limit is one of the ratio, or of the value where there is no ratio. The load is that
of the minute before a script began: far above zero, something ran beside it.
"""
# What a mock leaves out, said where its numbers stand.
REMARKS: Final = {
    "mock": """\
The mock is a process of Node that answers each call with an example from the document. It keeps
nothing: an order that is made is not there afterwards, every id is found, any key will do, no
credit is spent, no state forbids anything, no time passes, nobody works on it, no webhook comes.
Its list has one bundle, ours 25. There is no limit, since it is not the same work.
""",
}


def known(*places: Path) -> dict[str, Results]:
    """Read results by script; later places win."""
    found: dict[str, Results] = {}
    for place in places:
        if place.is_dir():
            for path in sorted(place.glob("*.json")):
                if not path.name.endswith(".partial.json"):
                    one = msgspec.json.decode(path.read_bytes(), type=Results)
                    found[one.script] = one
        elif place.exists():
            found |= msgspec.json.decode(place.read_bytes(), type=dict[str, Results])
    return dict(sorted(found.items()))


def page(results: Sequence[Results]) -> str:
    """Write the page."""
    newest = max(results, key=lambda one: one.measured_at)
    parts = [INTRODUCTION]
    if LOAD.exists():
        parts.append("Half an hour of mixed traffic has a page of its own: [Load](load.md).\n")
    parts += [_machine(newest), _verdict(results)]
    parts += [_section(one, newest) for one in results]
    return "\n".join(parts)


def _machine(one: Results) -> str:
    about = one.machine
    versions = ", ".join(f"{name} {number}" for name, number in one.versions.items())
    return (
        f"**Machine:** {about['processor']}, {about['cores']} cores, {about['memory']},"
        f" {about['kernel']}.\n\n**Versions:** {versions}.\n"
    )


def _verdict(results: Iterable[Results]) -> str:
    limited = [(one, m) for one in results for m in one.measures if m.kept is not None]
    broken = [(one, m) for one, m in limited if not m.kept]
    lines = [f"**Limits:** {len(limited) - len(broken)} of {len(limited)} kept.\n"]
    lines += [f"- broken: [{one.script}](#{one.script}), {m.name}" for one, m in broken]
    lines += [
        f"- not run: [{one.script}](#{one.script}), {missing.name}: {missing.reason}"
        for one in results
        for missing in one.not_run
    ]
    return "\n".join(lines) + ("\n" if len(lines) > 1 else "")


def _section(one: Results, newest: Results) -> str:
    facts = [
        f"{one.measured_at:%-d %B %Y, %H:%M} UTC",
        *([f"commit {one.commit}"] if one.commit else []),
        f"{one.seconds:.0f} s",
        f"load {one.load:.1f}",
    ]
    peers = one.versions.items() - newest.versions.items()
    facts += [f"{name} {number}" for name, number in sorted(peers)]
    if one.machine != newest.machine:
        facts.append("on " + ", ".join(one.machine.values()))
    lines = [
        f"## {one.script}\n",
        f"{one.title}.\n",
        *([REMARKS[one.script]] if one.script in REMARKS else []),
        f"`bench/{one.script}.py`, {'; '.join(facts)}.\n",
        "| what | measured | ratio | limit | |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(measure) for measure in one.measures]
    lines += [f"| {missing.name} | not run: {missing.reason} | | | |" for missing in one.not_run]
    return "\n".join(lines) + "\n"


def _row(measure: Measure) -> str:
    middle = ""
    if measure.spread is not None:
        middle = " ({} to {})".format(*map(figure, measure.spread))
    value, ratio = f"{figure(measure.value)} {measure.unit}", ""
    if measure.ratio is None:
        value += middle
    else:
        ratio = f"{figure(measure.ratio)}{middle} of {measure.versus}"
    if measure.note:
        value += f"; {measure.note}"
    word = {None: "", True: "kept", False: "**broken**"}[measure.kept]
    return f"| {measure.name} | {value} | {ratio} | {measure.limit} | {word} |"


def main() -> None:
    """Write the page, and what is known."""
    results = known(KNOWN, RESULTS)
    if not results:
        print("There are no results yet; run make bench.")
        return
    KNOWN.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    PAGE.write_text(page(list(results.values())), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(results)} scripts")


if __name__ == "__main__":
    main()
