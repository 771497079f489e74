"""The parsers of what strangers send, each as a function of bytes that fails if it misbehaves.

The suite throws Hypothesis's bytes at them (tests/hostile/test_parsers.py), `make fuzz` those that
atheris finds by watching which branches they reach (tests/fuzz/guided.py).
"""

from __future__ import annotations

from tests.fuzz.parsers import addresses, bodies, csv_files, heads, mails, media, signatures
from tests.fuzz.parsers.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (addresses, bodies, csv_files, heads, mails, media, signatures)
    for target in module.TARGETS
}
