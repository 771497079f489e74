"""A real name server with records that live for no time at all, asked by the real resolver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hazards.rebinding import ANSWERS, METADATA, PUBLIC

ROOT = Path(__file__).resolve().parents[2]
# A network without a way out, which has the addresses that are asked about on its own loopback.
STAGE = """
set -e
ip link set lo up
ip addr add "$1/32" dev lo
ip addr add "$2/32" dev lo
echo "nameserver 127.0.0.1" > "$3"
mount --bind "$3" /etc/resolv.conf
exec "$4" -m tests.hazards.rebinding
"""
ISOLATED = ["unshare", "--net", "--mount"]


def _may_isolate() -> bool:
    if os.geteuid() != 0:
        return False
    return subprocess.run([*ISOLATED, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.hazard(21)
@pytest.mark.skipif(not _may_isolate(), reason="needs root, for a network namespace of its own")
def test_no_private_address_of_a_rebinding_name_server_is_ever_connected_to(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [*ISOLATED, "sh", "-c", STAGE, "sh", PUBLIC, METADATA, str(tmp_path / "r"), sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["outcomes"] == {
        "rebind.example.com": ["200", "blocked"],
        "metadata.example.com": ["200", "blocked"],
        "mixed.example.com": ["blocked", "blocked"],
        "mixed-other-way.example.com": ["blocked", "blocked"],
    }
    assert told["connected"] == {PUBLIC: 2}
    # One look-up a call: what was judged is what was dialled.
    assert told["asked"] == dict.fromkeys(ANSWERS, 2)
