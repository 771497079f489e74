"""The load run of bench/, for seconds: mixed traffic leaves no error and no contradiction."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.house.repository import ROOT

SAFETY_NET = 300.0


def test_mixed_traffic_has_only_intended_errors_and_leaves_the_books_right(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    argv = [sys.executable, "bench/load_run.py", "--minutes", "0.15", "--rate", "20"]
    done = subprocess.run(
        [*argv, "--result", str(result)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        check=False,
    )
    assert result.exists(), done.stdout + done.stderr
    run = json.loads(result.read_text())
    assert [claim for claim in run["claims"] if not claim["kept"] and not claim["timed"]] == []
    assert {"read", "write", "upload", "page", "clock", "refusal"} <= set(run["groups"].values())
    assert run["settled"]["made"]["published"] > 0
    assert run["settled"]["received"] > 0
