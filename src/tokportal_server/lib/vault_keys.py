"""Where the keys of the vault come from: a setting, a file, or one made at the first start."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from tokportal_server.lib.errors import OperatorError

KEY_BYTES: Final = 32
GENERATED_NAME: Final = "vault.key"

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


class VaultError(OperatorError):
    """A key that cannot be used, or a record that cannot be opened; never shows key or secret."""


def key_id(key: bytes) -> str:
    """Give the public name of a key: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:8]


def load_keys(vault_key: str | None, vault_key_file: Path | None, home: Path) -> list[bytes]:
    """Give the keys, the sealing one first; see ``Vault.from_settings``.

    Raises ``VaultError`` if both sources are given, or one is unreadable, empty or malformed.
    """
    if vault_key is not None and vault_key_file is not None:
        raise VaultError("both a vault key and a vault key file are set; keep one of them")
    if vault_key is not None:
        return _parse(vault_key, "the vault key setting")
    if vault_key_file is not None:
        return _parse(_read(vault_key_file), f"the vault key file {vault_key_file}")
    generated = home / GENERATED_NAME
    if not os.path.lexists(generated):
        _generate(generated)
    _refuse_if_others_can_read(generated)
    return _parse(_read(generated), f"the vault key file {generated}")


def _parse(text: str, source: str) -> list[bytes]:
    words = [word for word in re.split(r"[\s,]+", text) if word]
    if not words:
        raise VaultError(f"{source} is empty; give {KEY_BYTES} random bytes as hex or base64")
    return [_decode(word, f"key {number} of {source}") for number, word in enumerate(words, 1)]


def _decode(word: str, source: str) -> bytes:
    if _HEX.fullmatch(word):
        return bytes.fromhex(word)
    standard = word.replace("-", "+").replace("_", "/").rstrip("=")
    padded = standard + "=" * (-len(standard) % 4)
    try:
        key = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise VaultError(f"{source} is neither hex nor base64") from None
    if len(key) != KEY_BYTES:
        raise VaultError(f"{source} has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise VaultError(f"the vault key file {path} is neither hex nor base64") from None
    except OSError as error:
        raise VaultError(f"cannot read the vault key file {path}: {error.strerror}") from error


def _refuse_if_others_can_read(path: Path) -> None:
    # Only for the file that we made: mounted secrets are often readable to all inside a container.
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise VaultError(f"cannot read the vault key file {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise VaultError(f"others can read the vault key file {path}; run: chmod 600 {path}")


def _generate(path: Path) -> None:
    """Write a new key, whole or not at all; a key that another process made meanwhile stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes the file 0600. Linking it into place never replaces a key.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            _link_once(temporary, path)
        finally:
            temporary.unlink()
    except OSError as error:
        raise VaultError(f"cannot create the vault key file {path}: {error.strerror}") from error


def _link_once(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
