"""The composition: its parts fit together, and it says what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.house.repository import ROOT
from tokportal_server.entry.commands import app
from tokportal_server.lib.settings import Settings

FILE = ROOT / "deploy" / "compose.yaml"
GIVEN = {"POSTGRES_PASSWORD": "a-password", "TOKPORTAL_PUBLIC_URL": "https://portal.example.com"}
_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]+\}")


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    """The file with its variables filled in."""
    text = FILE.read_text(encoding="utf-8")
    filled = _VARIABLE.sub(lambda found: GIVEN[found[1]], text)
    return msgspec.yaml.decode(filled, type=dict[str, Any])


def test_every_variable_is_asked_for_and_none_has_a_default() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert set(_VARIABLE.findall(text)) == set(GIVEN)
    assert text.count("${") == len(_VARIABLE.findall(text))


@pytest.mark.parametrize("name", ["api", "worker"])
def test_our_parts_have_settings_that_are_accepted(file: dict[str, Any], name: str) -> None:
    service = file["services"][name]
    settings = Settings.from_env(service["environment"])
    assert settings.database_url == "postgresql://tokportal:a-password@postgres:5432/tokportal"
    assert f"/run/secrets/{service['secrets'][0]}" == str(settings.vault_key_file)
    _, _, unknown = app.parse_commands(service["command"][:1])
    assert unknown == []


@pytest.mark.parametrize("name", ["api", "worker"])
def test_our_parts_may_do_nothing_that_they_need_not(file: dict[str, Any], name: str) -> None:
    service = file["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_each_part_begins_when_what_it_needs_is_healthy(file: dict[str, Any]) -> None:
    services = file["services"]
    assert services["api"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["worker"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    assert services["postgres"]["healthcheck"]["test"][0] == "CMD"
    # The API's is in its image; a worker listens nowhere.
    assert services["worker"]["healthcheck"] == {"disable": True}


def test_it_is_reached_from_its_host_only_which_it_trusts_as_a_proxy(file: dict[str, Any]) -> None:
    assert file["services"]["api"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in file["services"]["postgres"]
    [network] = file["networks"]["inside"]["ipam"]["config"]
    trusted = file["services"]["api"]["environment"]["TOKPORTAL_TRUSTED_PROXIES"]
    assert trusted == network["gateway"]
    assert ip_address(trusted) in ip_network(network["subnet"])


def test_what_must_survive_is_in_a_volume(file: dict[str, Any]) -> None:
    home = "/var/lib/tokportal"
    assert file["services"]["api"]["volumes"] == file["services"]["worker"]["volumes"]
    assert file["services"]["api"]["volumes"] == [f"media:{home}"]
    assert set(file["volumes"]) == {"database", "media"}
    assert f"TOKPORTAL_HOME={home}" in (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def test_compose_itself_accepts_it(tmp_path: Path) -> None:
    command = _compose()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "vault.key").write_text("00" * 32)
    shutil.copy(FILE, tmp_path)
    ended = subprocess.run(
        [*command, "-f", str(tmp_path / FILE.name), "config", "--quiet"],
        env={**os.environ, **GIVEN},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def _compose() -> list[str]:
    """Give the command; it needs no engine to read a file."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)  # noqa: S607
        if asked.returncode == 0:
            return ["docker", "compose"]
    pytest.skip("Docker Compose is not installed. On Debian: apt install docker-compose")
