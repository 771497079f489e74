"""Sealed records, vault keys, API keys, signatures and password hashes."""

from __future__ import annotations

import base64
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokportal import verify_webhook_signature

from tokportal_server.lib.crypto import (
    Vault,
    VaultError,
    hash_password,
    key_id,
    verify_password,
)
from tokportal_server.lib.signing import (
    api_key_hash,
    new_api_key,
    new_webhook_secret,
    sign_webhook,
    verify_signature,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET = b"correct horse battery staple"
WRAPPED = 1 + 4 + 12 + 48  # version, key id, nonce, wrapped data key


def vault_of(*keys: bytes) -> Vault:
    return Vault({key_id(key): key for key in keys}, key_id(keys[0]))


@given(st.binary(max_size=5000), st.text(max_size=50))
def test_opens_what_it_sealed(plain: bytes, context: str) -> None:
    vault = vault_of(OLD)
    assert vault.open(vault.seal(plain, context=context), context=context) == plain


def test_seals_the_same_secret_differently_each_time() -> None:
    vault = vault_of(OLD)
    first, second = (vault.seal(SECRET, context="a") for _ in range(2))
    assert first != second
    assert len(first) == len(SECRET) + 93
    assert SECRET not in first


def test_a_record_moved_to_another_row_does_not_open() -> None:
    vault = vault_of(OLD)
    sealed = vault.seal(SECRET, context="accounts/alice/password")
    with pytest.raises(VaultError):
        vault.open(sealed, context="accounts/charlie/password")
    with pytest.raises(VaultError):
        vault_of(NEW, OLD).rewrap(sealed, context="accounts/charlie/password")


def test_no_changed_byte_goes_unnoticed() -> None:
    vault = vault_of(OLD)
    sealed = vault.seal(SECRET, context="a")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(changed), context="a")


def test_no_mix_of_two_records_of_a_row_opens() -> None:
    vault = vault_of(OLD)
    first, second = (vault.seal(SECRET, context="a") for _ in range(2))
    with pytest.raises(VaultError):
        vault.open(first[:WRAPPED] + second[WRAPPED:], context="a")


def test_the_secret_itself_is_bound_to_its_row_and_not_only_its_key() -> None:
    vault = vault_of(OLD)
    sealed = vault.seal(SECRET, context="accounts/alice/password")
    data_key = vault._unwrap(sealed, "accounts/alice/password")
    moved = vault._wrap(data_key, "accounts/charlie/password") + sealed[WRAPPED:]
    with pytest.raises(VaultError):
        vault.open(moved, context="accounts/charlie/password")


@pytest.mark.parametrize("length", [0, 1, 5, 64, 92])
def test_refuses_a_record_cut_short(length: int) -> None:
    vault = vault_of(OLD)
    with pytest.raises(VaultError):
        vault.open(vault.seal(b"", context="a")[:length], context="a")


def test_a_key_change_rewraps_without_touching_the_secret() -> None:
    sealed = vault_of(OLD).seal(SECRET, context="a")
    both = vault_of(NEW, OLD)
    assert both.open(sealed, context="a") == SECRET
    rewrapped = both.rewrap(sealed, context="a")
    assert Vault.key_id_of(sealed) == key_id(OLD)
    assert Vault.key_id_of(rewrapped) == key_id(NEW)
    assert rewrapped[WRAPPED:] == sealed[WRAPPED:]
    assert both.rewrap(rewrapped, context="a") == rewrapped
    # Once nothing names the old key, it can go.
    assert vault_of(NEW).open(rewrapped, context="a") == SECRET
    with pytest.raises(VaultError, match=key_id(OLD)):
        vault_of(NEW).open(sealed, context="a")


def test_a_keyed_hash_depends_on_key_purpose_and_text() -> None:
    old, both = vault_of(OLD), vault_of(NEW, OLD)
    stored = old.keyed_hash("mona@example.com", purpose="email")
    assert stored == old.keyed_hash("mona@example.com", purpose="email")
    assert stored != old.keyed_hash("olga@example.com", purpose="email")
    assert stored != old.keyed_hash("mona@example.com", purpose="handle")
    assert stored != both.keyed_hash("mona@example.com", purpose="email")
    assert both.keyed_hashes("mona@example.com", purpose="email") == [
        both.keyed_hash("mona@example.com", purpose="email"),
        stored,
    ]
    assert stored[:4].hex() == key_id(OLD)
    assert old.keyed_hash("bc", purpose="a") != old.keyed_hash("c", purpose="ab")


def test_shows_no_key_in_its_repr() -> None:
    shown = repr(vault_of(NEW, OLD))
    assert key_id(NEW) in shown
    assert OLD.hex() not in shown
    assert NEW.hex() not in shown


@pytest.mark.parametrize(
    "text",
    [
        OLD.hex(),
        OLD.hex().upper(),
        f"  {OLD.hex()}\n",
        base64.b64encode(OLD).decode(),
        base64.urlsafe_b64encode(OLD).decode().rstrip("="),
        f"{OLD.hex()}\n{base64.b64encode(NEW).decode()}",
        f"{OLD.hex()},{NEW.hex()}",
    ],
)
def test_reads_hex_and_base64_and_seals_with_the_first(text: str, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.write_text(text)
    for vault in (
        Vault.from_settings(text, None, tmp_path),
        Vault.from_settings(None, mounted, tmp_path),
    ):
        assert vault.current == key_id(OLD)
    assert [file.name for file in tmp_path.iterdir()] == ["mounted"]


@pytest.mark.parametrize("text", ["", " \n", "hunter2hunter2", OLD.hex()[:-2], "\u00fc" * 64])
def test_refuses_a_malformed_key_without_showing_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mounted"
    file.write_text(text, encoding="utf-8")
    sources: list[tuple[str | None, Path | None]] = [(text, None), (None, file)]
    for setting, path in sources:
        with pytest.raises(VaultError) as caught:
            Vault.from_settings(setting, path, tmp_path)
        assert not text.strip() or text not in str(caught.value)


def test_names_the_key_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(VaultError, match=re.escape(str(missing))):
        Vault.from_settings(None, missing, tmp_path)
    with pytest.raises(VaultError, match=re.escape(str(tmp_path))):
        Vault.from_settings(None, tmp_path, tmp_path)


def test_refuses_two_sources_of_the_key(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="keep one"):
        Vault.from_settings(OLD.hex(), tmp_path / "mounted", tmp_path)


def test_makes_a_private_key_once_and_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = Vault.from_settings(None, None, home)
    second = Vault.from_settings(None, None, home)
    assert first.current == second.current
    assert [file.name for file in home.iterdir()] == ["vault.key"]
    assert stat.S_IMODE((home / "vault.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as starters:
        starts = [
            starters.submit(Vault.from_settings, None, None, tmp_path / "home") for _ in range(64)
        ]
        assert len({start.result().current for start in starts}) == 1
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["vault.key"]


def test_refuses_its_own_key_file_once_others_can_read_it(tmp_path: Path) -> None:
    Vault.from_settings(None, None, tmp_path)
    (tmp_path / "vault.key").chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.from_settings(None, None, tmp_path)
    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o640


def test_a_dangling_key_file_is_named_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "vault.key").symlink_to(tmp_path / "gone")
    with pytest.raises(VaultError, match=r"vault\.key"):
        Vault.from_settings(None, None, tmp_path)
    assert (tmp_path / "vault.key").is_symlink()


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError, match=r"vault\.key"):
        Vault.from_settings(None, None, tmp_path / "file" / "home")


def test_refuses_a_vault_whose_keys_do_not_fit() -> None:
    with pytest.raises(VaultError):
        Vault({key_id(OLD): OLD}, key_id(NEW))
    with pytest.raises(VaultError):
        Vault({key_id(NEW): OLD}, key_id(NEW))
    with pytest.raises(VaultError):
        Vault({key_id(b"short"): b"short"}, key_id(b"short"))


def test_makes_api_keys_and_secrets_of_the_documented_form() -> None:
    assert re.fullmatch(r"sk_[0-9a-f]{64}", new_api_key())
    assert re.fullmatch(r"whsec_[0-9a-f]{64}", new_webhook_secret())
    assert new_api_key() != new_api_key()
    assert new_webhook_secret() != new_webhook_secret()


def test_hashes_api_keys_with_sha256() -> None:
    # From FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert api_key_hash("abc").hex() == expected


@given(st.text().map(str.encode) | st.binary(), st.integers(0, 10**11))
def test_the_published_client_verifies_every_signature(body: bytes, timestamp: int) -> None:
    secret = "whsec_" + "ab" * 32
    signature = sign_webhook(secret, timestamp, body)
    assert re.fullmatch(r"t=[0-9]+,v1=[0-9a-f]{64}", signature)
    assert verify_webhook_signature(body, signature, secret, now=timestamp)
    assert verify_signature(secret, signature, body, now=timestamp)


def test_both_verifiers_refuse_a_changed_byte_a_stale_time_and_a_wrong_secret() -> None:
    secret, body, sent = new_webhook_secret(), b'{"id":"evt_1"}', 1_800_000_000
    signature = sign_webhook(secret, sent, body)
    for now in (sent - 300, sent, sent + 300):
        assert verify_webhook_signature(body, signature, secret, now=now)
        assert verify_signature(secret, signature, body, now=now)
    refused = [
        (secret, signature, b'{"id":"evt_2"}', sent),
        (secret, signature, body, sent + 301),
        (secret, signature, body, sent - 301),
        (new_webhook_secret(), signature, body, sent),
        (secret, signature.replace(f"t={sent}", f"t={sent + 1}"), body, sent),
        (secret, "", body, sent),
        (secret, "t=x,v1=y", body, sent),
    ]
    for with_secret, with_signature, with_body, now in refused:
        assert not verify_webhook_signature(with_body, with_signature, with_secret, now=now)
        assert not verify_signature(with_secret, with_signature, with_body, now=now)


async def test_passwords_verify_against_their_own_salted_hash_only() -> None:
    first, second = await hash_password("s3cret \u00fc"), await hash_password("s3cret \u00fc")
    assert first.startswith("$argon2id$")
    assert first != second
    assert await verify_password(first, "s3cret \u00fc")
    assert not await verify_password(first, "s3cret u")
    assert not await verify_password("no hash at all", "s3cret \u00fc")
    assert not await verify_password("", "")
