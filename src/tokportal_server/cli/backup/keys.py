"""The vault keys of a backup, which never lie beside it: written to another place, and proven.

Whoever has the database and its keys has every secret. Apart, each of the two is worth nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tokportal_server.cli.backup.manifest import BackupError, KeyNote, private
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.vault_check import opens_note
from tokportal_server.lib.vault_keys import GENERATED_NAME, key_id, load_keys


def has_keys(settings: Settings) -> bool:
    """Tell whether there is a key already; reading one would make it."""
    given = settings.vault_key is not None or settings.vault_key_file is not None
    return given or os.path.lexists(settings.home / GENERATED_NAME)


def refuse_keys_beside(target: Path, folder: Path) -> None:
    """Make sure that the keys go to another place than the backup.

    Raises:
        BackupError: ``target`` lies in ``folder``, or is no plain file.
    """
    place = Path(os.path.realpath(target))
    if place.is_relative_to(os.path.realpath(folder)):
        raise BackupError(
            f"--keys: {target} lies in the backup itself, where whoever takes the backup has the"
            " keys to it too. Name a file in another place, kept by somebody else."
        )
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise BackupError(f"--keys: {target} is no plain file. Name one that is, or a new one.")


def write_keys(settings: Settings, target: Path) -> list[str]:
    """Write the keys to a file of mode 0600; give their ids.

    Keys that the file has already stay behind the new ones: older backups need them.

    Raises:
        BackupError: there is no key yet, or the file cannot be read or written.
        VaultError: a key cannot be used.
    """
    if not has_keys(settings):
        raise BackupError("--keys: there is no vault key yet; the first start makes one.")
    keys = load_keys(settings.vault_key, settings.vault_key_file, settings.home)
    kept = load_keys(None, target, settings.home) if target.exists() else []
    keys += [key for key in kept if key not in keys]
    if keys != kept:
        _write(target, keys)
    return [key_id(key) for key in keys]


def prove_keys(settings: Settings, notes: Sequence[KeyNote], given: Path | None) -> None:
    """Make sure that what the backup holds can be opened; ``given`` is a file of keys, if any.

    Raises:
        BackupError: a key is missing, or ``given`` would replace other keys.
        VaultError: a key cannot be used.
    """
    vault = None
    if given is not None:
        vault = Vault.from_settings(None, given, settings.home)
        refuse_other_keys(settings, vault)
    elif has_keys(settings):
        vault = Vault.from_settings(settings.vault_key, settings.vault_key_file, settings.home)
    for note in notes:
        if vault is None or note.key_id not in vault.key_ids:
            raise BackupError(
                f"This backup needs vault key {note.key_id}, which is not here. Name the file of"
                " its keys with --keys, or set TOKPORTAL_VAULT_KEY or TOKPORTAL_VAULT_KEY_FILE."
            )
        if not opens_note(vault, note.key_id, note.sealed):
            raise BackupError(
                f"The key called {note.key_id} is not the one that this backup needs, or the"
                " manifest was changed."
            )


def refuse_other_keys(settings: Settings, given: Vault) -> None:
    """Never replace keys: what the installation has must be among those that are given.

    Raises:
        BackupError: it has others.
    """
    if not has_keys(settings):
        return
    present = Vault.from_settings(settings.vault_key, settings.vault_key_file, settings.home)
    if present.key_ids != given.key_ids:
        raise BackupError(
            f"--keys: this installation has vault keys of its own ({_names(present)}), and keys are"
            " never replaced. Leave --keys away, or restore into another TOKPORTAL_HOME."
        )


def install_keys(settings: Settings, given: Path) -> None:
    """Put keys where the server looks for them, unless it has them.

    Raises:
        BackupError: the file cannot be written.
        VaultError: a key cannot be used.
    """
    if has_keys(settings):
        return
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(settings.home / GENERATED_NAME, load_keys(None, given, settings.home))


def _names(vault: Vault) -> str:
    return ", ".join(sorted(vault.key_ids))


def _write(target: Path, keys: Sequence[bytes]) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        with private(part) as file:
            file.write(b"".join(key.hex().encode() + b"\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    except OSError as error:
        raise BackupError(f"The keys cannot be written to {target}: {error.strerror}.") from error
