"""Looks for secrets in every file that git keeps, and with ``--history`` in what it ever kept.

    python -m tools.secrets_scan [--history]

detect-secrets finds what looks like one: forms of known services, private keys, passwords in URLs,
and texts too random to be words. What is none stands in ``tools/secrets_known.json`` by its hash,
with a reason; a line there that nothing matches any more is an error too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parents[1]
KNOWN = ROOT / "tools" / "secrets_known.json"
# Made by programs, and full of hashes: pins, pictures, recorded answers.
_LEFT_OUT = (".svg", ".png", ".lock", ".min.js", "constraints.txt", "tools/secrets_known.json")
# Forms that are nothing but a secret. Entropy alone finds every id and digest of a test.
_SETTINGS = {
    "plugins_used": [
        {"name": name}
        for name in (
            *("ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector"),
            *("BasicAuthDetector", "CloudantDetector", "DiscordBotTokenDetector"),
            *(
                "GitHubTokenDetector",
                "GitLabTokenDetector",
                "JwtTokenDetector",
                "MailchimpDetector",
            ),
            *("NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector"),
            *("SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector"),
            *("TelegramBotTokenDetector", "TwilioKeyDetector"),
        )
    ]
}


class Finding(NamedTuple):
    """Where something looks like a secret, and the hash that names it without telling it."""

    place: str
    kind: str
    digest: str


def find_in(place: str, text: str) -> Iterator[Finding]:
    """Yield what looks like a secret in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in scan_line(line):
            value = found.secret_value or line
            yield Finding(f"{place}:{number}", found.type, sha256(value.encode()).hexdigest()[:16])


def tracked_files() -> Iterator[tuple[str, str]]:
    """Yield name and content of every file of text that git keeps or would keep."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        path = ROOT / name
        if not name.endswith(_LEFT_OUT) and path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                yield name, content.decode("utf-8", "replace")


def added_ever() -> Iterator[tuple[str, str]]:
    """Yield what each commit added, by its short name."""
    commit = "?"
    lines: list[str] = []
    for line in _git("log", "--all", "-p", "-U0", "--no-color", "--format=commit %h").splitlines():
        if line.startswith("commit "):
            yield commit, "\n".join(lines)
            commit, lines = line, []
        elif line.startswith("+") and not line.startswith("+++") and len(line) < 2000:
            lines.append(line[1:])
    yield commit, "\n".join(lines)


def _git(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - our own arguments
        ["git", *arguments],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    ).stdout


def known() -> dict[str, str]:
    """Give the hashes of what looks like a secret and is none, with the reason."""
    loaded: dict[str, str] = json.loads(KNOWN.read_text(encoding="utf-8"))
    return loaded


def scan(texts: Iterator[tuple[str, str]]) -> list[Finding]:
    """Give what looks like a secret, known ones included."""
    with transient_settings(_SETTINGS):
        return [finding for place, text in texts for finding in find_in(place, text)]


def main() -> int:
    """Print what is found; 1 if that is anything."""
    history = "--history" in sys.argv
    found = scan(added_ever() if history else tracked_files())
    excused = known()
    new = [finding for finding in found if finding.digest not in excused]
    for finding in new:
        print(f"{finding.place}: {finding.kind} ({finding.digest})")
    stale = set(excused) - {finding.digest for finding in found}
    if stale and not history:
        print(f"In {KNOWN.name} but nowhere else any more: {', '.join(sorted(stale))}")
    return 1 if new or (stale and not history) else 0


if __name__ == "__main__":
    sys.exit(main())
