"""nginx and Caddy, started with the examples of ``deploy/`` on ports and names of this machine."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import free_port
from tests.deploy.programs import adapted, program
from tests.house.repository import ROOT
from tests.lib.directories import passable_directory
from tests.lib.outbound_rig import certificate
from tests.lib.waiting import SAFETY_NET, until_it_listens

_NGINX = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    include {folder}/tokportal.conf;
}}
"""
_CADDY = """
{{
	admin off
	auto_https disable_redirects
	http_port {http}
	https_port {https}
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its addresses, and where it keeps what it cannot pass on at once."""

    port: int
    plain_port: int
    folder: Path
    trust: ssl.SSLContext

    @property
    def address(self) -> str:
        """Where it speaks https."""
        return f"https://localhost:{self.port}"

    def kept(self) -> int:
        """Give how many bytes of bodies and answers it has on its disk."""
        places = (self.folder / "bodies", self.folder / "answers")
        return sum(
            path.stat().st_size for place in places for path in place.rglob("*") if path.is_file()
        )


@contextmanager
def nginx(port: int, servers: Sequence[int]) -> Iterator[Proxy]:
    """Run nginx before the servers of these ports."""
    command = program("nginx", "nginx-light")
    with passable_directory() as folder:
        proxy = Proxy(port, free_port(), folder, _certified(folder))
        lists = "".join(f"server 127.0.0.1:{one} max_fails=0;\n" for one in servers)
        site = adapted(
            ROOT / "deploy" / "nginx" / "tokportal.conf",
            ("server 127.0.0.1:8000 max_fails=0;", lists),
            ("listen 80;", f"listen 127.0.0.1:{proxy.plain_port};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("portal.example.com;", "localhost;"),
            ("https://$host$request_uri", f"https://$host:{port}$request_uri"),
            ("/etc/letsencrypt/live/portal.example.com/", f"{folder}/"),
        )
        (folder / "tokportal.conf").write_text(site, encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
        with _running([command, "-c", str(folder / "nginx.conf")], proxy, signal.SIGTERM):
            yield proxy


@contextmanager
def caddy(port: int, servers: Sequence[int]) -> Iterator[Proxy]:
    """Run Caddy before the servers of these ports."""
    command = program("caddy")
    with passable_directory() as folder:
        proxy = Proxy(port, free_port(), folder, _certified(folder))
        certificate = f"\ttls {folder}/fullchain.pem {folder}/privkey.pem"
        site = adapted(
            ROOT / "deploy" / "caddy" / "Caddyfile",
            ("reverse_proxy 127.0.0.1:8000", _upstreams(servers)),
            (
                "portal.example.com {",
                f"https://localhost:{port} {{\n\tbind 127.0.0.1\n{certificate}",
            ),
        )
        own = _CADDY.format(http=proxy.plain_port, https=port)
        (folder / "Caddyfile").write_text(own + site, encoding="utf-8")
        argv = [command, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        with _running(argv, proxy, signal.SIGQUIT):
            yield proxy


def _upstreams(servers: Sequence[int]) -> str:
    return "reverse_proxy " + " ".join(f"127.0.0.1:{one}" for one in servers)


@contextmanager
def _running(argv: list[str], proxy: Proxy, stop: signal.Signals) -> Iterator[None]:
    """Run it; ``stop`` is the signal at which it does not wait for streams that are open."""
    said = proxy.folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], "HOME": str(proxy.folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        until_it_listens(proxy.port, process, said)
        yield
    finally:
        process.send_signal(stop)
        process.wait(SAFETY_NET)


def _certified(folder: Path) -> ssl.SSLContext:
    """Make a certificate for ``localhost``; give what trusts it and nothing else."""
    _, trust = certificate("localhost", folder)
    # Either program takes from a file what it needs of it.
    for name in ("fullchain.pem", "privkey.pem"):
        (folder / name).symlink_to("server.pem")
    return trust
