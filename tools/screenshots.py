"""Pictures of the main pages for the documentation: ``python -m tools.screenshots``.

The test that opens every page takes them, of the workspace that it sets up; this runs it and keeps
what the documentation shows, in ``docs/pictures``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURES: Final = ROOT / "docs" / "pictures"
TEST: Final = (
    "tests/console/test_every_page.py::test_every_page_is_usable_by_everybody_on_every_screen"
)
# What the test calls a page of somebody's, and what the documentation calls it.
MAIN: Final = {
    "alice-overview-1": "console-overview",
    "alice-bundle-1": "console-bundle",
    "alice-order_form-1": "console-new-bundle",
    "alice-calendar-1": "console-calendar",
    "alice-accounts-1": "console-accounts",
    "alice-credits-1": "console-credits",
    "alice-deliveries-1": "console-deliveries",
    "mona-queue-1": "desk-queue",
    "mona-my_work-1": "desk-my-work",
    "mona-work-1": "desk-order",
    "olga-admin_home-1": "admin-home",
    "olga-admin_orders-1": "admin-orders",
}
LOOKS: Final = {"1280-light": "light", "1280-dark": "dark", "390-dark": "phone"}


def main() -> int:
    """Take the pictures; give 1 if one of them is missing."""
    with tempfile.TemporaryDirectory(prefix="tokportal-pictures-") as name:
        taken = Path(name)
        environ = os.environ | {"TEST_PICTURES": name}
        command = [sys.executable, "-m", "pytest", "-q", "-n0", TEST]
        status = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode  # noqa: S603 - our own test
        missing = [file for file in _wanted(taken) if not file[0].is_file()]
        for source, target in _wanted(taken):
            if source.is_file():
                shutil.copyfile(source, target)
    for source, _ in missing:
        print(f"There is no picture {source.name}.")
    return status or bool(missing)


def _wanted(taken: Path) -> list[tuple[Path, Path]]:
    return [
        (taken / f"{page}-{look}.png", PICTURES / f"{called}-{suffix}.png")
        for page, called in MAIN.items()
        for look, suffix in LOOKS.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
