"""A direct upload of 1 GiB: how fast, against a copy of the same file, and in how much memory.

1. One API process of ours, with an embedded PostgreSQL and a directory for media.
2. A film of one second, padded to 1 GiB with a ``free`` box of random bytes, on the same disk.
3. In pairs, one after the other: ``cp``, ``fsync`` and ``sha256sum`` of that file, and its upload
   over loopback by ``curl``. What counts is the median of the pairs' ratios (limit 0.5).
4. The memory of the API process while it is sent: the most that it rose above what it held after a
   small upload, as the kernel counted it (limit 32 MiB). Decoders are processes of their own.

``python bench/upload.py [MiB]``, with nothing else going on.
"""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
import time
from hashlib import file_digest
from pathlib import Path
from statistics import median
from typing import Any

import av
import msgspec
import psutil
from harness.report import Report, Spread, reporting
from harness.stage import api, connected, order, postgres, settle_in

LIMIT_RATIO = 0.5
LIMIT_MIB = 32
PAIRS = 3
MIB = 1 << 20


def film(path: Path, size: int) -> None:
    """Write a playable MP4 of exactly ``size`` bytes; whoever plays it passes over the padding."""
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 96, "yuv420p"
        for _ in range(25):
            container.mux(stream.encode(av.VideoFrame(64, 96, "yuv420p")))
        container.mux(stream.encode(None))
    padding = size - path.stat().st_size
    with path.open("ab") as file:
        # Size 1 says that a 64-bit size follows the box's name.
        left = padding - file.write(struct.pack(">I4sQ", 1, b"free", padding))
        while left > 0:
            left -= file.write(os.urandom(min(MIB, left)))
        file.flush()
        os.fsync(file.fileno())


def copy(source: Path) -> float:
    """Give the seconds that ``cp``, ``fsync`` and ``sha256sum`` take together."""
    target = source.with_name("copy")
    began = time.perf_counter()
    subprocess.run(["/bin/cp", source, target], check=True)  # noqa: S603 - fixed arguments
    with target.open("rb") as file:
        os.fsync(file.fileno())
    subprocess.run(["/usr/bin/sha256sum", target], check=True, capture_output=True)  # noqa: S603
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def upload(source: Path, port: int, key: str, bundle: str) -> tuple[float, Any]:
    """Give the seconds of one upload, and what was answered."""
    command = [
        *("/usr/bin/curl", "--silent", "--show-error", "-H", "Expect:"),
        *("-H", f"X-API-Key: {key}", "-F", f"bundle_id={bundle}", "-F", f"file=@{source}"),
        f"http://127.0.0.1:{port}/api/ext/upload/video/direct",
    ]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - as above
    return time.perf_counter() - began, msgspec.json.decode(done.stdout)


def forget_peak(process: psutil.Process) -> int:
    """Set the recorded peak back to what the process holds (proc(5), clear_refs); give that."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    return int(process.memory_info().rss)


def peak(process: psutil.Process) -> int:
    """Give the most resident memory since the peak was forgotten, in bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


async def customer(dsn: str) -> tuple[str, str]:
    """Make a workspace with a bundle; give its key and the bundle's id."""
    async with connected(dsn) as conn:
        tenant = await settle_in(conn, "uploader")
        return tenant.key, str(await order(conn, tenant))


def measure(report: Report, home: Path, dsn: str, size: int) -> None:
    """Measure both."""
    large, small = home / "large.mp4", home / "small.mp4"
    film(large, size)
    film(small, 12 * MIB)
    with large.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    key, bundle = asyncio.run(customer(dsn))
    ratios, times = [], []
    with api(home, dsn) as (port, process):
        upload(small, port, key, bundle)
        before = forget_peak(process)
        for _ in range(PAIRS):
            copied = copy(large)
            seconds, answer = upload(large, port, key, bundle)
            assert answer["data"]["sha256"] == digest, answer
            ratios.append(copied / seconds)
            times.append(seconds)
        growth = (peak(process) - before) / MIB
    report.add(
        f"upload of {size / MIB:,.0f} MiB",
        size / MIB / median(times),
        "MiB/s",
        ratio=median(ratios),
        versus="cp + fsync + sha256sum",
        spread=Spread.of(ratios),
        at_least=LIMIT_RATIO,
    )
    report.add("memory of the API process meanwhile, rise", growth, "MiB", at_most=LIMIT_MIB)


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    # The default limit of a video is 1 GiB.
    size = int(sys.argv[1]) * MIB if len(sys.argv) > 1 else 1 << 30
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        measure(report, home, dsn, size)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
