"""Asks the advisory service about every pinned version: ``python -m tools.dependency_audit``.

Ends with 0 if no pinned version has a known vulnerability, 1 if one has, and 3 if the service could
not be asked about all of them: not knowing is neither.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLEAN, VULNERABLE, NOT_ASKED = 0, 1, 3


def main() -> int:
    """Audit the pins of constraints.txt as they stand, without resolving or installing anything."""
    run = subprocess.run(  # noqa: S603 - our own arguments
        [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format", "json"),
            *("--requirement", str(ROOT / "constraints.txt"), "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        pins: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(run.stderr.strip()[-1000:])
        print("The advisory service could not be asked: nothing is known about any pin.")
        return NOT_ASKED
    return judge(pins)


def judge(pins: list[dict[str, Any]]) -> int:
    """Print what is known about pins as pip-audit lists them; give the exit code.

    pip-audit itself ends well if it has skipped every one of them.
    """
    vulnerable = [pin for pin in pins if pin.get("vulns")]
    skipped = [pin["name"] for pin in pins if "skip_reason" in pin]
    for pin in vulnerable:
        for one in pin["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            print(f"{pin['name']} {pin['version']}: {one['id']}, mended in {mended}")
    if vulnerable:
        return VULNERABLE
    if skipped or not pins:
        print(
            f"{len(skipped)} of {len(pins)} pins could not be looked up, so nothing is known about"
            f" them: {', '.join(skipped[:5])}{' …' if len(skipped) > 5 else ''}"
        )
        return NOT_ASKED
    print(f"None of {len(pins)} pinned versions has a known vulnerability.")
    return CLEAN


if __name__ == "__main__":
    sys.exit(main())
