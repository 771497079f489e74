from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from tokportal_server.lib.settings import Settings, SettingsError, default_home, settings_table

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "settings.md"
HEX_KEY = "0f" * 32


def problems_of(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    return caught.value.problems


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.pool_size) == ("127.0.0.1", 8000, 10)
    assert settings.key_bucket_capacity == 120
    assert settings.key_bucket_refill_per_second == 2.0
    assert settings.create_bucket_per_minute == 30
    assert settings.video_max_bytes == 1024**3
    assert settings.image_max_pixels == 50_000_000
    assert settings.reveal_policy == "open"
    assert settings.database_url is None
    assert not settings.webhooks_allow_loopback


def test_each_kind_of_value_is_read_from_its_text(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "TOKPORTAL_HOME": str(tmp_path),
            "TOKPORTAL_PORT": "0",
            "TOKPORTAL_KEY_BUCKET_REFILL_PER_SECOND": "0.5",
            "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
            "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": "443, 8443",
            "TOKPORTAL_WEBHOOKS_ALLOW_HTTP_HOSTS": "hooks.internal",
            "TOKPORTAL_VAULT_KEY_FILE": "key",
            "TOKPORTAL_STORAGE_URL": "s3://media/prefix",
        }
    )
    assert settings.home == tmp_path
    assert settings.port == 0
    assert settings.key_bucket_refill_per_second == 0.5
    assert settings.webhooks_allow_loopback
    assert settings.webhooks_allowed_ports == (443, 8443)
    assert settings.webhooks_allow_http_hosts == ("hooks.internal",)
    assert settings.vault_key_file == Path.cwd() / "key"
    assert settings.storage_url == "s3://media/prefix"


def test_a_vault_key_may_be_followed_by_the_old_ones() -> None:
    keys = f"{HEX_KEY},{'A' * 43}="
    assert Settings.from_env({"TOKPORTAL_VAULT_KEY": keys}).vault_key == keys
    problems_of({"TOKPORTAL_VAULT_KEY": f"{HEX_KEY},short"})


def test_every_problem_is_told_at_once() -> None:
    problems = problems_of(
        {"TOKPORTAL_PORT": "eighty", "TOKPORTAL_LOG_LEVEL": "loud", "TOKPORTAL_POOL_SIZ": "3"}
    )
    assert problems == (
        "TOKPORTAL_LOG_LEVEL='loud' is not accepted: give one of debug, error, info, warning.",
        "TOKPORTAL_POOL_SIZ is no setting of this server: did you mean TOKPORTAL_POOL_SIZE?",
        "TOKPORTAL_PORT='eighty' is not accepted: give a whole number from 0 up to 65535.",
    )


def test_an_unknown_name_without_a_neighbour_is_to_be_removed() -> None:
    assert problems_of({"TOKPORTAL_XQZ": "1"}) == (
        "TOKPORTAL_XQZ is no setting of this server: remove it.",
    )


def test_the_names_of_the_published_clients_and_of_others_are_ignored() -> None:
    environ = {
        "TOKPORTAL_API_KEY": "sk_x",
        "TOKPORTAL_BASE_URL": "http://h",
        "PORT": "x",
        "HOME": "/",
    }
    assert Settings.from_env(environ).port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", ""),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("POOL_SIZE", "0"),
        ("POOL_SIZE", "1.5"),
        ("KEY_BUCKET_REFILL_PER_SECOND", "nan"),
        ("KEY_BUCKET_REFILL_PER_SECOND", "inf"),
        ("KEY_BUCKET_REFILL_PER_SECOND", "0"),
        ("WEBHOOKS_ALLOW_LOOPBACK", "maybe"),
        ("WEBHOOKS_ALLOWED_PORTS", "443,,80"),
        ("WEBHOOKS_ALLOWED_PORTS", "443;80"),
        ("WEBHOOKS_ALLOW_HTTP_HOSTS", "http://h"),
        ("HOST", "127.0.0.1\n"),
        ("PUBLIC_URL", "ftp://h"),
        ("PUBLIC_URL", "https://h/?q=1"),
        ("STORAGE_URL", "/media"),
        ("STORAGE_URL", "s3://"),
        ("DATABASE_URL", "mysql://h/d"),
        ("VAULT_KEY", "short"),
        ("HOME", "~no-such-user-of-this-machine/x"),
    ],
)
def test_refuses_a_malformed_value_by_its_name(name: str, value: str) -> None:
    (problem,) = problems_of({f"TOKPORTAL_{name}": value})
    assert problem.startswith(f"TOKPORTAL_{name}=")
    assert " is not accepted: give " in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT_KEY", "hunter2"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_DIRECT_URL", "hunter2"),
        ("PUBLIC_URL", "https://alice:hunter2@h"),
        ("STORAGE_URL", "s3://key:hunter2@bucket"),
    ],
)
def test_a_problem_never_repeats_a_secret(name: str, value: str) -> None:
    assert "hunter2" not in "".join(problems_of({f"TOKPORTAL_{name}": value}))


def test_no_form_of_printing_shows_a_secret() -> None:
    settings = Settings.from_env(
        {
            "TOKPORTAL_DATABASE_URL": "postgresql://tok:hunter2@h/d",
            "TOKPORTAL_DATABASE_DIRECT_URL": "postgresql://tok:hunter2@direct/d",
            "TOKPORTAL_VAULT_KEY": HEX_KEY,
        }
    )
    for text in (repr(settings), str(settings), repr(settings.__rich_repr__())):
        assert "hunter2" not in text
        assert HEX_KEY not in text
        assert "port" in text
    assert settings.vault_key == HEX_KEY


@pytest.mark.parametrize(
    ("environ", "way_out"),
    [
        ({"VAULT_KEY": HEX_KEY, "VAULT_KEY_FILE": "key"}, "keep one of them"),
        (
            {"DATABASE_URL": "postgresql://h/d", "DATABASE_POOLER": "transaction"},
            "needs TOKPORTAL_DATABASE_DIRECT_URL",
        ),
        ({"DATABASE_DIRECT_URL": "postgresql://h/d"}, "set both"),
        ({"TIKTOK_CLIENT_KEY": "k"}, "TOKPORTAL_TIKTOK_CLIENT_SECRET belong together"),
        ({"INSTAGRAM_APP_SECRET": "s"}, "TOKPORTAL_INSTAGRAM_APP_SECRET belong together"),
    ],
)
def test_refuses_settings_that_contradict_each_other(environ: dict[str, str], way_out: str) -> None:
    (problem,) = problems_of({f"TOKPORTAL_{name}": value for name, value in environ.items()})
    assert way_out in problem


def test_the_data_directory_is_the_systems_for_root_and_the_users_otherwise(
    tmp_path: Path,
) -> None:
    xdg = {"XDG_DATA_HOME": str(tmp_path)}
    assert default_home(xdg, root=True) == Path("/var/lib/tokportal")
    assert default_home(xdg, root=False) == tmp_path / "tokportal"
    users = Path.home() / ".local/share/tokportal"
    assert default_home({}, root=False) == users
    assert default_home({"XDG_DATA_HOME": "relative"}, root=False) == users
    assert Settings.from_env(xdg).home == default_home(xdg, root=os.geteuid() == 0)


def test_the_origin_is_the_public_url_or_the_listening_address() -> None:
    origins = [
        Settings.from_env({f"TOKPORTAL_{name}": value}).origin()
        for name, value in (
            ("PUBLIC_URL", "https://tok.example/base/"),
            ("PORT", "9000"),
            ("HOST", "::1"),
        )
    ]
    assert origins == ["https://tok.example/base", "http://127.0.0.1:9000", "http://[::1]:8000"]


def test_settings_are_frozen() -> None:
    settings = Settings.from_env({})
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]  # what the test is about


def test_the_table_has_a_complete_row_for_every_setting() -> None:
    rows = {
        cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
        for line in settings_table().splitlines()[2:]
        if (cells := line.strip("|").split(" | "))
    }
    fields = msgspec.structs.fields(Settings)
    assert set(rows) == {f"TOKPORTAL_{field.name.upper()}" for field in fields}
    assert [name for name, cells in rows.items() if len(cells) != 3 or not all(cells)] == []


def test_the_page_of_the_docs_holds_the_current_table() -> None:
    assert settings_table() in PAGE.read_text(encoding="utf-8")
