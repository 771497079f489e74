"""The demo's output as a picture for the README: ``python -m tools.recording``.

Runs the demo on a home of its own, and draws what it printed as a terminal shows it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "demo.svg"
_WIDTH: Final = 100
# The picture loads nothing from elsewhere: readers have a font of equal widths of their own.
_FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
# What is another one in every run.
_SECRETS: Final = ((re.compile(r"sk_[0-9a-f]{64}"), "sk_…"), (re.compile(r"(?<=\.com  )\S+"), "…"))


def demo() -> str:
    """Run the demo to its end; give what it printed."""
    program = Path(sys.executable).with_name("tokportal-server")
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        ran = subprocess.run(  # noqa: S603 - our own program
            [str(program), "demo", "--exit"],
            env={**os.environ, "TOKPORTAL_HOME": home, "COLUMNS": str(_WIDTH)},
            capture_output=True,
            text=True,
            check=True,
        )
    return ran.stdout


def draw(printed: str) -> str:
    """Draw what a terminal shows as SVG."""
    for found, instead in _SECRETS:
        printed = found.sub(instead, printed)
    console = Console(record=True, width=_WIDTH, file=StringIO())
    for line in ["$ make run", *printed.strip().splitlines()]:
        text = Text(line, no_wrap=True, overflow="ellipsis")
        text.highlight_regex(r"✓", "green")
        text.highlight_regex(r"^\$ .*", "bold")
        console.print(text)
    return _FONTS.sub("", console.export_svg(title="tokportal-server demo"))


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(draw(demo()), encoding="utf-8")
    print(f"wrote {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
