"""What the product is held to: forty hazards, and the tests that prove them.

A test says which it proves by ``@pytest.mark.hazard(number)``. It is long if it is marked ``proof``
or ``fuzz``; a parametrised one of which only some cases are counts as both.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = ROOT / "tests"

GROUPS: Final = {
    1: "Jobs",
    11: "Webhooks",
    20: "Outgoing calls",
    24: "Idempotency",
    28: "Credits",
    33: "Who may do what, and secrets",
    36: "Input and files",
    40: "The machine",
}
HAZARDS: Final = {
    1: "The only worker killed 20 times over 5,000 jobs: all done, few again, within two leases",
    2: "A job longer than three leases runs once, also one that blocks its worker's event loop",
    3: "A worker frozen for two leases has lost its job: it can neither end it nor take effect",
    4: "A job that ends its process is held after its last attempt, and the others go on",
    5: "A transaction that fails at any step leaves no job, event, ledger entry or stored answer",
    6: "Eight writers beside two workers commit at six tenths of their bare pace or more",
    7: "Told to stop, a worker takes nothing new, finishes in its grace or gives back; exit 0",
    8: "Two schedulers, a clock that steps back 90 s and a change of local time: each slot once",
    9: "Every connection cut each two seconds for a minute: workers come back, nothing is lost",
    10: "A claim among a million finished and 100,000 scheduled jobs: 99 of 100 under 10 ms",
    11: "One endpoint hangs with 10,000 events waiting: 49 others get theirs in 1 s (99 of 100)",
    12: "Retries follow the schedule within a fifth; Retry-After in every form is clamped",
    13: "410 disables, redirects are failures, 429 and 503 hold back their own endpoint alone",
    14: "The breaker opens, probes with one delivery, closes; what waits loses no attempts",
    15: "The bytes signed are the bytes sent, and the published client tells good from bad",
    16: "Retries and replays keep the event's id and are signed anew; two at once are two attempts",
    17: "Endless, slow, exploding, broken and cut answers end in 15 s, in flat memory, 2 KiB kept",
    18: "Five days without success disable, sporadic failures do not; the owner hears of it twice",
    19: "A worker killed between sending and noting sends again, with the same id",
    20: "73 hostile addresses and 80 spellings, as endpoint, media and redirect: none is dialled",
    21: "A name server that changes its mind, or mixes addresses, leads to no private one",
    22: "Proxies of the environment, credentials, other ports and other schemes are not used",
    23: "A redirect to a private address, or from https to http, ends at the hop",
    24: "50 calls at once with one key: one effect, and every answer the same bytes",
    25: "A crash after any statement of a keyed call: its repetition has exactly one effect",
    26: "A key used for another request is refused; another workspace's is its own",
    27: "Answers replay though the thing has changed; failures are not kept; keys get free",
    28: "16 processes empty one wallet to the credit, without a false refusal",
    29: "2,000 sequences of all that moves credits end, step by step, as a model says",
    30: "Credits that are spent at the instant they expire are spent or expired, never both",
    31: "API and worker are killed during 10,000 orders: charged is what exists, to the credit",
    32: "Nobody changes an entry of the ledger, and the doctor finds what a superuser changed",
    33: "Ids of another workspace, in every path, query and body, name nothing; scopes hold",
    34: "Dump, jobs and logs hold no key, secret or credential; ciphertexts do not change rows",
    35: "The vault's key is changed under load, and the old one can go",
    36: "Generated requests to every operation are answered as the document says",
    37: "Bombs, polyglots, archives and broken files: flat memory, others served, nothing inline",
    38: "Wrong CSVs are refused in flat memory, or answered by row; a kill leaves all or nothing",
    39: "What people wrote runs nowhere: not in reports, not on pages, not in spreadsheets",
    40: "Root, closed folders, long paths, stale files, a full disk, kill -9 of all: no harm",
}
# Those whose numbers or times are too large for every run of the suite.
LONG: Final = frozenset({1, 5, 6, 9, 10, 11, 17, 19, 28, 29, 31, 36, 38})


@dataclass(frozen=True, slots=True)
class HazardTest:
    """A test function: its file from the root, its name, and which kinds of cases it has."""

    path: str
    name: str
    hazards: tuple[int, ...]
    short: bool
    long: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """Give ``short``, ``long`` or both."""
        return ("short",) * self.short + ("long",) * self.long


def _marks(nodes: list[ast.expr]) -> Iterator[ast.Attribute]:
    """Give every ``pytest.mark.<name>`` within some expressions."""
    for node in nodes:
        for inner in ast.walk(node):
            match inner:
                case ast.Attribute(value=ast.Attribute(attr="mark", value=ast.Name(id="pytest"))):
                    yield inner


def _numbers(decorators: list[ast.expr]) -> tuple[int, ...]:
    found = []
    for decorator in decorators:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr="hazard"), args=[ast.Constant(value=int(number))]
            ):
                found.append(number)
    return tuple(sorted(found))


def _read(function: ast.FunctionDef | ast.AsyncFunctionDef, path: str) -> HazardTest | None:
    if not (numbers := _numbers(function.decorator_list)):
        return None
    whole = {
        mark.attr
        for decorator in function.decorator_list
        if not (isinstance(decorator, ast.Call) and _is_parametrize(decorator))
        for mark in _marks([decorator])
    }
    anywhere = {mark.attr for mark in _marks(function.decorator_list)}
    long = bool(anywhere & {"proof", "fuzz"})
    return HazardTest(path, function.name, numbers, not whole & {"proof", "fuzz"}, long)


def _is_parametrize(decorator: ast.Call) -> bool:
    return isinstance(decorator.func, ast.Attribute) and decorator.func.attr == "parametrize"


def hazard_tests(folder: Path = TESTS) -> list[HazardTest]:
    """Read every test that proves a hazard, in the order of their files."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                test = _read(node, path.relative_to(folder.parent).as_posix())
                found += [] if test is None else [test]
    return found


def proving(number: int, tests: list[HazardTest]) -> list[HazardTest]:
    """Give the tests of one hazard."""
    return [test for test in tests if number in test.hazards]
