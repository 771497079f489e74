"""``tokportal-server upgrade`` and ``migrate``: to what this release needs; first only a look."""

from __future__ import annotations

import asyncio

from tokportal_server.cli import upgrade as upgrading
from tokportal_server.cli.backup.taking import Telling
from tokportal_server.entry import stack
from tokportal_server.entry.installation import answer, console, settings
from tokportal_server.entry.operator_options import Flag, show
from tokportal_server.lib import embedded
from tokportal_server.lib.embedded.upgrading import in_use
from tokportal_server.lib.settings import Settings
from tokportal_server.migrations.run import pending


def upgrade(*, check: Flag = False, remove_old: Flag = False) -> int:
    """Bring the embedded PostgreSQL to the version of this release, checked before it counts.

    The server must be stopped. What was there stays beside, until `--remove-old`.

    Parameters
    ----------
    check
        Only say what there is, what is needed, and what is in the way; exit 1 if something is.
    remove_old
        Delete the data of the version before, which an earlier upgrade has left.
    """
    read = settings()
    if read.database_url is not None:
        raise stack.StartError(
            "TOKPORTAL_DATABASE_URL names a PostgreSQL of yours: upgrade it by its own means. Its"
            " schema is brought up to date by tokportal-server migrate (--check: what it would do)."
        )
    if remove_old:
        return _remove_old(read)
    major = embedded.major_of(read.home)
    if major is None:
        answer("There is no data yet; the first start makes it with the version of this release.")
        return 0
    if check:
        return _look(read)
    if major == embedded.NEWEST:
        answer(f"Nothing to do: the data is of PostgreSQL {major}, as this release needs.")
        return 0
    return _upgrade(read, major)


def _look(read: Settings) -> int:
    used = in_use(read.home)
    with stack.database_as_it_is(read) as dsn:
        facts = asyncio.run(upgrading.look(read.home, dsn, used=used))
    show(
        ("what", "found", ""),
        [(fact.name, fact.found, "in the way" if fact.wrong else "ok") for fact in facts],
    )
    return 1 if any(fact.wrong for fact in facts) else 0


def _upgrade(read: Settings, major: int) -> int:
    if _look(read):
        raise stack.StartError("What is in the way has to be mended first; nothing was changed.")

    def begin(what: str, _: int | None) -> None:
        console.print(f"{what} …", highlight=False)

    kept = asyncio.run(upgrading.upgrade(read.home, Telling(begin)))
    answer(f"The data is of PostgreSQL {embedded.NEWEST} now; that of {major} is in {kept}.")
    console.print(
        "Start tokportal-server serve. When all is well: tokportal-server upgrade --remove-old."
        " Changes that you made to postgresql.conf or pg_hba.conf are in the old folder only.",
        highlight=False,
    )
    return 0


def _remove_old(read: Settings) -> int:
    gone = upgrading.remove_old(read.home)
    answer("\n".join(f"{path} is deleted." for path in gone) or "There is no old data.")
    return 0


def migrate(*, check: Flag = False) -> int:
    """Bring the database to the schema of this release.

    Parameters
    ----------
    check
        Change nothing; say what would be run, and exit 1 if there is something.
    """
    read = settings()
    if not check:
        with stack.database(read):
            console.print("The database has the schema of this release.")
        return 0
    with stack.database_as_it_is(read) as dsn:
        revision = asyncio.run(stack.checked_revision(dsn, read))
    steps = pending(revision)
    for step in steps:
        answer(f"{step.name}: {step.about}")
    if not steps:
        console.print("The database has the schema of this release.")
    return 1 if steps else 0
