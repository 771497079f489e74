"""nginx and Caddy, started with the examples of ``deploy/`` on ports and names of this machine."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import free_port
from tests.deploy.programs import program
from tests.entry.installation import SAFETY_NET
from tests.house.repository import ROOT
from tests.lib.test_embedded import passable_directory

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
        _adapt(
            ROOT / "deploy" / "nginx" / "tokportal.conf",
            folder / "tokportal.conf",
            ("server 127.0.0.1:8000 max_fails=0;", lists),
            ("listen 80;", f"listen 127.0.0.1:{proxy.plain_port};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("portal.example.com;", "localhost;"),
            ("https://$host$request_uri", f"https://$host:{port}$request_uri"),
            ("/etc/letsencrypt/live/portal.example.com/", f"{folder}/"),
        )
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
        _adapt(
            ROOT / "deploy" / "caddy" / "Caddyfile",
            folder / "Caddyfile",
            ("reverse_proxy 127.0.0.1:8000", _upstreams(servers)),
            (
                "portal.example.com {",
                f"https://localhost:{port} {{\n\tbind 127.0.0.1\n{certificate}",
            ),
        )
        example = (folder / "Caddyfile").read_text()
        own = _CADDY.format(http=proxy.plain_port, https=port)
        (folder / "Caddyfile").write_text(own + example)
        argv = [command, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        with _running(argv, proxy, signal.SIGQUIT):
            yield proxy


def _upstreams(servers: Sequence[int]) -> str:
    return "reverse_proxy " + " ".join(f"127.0.0.1:{one}" for one in servers)


def _adapt(example: Path, target: Path, *changes: tuple[str, str]) -> None:
    """Copy an example with what is different here; each change must find its place."""
    text = example.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    target.write_text(text, encoding="utf-8")


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
        _until_it_listens(proxy.port, process, said)
        yield
    finally:
        process.send_signal(stop)
        process.wait(SAFETY_NET)


def _until_it_listens(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(said.read_text())


def _certified(folder: Path) -> ssl.SSLContext:
    """Make a certificate for ``localhost``; give what trusts it and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "fullchain.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return ssl.create_default_context(cafile=str(chain))
