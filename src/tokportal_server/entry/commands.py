"""Which commands there are, and where each stands.

What a command does not need is not loaded: all of them together take a second more than one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cyclopts import App

from tokportal_server import __version__

# Modules of this package, and what of them is a command or a group of commands.
_PLACES: Final[Mapping[str, str]] = {
    "workspace": "workspace_commands:workspace",
    "person": "person_commands:person",
    "key": "key_commands:key",
    "webhook": "webhook_commands:webhook",
    "credits": "credit_commands:credits_",
    "bundle": "bundle_commands:bundle",
    "price": "price_commands:price",
    "account": "account_commands:account",
    "vault": "vault_commands:vault",
    "backup": "backup_commands:backup",
    "proof": "proof_commands:proof",
    "rehearse": "rehearse_commands:rehearse",
    "manager": "manager_commands:manager",
    "earnings": "earnings_commands:earnings",
    "analytics": "analytics_commands:analytics",
    "maintenance": "maintenance_commands:maintenance",
    "jobs": "jobs_commands:jobs",
    "pause": "publishing_commands:pause",
    "resume": "publishing_commands:resume",
    "restore": "backup_commands:restore",
    "upgrade": "upgrade_commands:upgrade",
    "migrate": "upgrade_commands:migrate",
    "serve": "server_commands:serve",
    "worker": "server_commands:worker",
    "demo": "demo_command:demo",
    "doctor": "doctor_command:doctor",
    "openapi": "document_commands:openapi",
    "docs": "document_commands:docs",
    "mcp": "mcp_command:mcp",
}

app = App(
    name="tokportal-server",
    help="An independent, self-hosted server for the TokPortal public API.",
    version=__version__,
)
for _name, _place in _PLACES.items():
    app.command(f"{__package__}.{_place}", name=_name)


def load_all() -> None:
    """Load every command: the list of all of them shows what each says of itself."""
    for name in _PLACES:
        app[name]  # looking it up loads it
