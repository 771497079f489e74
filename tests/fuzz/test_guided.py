"""Each parser under coverage-guided fuzzing, for ``FUZZ_SECONDS`` (a minute unless said)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.fuzz.campaign import ROOT
from tests.fuzz.parsers import TARGETS

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@pytest.mark.fuzz
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this machine")
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_that_fuzzing_finds_breaks_a_parser(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", name, "--seconds", str(SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS * 3 + 120,
        check=False,
    )
    report = (run.stdout + run.stderr)[-4000:]
    assert run.returncode == 0, report
    assert "number_of_executed_units" in report
