"""One run of Schemathesis: its settings, and the process that it runs in."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.http.seed import Seed

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("examples", "coverage", "fuzzing")
_SETTINGS = """\
hooks = "tests.fuzz.checks"
continue-on-failure = true
request-timeout = 30.0

[cache]
enabled = false

[generation]
database = "none"

[checks.positive_data_acceptance]
enabled = false

[checks.negative_data_rejection]
enabled = false

# Answered as a feature that newer clients know (contract section 1).
[[operations]]
include-path = "/me"
[operations.phases.coverage]
unexpected-methods = ["POST", "PUT", "DELETE"]

# A platform that gives no numbers is 502 (contract section 11).
[[operations]]
include-path-regex = "/refresh$"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "502"]
"""
_DICTIONARY = """
[dictionaries.{name}]
values = {values}

[[operations]]
include-path-regex = "^/{name}/\\\\{{id\\\\}}"
parameters = {{ "path.id" = {{ dictionary = "{name}", probability = 0.8 }} }}
"""


@dataclass(frozen=True)
class Campaign:
    """Where requests are sent, as whom, how many, and about what."""

    server: str
    key: str
    seed: Seed
    home: Path
    examples: int = 15
    number: int = 1

    async def run(self, phases: Sequence[str], *more: str) -> None:
        """Send the requests; fail with Schemathesis's report if anything came back wrong.

        ``number`` seeds what is made up: the same number makes the same requests to the same
        server.
        """
        settings = self.home / "schemathesis.toml"
        settings.write_text(_SETTINGS + self._dictionaries(), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"],
            *[f"{self.server}/api/ext/openapi.json", "--header", f"X-API-Key: {self.key}"],
            *["--phases", ",".join(phases), "--max-examples", str(self.examples)],
            *["--seed", str(self.number)],
            *["--no-color", *more],
            cwd=self.home,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        report, _ = await process.communicate()
        text = report.decode(errors="replace")
        assert process.returncode == 0, text
        assert "Test cases:" in text, f"no request was made:\n{text}"

    def _dictionaries(self) -> str:
        """Have most calls name something that exists."""
        ids = asdict(self.seed)
        things = {"accounts": [ids.pop("account")], "webhooks": [ids.pop("endpoint")]}
        return "".join(
            _DICTIONARY.format(name=name, values=values)
            for name, values in (things | {"bundles": list(ids.values())}).items()
        )

    def _environment(self) -> Mapping[str, str]:
        return os.environ | {"PYTHONPATH": str(ROOT)}
