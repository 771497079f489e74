"""The shipped scenarios as pages of the documents, in Markdown."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tokportal_server.entry.rehearsing.scenario import Step, read_scenario, shipped_scenarios


def scenario_table() -> str:
    """List the scenarios, each with a link to its page."""
    rows = [
        f"| [`{path.stem}`](../scenarios/{path.stem}.md) | {read_scenario(path).about} |"
        for path in shipped_scenarios()
    ]
    return "\n".join(["| scenario | what it shows |", "|---|---|", *rows])


def scenario_page(path: Path) -> str:
    """Tell one scenario: what it is about, its steps, how to play it, and its text."""
    scenario = read_scenario(path)
    steps = [f"{number}. {_told(step)}" for number, step in enumerate(scenario.steps, 1)]
    text = path.read_text(encoding="utf-8").strip()
    return "\n".join(
        [
            f"# {scenario.name}",
            "",
            scenario.about,
            "",
            *steps,
            "",
            "Play it:",
            "",
            f"    tokportal-server rehearse {path.stem}",
            "",
            "The whole of it, to begin one of your own with:",
            "",
            f"```yaml\n{text}\n```",
            "",
        ]
    )


def _told(step: Step) -> str:
    match step.act:
        case "call":
            how = f"`{step.call}`"
        case "upload":
            how = "`POST /upload/video/direct`"
        case "clock":
            how = "to what happens next" if step.clock == "next" else f"{step.clock:g} hours later"
        case _:
            how = ", ".join(f"`{kind}`" for kind in step.events or ())
    wanted = ", ".join(
        f"`{path}` is `{msgspec.json.encode(value).decode()}`"
        for path, value in step.expect.items()
    )
    return f"{step.do}: {how}" + (f". Then {wanted}." if wanted else ".")
