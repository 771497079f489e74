"""``tokportal-server serve`` and its processes: starting, dying one by one, stopping."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPException

import psutil
import pytest

from tests.entry.installation import (
    Installation,
    installed,
    kill,
    postgres_runs,
    request,
)
from tests.lib.waiting import SAFETY_NET
from tokportal_server.lib import embedded


@pytest.fixture
def installation(dsn: str) -> Iterator[Installation]:
    """An installation on a database that is there already."""
    with installed(
        TOKPORTAL_PORT="0", TOKPORTAL_DATABASE_URL=dsn, TOKPORTAL_DRAIN_SECONDS="10"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def whole() -> Iterator[Installation]:
    """An installation with an embedded database, made once for all tests."""
    with installed(TOKPORTAL_PORT="0") as made:
        yield made


def status(url: str) -> int:
    """GET; 0 if nobody listens or the connection broke."""
    try:
        return request(url).status
    except (OSError, HTTPException):
        return 0


def until(url: str, wanted: int) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while status(url) != wanted:
        assert time.monotonic() < deadline, f"{url} never answered {wanted}"
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_says_where_it_is_on_standard_output_and_logs_json_on_standard_error(
    installation: Installation,
) -> None:
    program = installation.start("serve")
    assert (line := program.line()).startswith("tokportal-server is ready: http://127.0.0.1:")
    assert status(line.split()[-1] + "/countries") == 200
    assert program.stop() == 0
    assert program.line() == ""
    assert {"request"} <= {entry["event"] for entry in program.logged()}
    assert installation.leftovers() == []


def test_a_killed_worker_of_the_api_is_replaced_and_requests_go_on(
    installation: Installation,
) -> None:
    program = installation.serve()
    [victim] = program.workers_of_the_api()
    victim.kill()
    until(f"{program.address}/readyz", 200)
    [successor] = program.workers_of_the_api()
    assert successor.pid != victim.pid
    assert program.stop() == 0


def test_another_worker_of_the_api_answers_while_a_killed_one_is_replaced(
    installation: Installation,
) -> None:
    program = installation.serve("--workers", "2")
    assert len(program.workers_of_the_api()) == 2
    program.workers_of_the_api()[0].kill()
    until(f"{program.address}/readyz", 200)
    assert program.stop() == 0
    assert installation.leftovers() == []


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_killed_part_is_started_again_and_leaves_no_child(
    installation: Installation, part: str
) -> None:
    program = installation.serve("--with-worker")
    victim = program.named(part)
    children = victim.children()
    victim.kill()
    gone, alive = psutil.wait_procs([victim, *children], timeout=SAFETY_NET)
    assert (len(gone), alive) == (1 + len(children), [])
    successor = program.named(part)
    assert successor.pid != victim.pid
    until(f"{program.address}/readyz", 200)
    assert program.stop() == 0


def test_api_and_worker_die_with_a_killed_supervisor_and_free_the_port(
    installation: Installation,
) -> None:
    program = installation.serve("--with-worker", "--workers", "2")
    supervisor, *others = program.tree()
    supervisor.kill()
    psutil.wait_procs(others, timeout=SAFETY_NET)
    assert [process for process in others if not has_ended(process)] == []
    port = int(program.address.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_refuses_a_port_that_somebody_else_listens_on(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        ended = installation.run("serve", TOKPORTAL_PORT=str(port))
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "TOKPORTAL_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_runs_is_finished_within_the_grace_when_told_to_stop(
    installation: Installation,
) -> None:
    program = installation.serve("--with-worker")
    port = int(program.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"200" in idle.recv(4096)
        # An open connection that asks for nothing more does not keep the server.
        assert program.stop() == 0
    assert {"worker_started", "worker_stopped"} <= {entry["event"] for entry in program.logged()}


def test_commands_use_the_database_of_a_running_server_and_leave_it_running(
    whole: Installation,
) -> None:
    program = whole.serve()
    made = whole.run("person", "create", "alice@example.com", "Alice")
    assert made.returncode == 0, made.stderr
    workspace = whole.run("workspace", "create", "Acme", "--owner", "alice@example.com")
    key = whole.run("key", "create", workspace.stdout.strip(), "--owner", "alice@example.com")
    assert key.stdout.startswith("sk_"), key.stderr
    doctor = whole.run("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert whole.run("migrate").returncode == 0
    assert status(f"{program.address}/readyz") == 200
    assert program.stop() == 0
    assert not postgres_runs(whole.home)


def test_a_command_alone_stops_the_database_that_it_started(whole: Installation) -> None:
    assert whole.run("doctor").returncode == 0
    assert not postgres_runs(whole.home)


def test_of_two_servers_on_one_home_the_last_one_stops_the_database(whole: Installation) -> None:
    one, other = whole.serve(), whole.serve()
    assert one.stop() == 0
    assert status(f"{other.address}/readyz") == 200
    assert other.stop() == 0
    assert not postgres_runs(whole.home)


def test_adopts_the_database_that_outlived_a_killed_server(whole: Installation) -> None:
    program = whole.serve()
    before = postmaster_pid(whole)
    kill(program.parts())
    assert postgres_runs(whole.home)
    successor = whole.serve()
    assert postmaster_pid(whole) == before
    assert successor.stop() == 0
    assert not postgres_runs(whole.home)


def test_answers_503_while_the_database_is_away_and_recovers_by_itself(
    whole: Installation,
) -> None:
    program = whole.serve("--with-worker")
    ready = f"{program.address}/readyz"
    supervisor = psutil.Process(program.process.pid)
    supervisor.suspend()  # or it would bring the database back at once
    postgres = embedded.start(whole.home)
    postgres.stop()
    until(ready, 503)
    assert status(f"{program.address}/healthz") == 200
    refused = request(f"{program.address}/api/ext/countries")
    assert int(refused.headers["retry-after"]) >= 1
    assert json.loads(refused.body)["error"]["code"] == "SERVICE_UNAVAILABLE"
    worker = program.named("worker")
    supervisor.resume()
    until(ready, 200)
    assert worker.is_running()
    assert "postgresql_ended" in {entry["event"] for entry in program.logged()}
    assert program.stop() == 0
    assert not postgres_runs(whole.home)


def postmaster_pid(installation: Installation) -> str:
    pid_file = installation.home / "postgres" / "data" / "postmaster.pid"
    return pid_file.read_text().splitlines()[0]
