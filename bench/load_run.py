"""Half an hour of mixed traffic against two API processes and two workers, and what it left.

1. A whole installation, as its commands start it: ``serve --workers 2 --with-worker`` with the
   embedded PostgreSQL, and ``worker``. A receiver in a process of its own checks every webhook.
2. Open-loop traffic of all kinds (``traffic/kinds.py``): arrivals do not wait for answers, and a
   call is timed from when it was due. Refusals that are meant are counted apart.
3. Memory of every process each ten seconds, without what is made to be shared.
4. Then everything under way must come to its end, every event must have been received, and
   ``doctor`` must be clean.

``python bench/load_run.py --minutes 30 --page``, with nothing else going on; the result is
``build/load/result.json``. The exit code is 1 if a claim was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp
import msgspec
import uvloop
from harness.installation import Installation, installed
from harness.report import ROOT, commit, machine, versions
from harness.stage import NO_LIMITS
from traffic import page
from traffic.arrivals import traffic
from traffic.cast import Cast, assemble, sign_in, subscribe
from traffic.receiver import verifying_receiver
from traffic.settling import Settled, settle
from traffic.tally import Latencies, Tally
from traffic.verdict import Run, claims, grown
from traffic.watching import Watch

# Two cores are about 60 % busy at that, the traffic's own part included.
RATE: Final = 50.0
_API_PROCESSES: Final = 2
_WINDOW_SECONDS: Final = 10.0
# A connection takes up to 17 MiB in PostgreSQL. Four processes on two cores need no more than these
# at once; with the default of ten, memory follows how many a moment happens to use.
_POOL_SIZE: Final = 5


@dataclass(slots=True)
class Outcome:
    """What the traffic gave."""

    tally: Tally
    watch: Watch
    settled: Settled
    restarted: list[str]


async def run_traffic(
    installation: Installation, hooks: int, *, rate: float, seconds: float
) -> Outcome:
    """Set the scene, let the traffic come, and wait until all is quiet."""
    dsn = await asyncio.to_thread(installation.dsn)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
    with TemporaryDirectory() as folder:
        cast = await assemble(dsn, Path(folder))
    tally = Tally()
    watch = Watch(installation, min(_WINDOW_SECONDS, seconds / 4))
    async with aiohttp.ClientSession(installation.origin, connector=connector) as session:
        await subscribe(cast, session, hooks)
        await sign_in(cast, installation.origin, connector)
        stop = asyncio.Event()
        watching = asyncio.create_task(watch.run(stop))
        try:
            await traffic(session, cast, tally, rate=rate, seconds=seconds)
        finally:
            stop.set()
            await watching
            await _close(cast)
        restarted = watch.restarted()
    logs = sorted(installation.logs.iterdir())
    return Outcome(tally, watch, await settle(dsn, cast, hooks, logs), restarted)


async def _close(cast: Cast) -> None:
    for browser in cast.browsers.values():
        await browser.close()


def examined(installation: Installation) -> str:
    """Give what ``doctor`` says: clean, or its words."""
    done = installation.run("doctor")
    return "clean" if done.returncode == 0 else (done.stdout + done.stderr)[-2000:]


def load_run(*, rate: float, seconds: float) -> Run:
    """Make the run; judge it."""
    began = datetime.now(UTC).replace(microsecond=0)
    with verifying_receiver() as hooks:
        settings = {
            **NO_LIMITS,
            "TOKPORTAL_POOL_SIZE": str(_POOL_SIZE),
            "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
            "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": str(hooks),
        }
        with (
            installed(**settings) as installation,
            installation.serve("--workers", str(_API_PROCESSES), "--with-worker"),
            installation.worker(),
        ):
            outcome = uvloop.run(run_traffic(installation, hooks, rate=rate, seconds=seconds))
            doctor = examined(installation)
    tally, samples = outcome.tally, outcome.watch.samples
    run = Run(
        measured_at=began,
        commit=commit(),
        machine=machine(),
        versions=versions(),
        seconds=seconds,
        rate=rate,
        arrivals=tally.arrivals,
        most_under_way=tally.most_under_way,
        busy=round(fmean(one.busy for one in samples[1:]), 1),
        used=round(fmean(one.used for one in samples[1:]), 1),
        window=_WINDOW_SECONDS,
        reads=Latencies.of(took for _, took in tally.of_group("read")),
        kinds=tally.by_kind(),
        groups=dict(tally.groups),
        refused=dict(tally.refused),
        failed=dict(tally.failed),
        put_off=tally.put_off,
        failures=tally.failures,
        windows=tally.windows(_WINDOW_SECONDS),
        samples=samples,
        restarted=outcome.restarted,
        settled=outcome.settled,
        doctor=doctor,
        growth=grown(samples),
    )
    run.claims = claims(run)
    return run


def show(run: Run) -> None:
    """Print what matters."""
    print(
        f"{run.arrivals:,} arrivals, all cores {run.busy:.0f} % busy, {run.used:.0f} % with this;"
        f" made {run.settled.made}"
    )
    for kind, one in run.kinds.items():
        print(
            f"{kind:50} {one.count:7,} {one.median:8.1f} {one.p95:8.1f} {one.p99:8.1f}"
            f" {one.highest:8.1f} ms"
        )
    for part in run.growth:
        change = f"{part.early:.1f} to {part.late:.1f} MiB ({part.ratio - 1:+.1%})"
        print(f"memory of {part.part}: {change}")
    for failure in run.failures[:10]:
        print(f"not intended: {failure.kind} at {failure.second:g} s: {failure.said}")
    for claim in run.claims:
        print(f"{claim.name}: {claim.said}: {'kept' if claim.kept else 'BROKEN'}")


def main() -> int:
    """Run; the exit code is 1 if a claim was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=RATE, help="arrivals a second")
    parser.add_argument("--page", action="store_true", help="write docs/operate/load.md")
    target = ROOT / "build" / "load" / "result.json"
    parser.add_argument("--result", type=Path, default=target, help="where the JSON goes")
    arguments = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f}", flush=True)
    run = load_run(rate=arguments.rate, seconds=60 * arguments.minutes)
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    show(run)
    if arguments.page:
        page.write(run)
    return 0 if all(claim.kept for claim in run.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
