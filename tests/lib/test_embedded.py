"""The embedded PostgreSQL, really started each time (hazard 40).

Run as root, this also proves the switch to an unprivileged account; the unprivileged path is
proven from there too, in a process that gave its rights up.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from tests.lib.directories import passable_directory
from tokportal_server.lib.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    binaries,
    postmaster,
    server,
    start,
)
from tokportal_server.lib.embedded.account import account_for

QUICK = {"fsync": "off"}
SAFETY_NET = 60.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches to another account")

Begin = Callable[..., EmbeddedPostgres]

# Prints the postmaster's pid, or the refusal, of a start in a process of its own.
START = """
import os, sys
from pathlib import Path
from tokportal_server.lib.embedded import EmbeddedPostgresError, start
try:
    pg = start(Path(sys.argv[1]), settings={"fsync": "off"})
except EmbeddedPostgresError as error:
    print(error)
    sys.exit(3)
print((pg.data_dir / "postmaster.pid").read_text().split()[0], flush=True)
"""
# Everything is imported before the rights go, since the interpreter may lie in root's home.
AS_NOBODY = """
import encodings.idna, os, pwd, sys
from tokportal_server.lib.embedded import server
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setresgid(*[nobody.pw_gid] * 3)
os.setresuid(*[nobody.pw_uid] * 3)
"""

# After a start as nobody: the server's user, the mode of its directory, what a stop leaves.
FACTS = """
import psutil
from tokportal_server.lib.embedded import postmaster
from tokportal_server.lib.embedded.account import account_for
uid = psutil.Process(postmaster.PidFile.read(pg.data_dir).pid).uids().real
pg.create_database("another")
pg.stop()
left = len(postmaster.family(pg.data_dir, account_for(pg.data_dir)))
print(uid, oct(pg.data_dir.parent.stat().st_mode & 0o777), left)
"""
# Fills the file system of a stopped server, tries to start, makes room, and looks at the data.
FULL_LATER = """
import asyncio, sys, asyncpg
from pathlib import Path
from tokportal_server.lib.embedded import EmbeddedPostgresError, start
home = Path(sys.argv[1]) / "home"
async def query(pg, statement):
    connection = await asyncpg.connect(pg.dsn())
    value = await connection.fetchval(statement)
    await connection.close()
    return value
with start(home) as pg:
    asyncio.run(query(pg, "CREATE TABLE kept AS SELECT 7 AS n"))
filler = Path(sys.argv[1]) / "filler"
with filler.open("wb", buffering=0) as file:
    for size in (2**20, 1):
        try:
            while file.write(bytes(size)) == size:
                pass
        except OSError:
            pass
try:
    start(home).stop()
except EmbeddedPostgresError as error:
    print(error)
filler.unlink()
with start(home) as pg:
    print("kept:", asyncio.run(query(pg, "SELECT n FROM kept")))
"""


@pytest.fixture
def ground() -> Iterator[Path]:
    with passable_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """Make a home with a stopped server: a copy is quicker than initdb for each test."""
    with passable_directory() as directory:
        start(directory / "home", settings=QUICK).stop()
        yield directory / "home"


@pytest.fixture
def home(ground: Path, prepared: Path) -> Path:
    subprocess.run(["/bin/cp", "-a", prepared, ground / "home"], check=True)
    return ground / "home"


@pytest.fixture
def long_home(ground: Path, home: Path) -> Path:
    parent = ground / ("long-" * 45)
    parent.mkdir()
    parent.chmod(0o711)
    return home.rename(parent / "home")


@pytest.fixture
def begin(ground: Path) -> Iterator[Begin]:  # noqa: ARG001 - asked for to outlive the servers
    """``start``, with a stop before the test's ``ground`` is removed."""
    started: list[EmbeddedPostgres] = []

    def run(home: Path, *, major: int = 18, **settings: str) -> EmbeddedPostgres:
        started.append(start(home, major=major, settings=QUICK | settings))
        return started[-1]

    yield run
    for pg in started:
        pg.stop(mode="immediate")


def query(pg: EmbeddedPostgres, *statements: str, database: str = "tokportal") -> object:
    """Run statements in one connection and give the last one's first value."""

    async def run() -> object:
        connection = await asyncpg.connect(pg.dsn(database))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def pid_of(pg: EmbeddedPostgres) -> int:
    return int((pg.data_dir / "postmaster.pid").read_text().split()[0])


def processes_of(pg: EmbeddedPostgres) -> list[psutil.Process]:
    """Find them by working directory, unlike the code under test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(pg.data_dir):
                found.append(process)
        except psutil.Error:
            continue
    return found


def has_ended(process: psutil.Process) -> bool:
    """Tell so of a process that waits to be reaped by a slow init too."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def sockets_of(pg: EmbeddedPostgres) -> list[Path]:
    connections = psutil.Process(pid_of(pg)).net_connections("all")
    assert all(connection.family.name == "AF_UNIX" for connection in connections)
    return [Path(str(connection.laddr)) for connection in connections]


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    statuses = {parent: parent.stat() for parent in [path, *path.parents]}
    return {p: (s.st_mode, s.st_uid, s.st_gid) for p, s in statuses.items()}


def run_script(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        **options,
    )


@pytest.mark.parametrize("major", [18, 16])
def test_answers_queries_and_leaves_nothing_running_after_stop(
    begin: Begin, ground: Path, major: int
) -> None:
    pg = begin(ground / "fresh", major=major)
    assert int(str(query(pg, "SHOW server_version_num"))) // 10000 == major == pg.major
    assert query(pg, "SHOW synchronous_commit") == "on"
    assert len(processes_of(pg)) > 1
    pg.stop()
    assert processes_of(pg) == []
    assert not (pg.data_dir / "postmaster.pid").exists()
    assert list(pg.socket_dir.iterdir()) == []
    pg.stop()  # stopped already is fine


@pytest.mark.hazard(40)
def test_listens_only_inside_a_private_directory_and_opens_nothing_to_others(
    begin: Begin, home: Path
) -> None:
    pg = begin(home)
    assert sockets_of(pg) == [pg.socket_dir / ".s.PGSQL.5432"]
    assert stat.S_IMODE(pg.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(pg.data_dir.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        assert stat.S_ISSOCK(path.lstat().st_mode) or path.lstat().st_mode & stat.S_IRWXO == 0


def test_refuses_a_wrong_password_and_none_through_its_socket(begin: Begin, home: Path) -> None:
    pg = begin(home)
    for dsn in (pg.dsn().replace(pg.password, "wrong"), pg.dsn().replace(f":{pg.password}", "")):
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(asyncpg.connect(dsn, passfile="/nonexistent"))
    methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
    assert query(pg, methods) == ["scram-sha-256"]
    assert pg.password not in repr(pg)


def test_a_second_start_adopts_the_running_server(begin: Begin, home: Path) -> None:
    first = begin(home)
    pid = pid_of(first)
    assert begin(home) == first
    assert pid_of(first) == pid


async def test_starts_from_a_thread_that_runs_an_event_loop(begin: Begin, home: Path) -> None:
    connection = await asyncpg.connect(begin(home).dsn())
    assert await connection.fetchval("SELECT current_database()") == "tokportal"
    await connection.close()


@pytest.mark.hazard(40)
def test_recovers_all_committed_data_after_kill_9_of_the_postmaster(
    begin: Begin, home: Path
) -> None:
    pg = begin(home)
    query(pg, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    killed = pid_of(pg)
    os.kill(killed, signal.SIGKILL)
    again = begin(home)
    assert pid_of(again) != killed
    assert query(again, "SELECT n FROM kept") == 7


@pytest.mark.hazard(40)
def test_ends_a_backend_that_survived_its_killed_postmaster(begin: Begin, home: Path) -> None:
    pg = begin(home)
    survivor = next(p for p in processes_of(pg) if "checkpointer" in p.cmdline()[0])
    survivor.suspend()  # so it cannot notice that its postmaster is gone
    os.kill(pid_of(pg), signal.SIGKILL)
    again = begin(home)
    assert has_ended(survivor)
    assert query(again, "SELECT 1") == 1


def test_adopts_the_server_of_a_killed_supervisor(begin: Begin, home: Path) -> None:
    code = START + "os.kill(os.getpid(), 9)"
    killed = run_script(code, str(home))
    assert killed.returncode == -signal.SIGKILL
    assert pid_of(begin(home)) == int(killed.stdout)


def test_replaces_a_server_whose_socket_is_gone(begin: Begin, home: Path) -> None:
    pg = begin(home)
    deaf = psutil.Process(pid_of(pg))
    (pg.socket_dir / ".s.PGSQL.5432").unlink()
    again = begin(home)
    assert pid_of(again) != deaf.pid
    assert has_ended(deaf)
    assert query(again, "SELECT 1") == 1


def test_two_starts_at_once_give_one_server(begin: Begin, home: Path) -> None:
    arguments = [sys.executable, "-c", START, str(home)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pids = {int(process.communicate(timeout=SAFETY_NET)[0]) for process in both}
    assert pids == {pid_of(begin(home))}


@pytest.mark.hazard(40)
@pytest.mark.parametrize("content", ["the pid of another program", ""])
def test_a_stale_pid_file_does_not_block(begin: Begin, home: Path, content: str) -> None:
    pg = begin(home)
    pid_file = pg.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pg.stop()
    # Of the server's own account, because PostgreSQL ignores the pids of other accounts.
    options = account_for(pg.data_dir).process_options()
    stranger = subprocess.Popen(["/bin/sleep", "600"], **options)
    try:
        text = "\n".join([str(stranger.pid), *lines[1:]]) if content else ""
        for path in (pid_file, pg.socket_dir / ".s.PGSQL.5432.lock"):
            path.write_text(text)
        assert query(begin(home), "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_refuses_a_data_directory_that_an_unseen_server_holds(
    begin: Begin, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg = begin(home)
    pg.stop()
    monkeypatch.setattr(postmaster, "_STRAY_SECONDS", 0.1)
    with (pg.data_dir.parent / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedPostgresError, match="another container"):
            begin(home)
    assert query(begin(home), "SELECT 1") == 1


@pytest.mark.hazard(40)
def test_a_long_data_path_gets_a_short_private_socket_directory(
    begin: Begin, long_home: Path
) -> None:
    pg = begin(long_home)
    assert len(str(pg.data_dir)) > 200
    assert sockets_of(pg) == [pg.socket_dir / ".s.PGSQL.5432"]
    assert stat.S_IMODE(pg.socket_dir.lstat().st_mode) == 0o700
    assert begin(long_home) == pg
    os.kill(pid_of(pg), signal.SIGKILL)
    again = begin(long_home)
    assert again.socket_dir == pg.socket_dir
    again.stop()
    assert not pg.socket_dir.exists()


@pytest.mark.parametrize("altered", ["opened", "replaced by a link"])
def test_trusts_no_recorded_socket_directory_that_others_could_enter(
    begin: Begin, long_home: Path, altered: str
) -> None:
    pg = begin(long_home)
    os.kill(pid_of(pg), signal.SIGKILL)
    moved = pg.socket_dir.with_name(f"{pg.socket_dir.name}-moved")
    if altered == "opened":
        pg.socket_dir.chmod(0o755)
    else:
        pg.socket_dir.rename(moved)
        pg.socket_dir.symlink_to(moved)
    again = begin(long_home)
    assert again.socket_dir != pg.socket_dir
    assert query(again, "SELECT 1") == 1
    assert sockets_of(again) == [again.socket_dir / ".s.PGSQL.5432"]
    if altered == "opened":
        shutil.rmtree(pg.socket_dir)
    else:
        pg.socket_dir.unlink()
        shutil.rmtree(moved)


def test_refuses_a_symlinked_socket_directory(begin: Begin, home: Path, ground: Path) -> None:
    pg = begin(home)
    pg.stop()
    pg.socket_dir.rename(ground / "moved")
    pg.socket_dir.symlink_to(ground / "moved")
    with pytest.raises(EmbeddedPostgresError, match="must be a directory"):
        begin(home)


def test_a_comma_in_the_path_is_no_second_host(begin: Begin, home: Path, ground: Path) -> None:
    assert query(begin(home.rename(ground / "a, b")), "SELECT 1") == 1


def test_refuses_data_of_another_major_version_and_names_both(begin: Begin, home: Path) -> None:
    pg = begin(home)
    pg.stop()
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 18\b.* PostgreSQL 16\b"):
        begin(home, major=16)
    assert query(begin(home), "SELECT 1") == 1


def test_refuses_a_directory_that_is_no_cluster_and_keeps_it(begin: Begin, home: Path) -> None:
    pg = begin(home)
    pg.stop()
    (pg.data_dir / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedPostgresError, match="no PG_VERSION"):
        begin(home)
    assert (pg.data_dir / "base").is_dir()


def test_refuses_data_whose_password_is_lost(begin: Begin, home: Path) -> None:
    pg = begin(home)
    pg.stop()
    (pg.data_dir.parent / "password").unlink()
    with pytest.raises(EmbeddedPostgresError, match="password is missing"):
        begin(home)


def test_refuses_settings_that_would_hide_the_server(begin: Begin, ground: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="unix_socket_directories"):
        begin(ground / "fresh", unix_socket_directories=str(ground))
    assert list(ground.iterdir()) == []


def test_a_failed_start_quotes_the_log_and_leaves_no_process(begin: Begin, home: Path) -> None:
    pg = begin(home)
    pg.stop()
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buf'):
        begin(home, shared_buffers="lots")
    assert processes_of(pg) == []


def test_smart_stop_refuses_while_a_client_stays(
    begin: Begin, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg = begin(home)
    monkeypatch.setattr(server, "_STOP_SECONDS", 0.2)

    async def stop_while_connected() -> object:
        connection = await asyncpg.connect(pg.dsn())
        with pytest.raises(EmbeddedPostgresError, match="still connected"):
            await asyncio.to_thread(pg.stop, mode="smart")
        value = await connection.fetchval("SELECT 1")
        await connection.close()
        return value

    assert asyncio.run(stop_while_connected()) == 1


def test_creates_a_database_from_a_template_once(begin: Begin, home: Path) -> None:
    pg = begin(home)
    query(pg, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    pg.create_database('copy of "alice"', template="tokportal")
    assert query(pg, "SELECT n FROM kept", database='copy of "alice"') == 7
    with pytest.raises(EmbeddedPostgresError, match="already exists"):
        pg.create_database('copy of "alice"')


def test_a_file_size_limit_stops_creation_with_nothing_half_made(ground: Path) -> None:
    limit = 1_000_000  # initdb writes a log segment of 16 MB

    def lower_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    result = run_script(START, str(ground / "home"), preexec_fn=lower_limit)
    assert result.returncode == 3, result.stderr
    assert "TOKPORTAL_HOME" in result.stdout
    left = {path.name for path in (ground / "home" / "postgres").iterdir()}
    assert left == {"start.lock"}


@pytest.mark.hazard(40)
@as_root
def test_a_full_disk_stops_creation_with_nothing_half_made(ground: Path) -> None:
    mount = 'mount -t tmpfs -o size=20m,mode=711 none "$1" && "$2" -c "$3" "$1/home"; echo "= $?"'
    listing = 'ls -A "$1/home/postgres"'
    result = subprocess.run(
        [
            *("/usr/bin/unshare", "--mount", "/bin/sh", "-c", f"{mount}; {listing}"),
            *("sh", str(ground), sys.executable, START),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
    )
    refusal, _, rest = result.stdout.rpartition("= ")
    assert re.search("No space left on device|Check free disk space", refusal)
    assert "MB are free there; make room" in refusal
    assert rest.split() == ["3", "start.lock"]


@pytest.mark.hazard(40)
@as_root
def test_a_disk_that_fills_up_later_costs_no_data(ground: Path) -> None:
    mount = 'mount -t tmpfs -o size=150m,mode=711 none "$1" && "$2" -c "$3" "$1"'
    result = subprocess.run(
        [
            *("/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount),
            *("sh", str(ground), sys.executable, FULL_LATER),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
    )
    assert result.returncode == 0, result.stderr
    assert "No space left on device" in result.stdout
    assert result.stdout.endswith("kept: 7\n")


@as_root
def test_adopts_and_stops_where_root_may_not_look_into_other_processes(home: Path) -> None:
    # As in a container with the usual capabilities.
    prefix = ["/usr/bin/setpriv", "--bounding-set", "-sys_ptrace", sys.executable, "-c"]
    outputs = []
    for code in (START, START, f"{START}pg.stop()"):
        result = subprocess.run(
            [*prefix, code, str(home)], check=False, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr
        outputs.append(int(result.stdout))
    assert len(set(outputs)) == 1
    assert not psutil.pid_exists(outputs[0]) or has_ended(psutil.Process(outputs[0]))


@pytest.mark.hazard(40)
@as_root
def test_a_closed_parent_is_named_and_stays_closed(ground: Path) -> None:
    closed = ground / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "inner").chmod(0o755)
    before = modes(closed / "inner")
    with pytest.raises(EmbeddedPostgresError, match=f"cannot pass through {closed} ") as raised:
        start(closed / "inner" / "home", settings=QUICK)
    assert "TOKPORTAL_HOME" in str(raised.value)
    assert modes(closed / "inner") == before


@pytest.mark.hazard(40)
@as_root
def test_root_hands_the_server_to_an_unprivileged_account(begin: Begin, home: Path) -> None:
    pg = begin(home)
    owner = psutil.Process(pid_of(pg)).uids()
    assert 0 not in owner
    assert pg.data_dir.stat().st_uid == owner.real
    assert pwd.getpwuid(owner.real).pw_name != "nobody"
    assert psutil.Process(pid_of(pg)).gids().real != 0


@as_root
def test_refuses_data_that_belongs_to_root(begin: Begin, ground: Path) -> None:
    (ground / "home" / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="belongs to root"):
        begin(ground / "home")


@as_root
def test_copies_the_programs_out_of_an_environment_that_only_root_reads(ground: Path) -> None:
    package = binaries.locate(18).prefix.parent
    private = ground / "private"
    for source in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
        target = private / source.relative_to(package.parent)
        shutil.copytree(source, target, symlinks=True)
    (private / package.name / "__init__.py").touch()
    private.chmod(0o700)
    environment = os.environ | {"PYTHONPATH": str(private)}
    home = ground / "home"
    first = run_script(START, str(home), env=environment)
    second = run_script(START, str(home), env=environment)
    try:
        assert first.returncode == 0, first.stdout
        assert second.stdout == first.stdout
        program = psutil.Process(int(first.stdout)).exe()
        assert program.startswith(f"{home}/postgres/binaries-")
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert list((home / "postgres").glob("copy-*")) == []
    finally:
        start(home).stop(mode="immediate")


@as_root
def test_runs_as_an_unprivileged_user_under_that_user(ground: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    own = ground / "own"
    own.mkdir(mode=0o700)
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    code = f"{AS_NOBODY}{START}{FACTS}"
    result = run_script(code, str(own / "home"))
    assert result.returncode == 0, result.stdout + result.stderr
    pid, uid, mode, left = result.stdout.split()
    assert (int(uid), mode, left) == (nobody.pw_uid, "0o700", "0")
    assert not psutil.pid_exists(int(pid)) or has_ended(psutil.Process(int(pid)))


@as_root
def test_an_unprivileged_user_is_refused_in_a_directory_of_another(ground: Path) -> None:
    result = run_script(f"{AS_NOBODY}{START}", str(ground / "home"))
    assert result.returncode == 3, result.stderr
    assert "Permission denied" in result.stdout
    assert "TOKPORTAL_HOME" in result.stdout
    assert list(ground.iterdir()) == []
