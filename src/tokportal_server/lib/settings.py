"""The settings of a server: ``TOKPORTAL_*`` variables, read once at start, frozen afterwards.

``docs/operate/settings.md`` is made from this class (``settings_table``); a test keeps it current.
Defaults are those of the contract (sections 2, 8, 9 and 12) and of the design.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from tokportal_server.lib import environment
from tokportal_server.lib.environment import SECRET
from tokportal_server.lib.errors import OperatorError
from tokportal_server.lib.setting_rules import contradictions
from tokportal_server.lib.setting_types import (
    BearerToken,
    CallsPerMinute,
    ClientId,
    HostName,
    Hours,
    MailAddress,
    Network,
    Port,
    PostgresUrl,
    PublicUrl,
    SigningSecret,
    StorageUrl,
    VaultKey,
)

PREFIX = "TOKPORTAL_"

# The published clients read these two; whoever runs a client beside the server has them set.
_OF_THE_CLIENTS = frozenset({"TOKPORTAL_API_KEY", "TOKPORTAL_BASE_URL"})


class SettingsError(OperatorError):
    """The environment cannot be used; ``problems`` holds one sentence for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose. Times name their unit; sizes are bytes."""

    home: Annotated[
        Path,
        Meta(description="Directory of everything the server keeps on disk."),
    ]
    host: Annotated[
        HostName,
        Meta(description="Address that the server listens on."),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(ge=0, le=65535, description="Port that the server listens on; 0 takes a free one."),
    ] = 8000
    public_url: Annotated[
        PublicUrl | None,
        Meta(
            description="The server's address as its callers see it, for links and media URLs; "
            "without it `http://HOST:PORT`.",
        ),
    ] = None

    database_url: Annotated[
        PostgresUrl | None,
        Meta(
            description="PostgreSQL 16 or newer; without it the embedded one under `HOME`.",
            extra=SECRET,
        ),
    ] = None
    database_direct_url: Annotated[
        PostgresUrl | None,
        Meta(
            description="The same database past its pooler, for workers and migrations.",
            extra=SECRET,
        ),
    ] = None
    database_pooler: Annotated[
        Literal["none", "transaction"],
        Meta(description="`transaction` if `DATABASE_URL` leads to a pooler in transaction mode."),
    ] = "none"
    pool_size: Annotated[
        int,
        Meta(ge=1, le=500, description="Database connections of each server process."),
    ] = 10

    storage_url: Annotated[
        StorageUrl,
        Meta(
            description="Where media lie: `file:` and a directory (below `HOME` unless absolute; "
            "none is `media`), or `s3://bucket/prefix` with the usual AWS variables.",
        ),
    ] = "file:"
    vault_key: Annotated[
        VaultKey | None,
        Meta(
            description="Key that seals stored secrets; while keys are changed also the old ones, "
            "after the new one. Without it a key is made in `HOME`.",
            extra=SECRET,
        ),
    ] = None
    vault_key_file: Annotated[
        Path | None,
        Meta(description="File that holds the vault key, instead of `VAULT_KEY`."),
    ] = None

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least important messages that are logged."),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"],
        Meta(description="One JSON object a line, or lines for people."),
    ] = "json"
    metrics_token: Annotated[
        BearerToken | None,
        Meta(
            description="What `/metrics` wants as `Authorization: Bearer`; without it, it answers "
            "to this machine only.",
            extra=SECRET,
        ),
    ] = None
    metrics_port: Annotated[
        Port | None,
        Meta(description="Port of `/metrics` and `/healthz` of a worker that runs by itself."),
    ] = None
    smtp_host: Annotated[
        HostName | None,
        Meta(description="Mail server; without it links are handed over, notices are pages only."),
    ] = None
    smtp_port: Annotated[
        Port,
        Meta(description="Port of the mail server."),
    ] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="Encryption of mail: begun by STARTTLS, from the first byte, or none."),
    ] = "starttls"
    smtp_username: Annotated[
        str | None,
        Meta(description="Account at the mail server; without it mail is sent without signing in."),
    ] = None
    smtp_password: Annotated[
        str | None,
        Meta(description="Password of that account.", extra=SECRET),
    ] = None
    mail_from: Annotated[
        MailAddress | None,
        Meta(description="Address that mail comes from; needed with `SMTP_HOST`."),
    ] = None
    trusted_proxies: Annotated[
        tuple[Network, ...],
        Meta(
            description="Proxies in front of the server, whose `X-Forwarded-For` says where a "
            "visitor is.",
        ),
    ] = ()
    drain_seconds: Annotated[
        int,
        Meta(ge=0, le=3600, description="Time that a stopping process gives to running work."),
    ] = 30

    key_bucket_capacity: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Calls that an idle API key may make at once."),
    ] = 120
    key_bucket_refill_per_second: Annotated[
        float,
        Meta(gt=0, le=1_000_000, description="Calls that an API key gains per second."),
    ] = 2.0
    create_bucket_per_minute: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Bundle creations per minute and workspace."),
    ] = 30
    json_body_max_bytes: Annotated[
        int,
        Meta(ge=1024, le=1 << 30, description="Longest JSON body."),
    ] = 1 << 20

    webhooks_allow_loopback: Annotated[
        bool,
        Meta(
            description="Whether webhooks and fetched media may reach this machine; for tests and "
            "demos only.",
        ),
    ] = False
    webhooks_allow_http_hosts: Annotated[
        tuple[HostName, ...],
        Meta(description="Hosts that may receive webhooks over plain http."),
    ] = ()
    webhooks_allowed_ports: Annotated[
        tuple[Port, ...],
        Meta(description="Ports that outgoing requests may use."),
    ] = (443, 80)

    video_max_bytes: Annotated[
        int,
        Meta(ge=1, description="Largest video file."),
    ] = 1 << 30
    video_max_seconds: Annotated[
        int,
        Meta(ge=1, description="Longest video."),
    ] = 600
    image_max_bytes: Annotated[
        int,
        Meta(ge=1, description="Largest image file."),
    ] = 20_000_000
    image_max_pixels: Annotated[
        int,
        Meta(ge=1, description="Most pixels of an image, width times height."),
    ] = 50_000_000
    image_max_side: Annotated[
        int,
        Meta(ge=1, description="Longest side of an image in pixels."),
    ] = 16_384

    reveal_policy: Annotated[
        Literal["open", "acknowledge"],
        Meta(
            description="Whether credentials are revealed to a plain call, or only to one that "
            "acknowledges the end of management."
        ),
    ] = "open"
    inbound_mail_secret: Annotated[
        SigningSecret | None,
        Meta(
            description="What a mail server signs the mails of accounts with; without it "
            "`/hooks/inbound-mail` is not there.",
            extra=SECRET,
        ),
    ] = None
    inbound_mail_max_bytes: Annotated[
        int,
        Meta(ge=1024, le=1 << 26, description="Longest mail that is handed over."),
    ] = 1 << 20
    profile_claim_hours: Annotated[
        Hours,
        Meta(description="Time that a manager has for setting up a claimed profile."),
    ] = 72
    slot_claim_hours: Annotated[
        Hours,
        Meta(description="Time that a manager has for a claimed slot."),
    ] = 48
    review_hours: Annotated[
        Hours,
        Meta(description="Time after which an unanswered submission counts as accepted."),
    ] = 72
    priority_after_hours: Annotated[
        Hours,
        Meta(description="Time after which an unclaimed bundle becomes a priority."),
    ] = 24

    comment_limit_per_target: Annotated[
        bool,
        Meta(description="Whether a workspace may order only one comment a day for each post."),
    ] = True
    comment_refuse_like_texts: Annotated[
        bool,
        Meta(
            description="Whether accounts of a workspace may not be given nearly the same comment "
            "within 24 hours.",
        ),
    ] = True

    tiktok_client_key: Annotated[
        ClientId | None,
        Meta(description="Client key of your TikTok app; without it no account can be connected."),
    ] = None
    tiktok_client_secret: Annotated[
        ClientId | None,
        Meta(description="Client secret of that app.", extra=SECRET),
    ] = None
    tiktok_api_url: Annotated[
        PublicUrl,
        Meta(description="Where TikTok's Display API is; another one is for tests."),
    ] = "https://open.tiktokapis.com"
    tiktok_calls_per_minute: Annotated[
        CallsPerMinute,
        Meta(description="Most calls to TikTok's API, all processes together."),
    ] = 300
    instagram_app_id: Annotated[
        ClientId | None,
        Meta(description="Instagram app ID of your Meta app; without it no account is connected."),
    ] = None
    instagram_app_secret: Annotated[
        ClientId | None,
        Meta(description="Instagram app secret of that app.", extra=SECRET),
    ] = None
    instagram_api_url: Annotated[
        PublicUrl,
        Meta(description="Where Instagram's Graph API is; another one is for tests."),
    ] = "https://graph.instagram.com"
    instagram_login_url: Annotated[
        PublicUrl,
        Meta(description="Where codes become Instagram tokens; another one is for tests."),
    ] = "https://api.instagram.com"
    instagram_calls_per_minute: Annotated[
        CallsPerMinute,
        Meta(description="Most calls to Instagram's API, all processes together."),
    ] = 200
    analytics_refresh_hours: Annotated[
        int,
        Meta(ge=0, le=720, description="Age at which numbers are collected anew; 0 for never."),
    ] = 24
    analytics_refresh_quota: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Refreshes a month that a workspace may ask for."),
    ] = 500
    analytics_snapshots_kept_days: Annotated[
        int,
        Meta(
            ge=62,
            le=3650,
            description="Days that snapshots and their raw payloads are kept; rollups stay.",
        ),
    ] = 800
    analytics_comments_kept_days: Annotated[
        int,
        Meta(ge=1, le=3650, description="Days that collected comments are kept."),
    ] = 400

    earnings_currency: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{3}\Z",
            description="Currency in which managers are paid, unless a rate names another.",
            extra={"accepts": "three capital letters, as ISO 4217 has them"},
        ),
    ] = "USD"
    earnings_ban_days: Annotated[
        int,
        Meta(
            ge=0,
            le=365,
            description="A manager earns nothing by setting an account up that its platform bans "
            "within so many days of its approval; 0: they always do.",
        ),
    ] = 0

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; ``SettingsError`` names everything that is wrong, not only the first.

        An unknown ``TOKPORTAL_*`` name is wrong; the published clients' own two are not.
        """
        values, problems = environment.read(
            _VARIABLES, environ, prefix=PREFIX, ignored=_OF_THE_CLIENTS
        )
        problems += contradictions(values)
        if problems:
            raise SettingsError(problems)
        values.setdefault("home", default_home(environ, root=os.geteuid() == 0))
        return cls(**values)

    @property
    def incoming(self) -> Path:
        """The directory of files on their way in; what is in it may go when its call has ended."""
        return self.home / "incoming"

    def origin(self) -> str:
        """Give the server's address as callers see it, without a slash at its end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def __repr__(self) -> str:
        shown = (f"{v.field}={self._shown(v)!r}" for v in _VARIABLES.values())
        return f"Settings({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(v.field, self._shown(v)) for v in _VARIABLES.values()]

    def _shown(self, variable: environment.Variable) -> object:
        value = getattr(self, variable.field)
        return "(not shown)" if variable.secret and value is not None else value


_VARIABLES = environment.variables(Settings, PREFIX)


def default_home(environ: Mapping[str, str], *, root: bool) -> Path:
    """Give the data directory of a server that was told none: the system's, or the user's."""
    if root:
        return Path("/var/lib/tokportal")
    base = environ.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    data = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share"
    return data / "tokportal"


def settings_table() -> str:
    """Give the Markdown table of all settings: name, default, meaning, what is accepted."""
    rows = ["| name | default | meaning | accepted |", "|---|---|---|---|"]
    for variable in _VARIABLES.values():
        cells = (
            f"`{variable.name}`",
            _default_words(variable),
            variable.description,
            variable.accepts,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _default_words(variable: environment.Variable) -> str:
    if variable.field == "home":
        return "`tokportal` in the user's data directory; as root `/var/lib/tokportal`"
    match variable.default:
        case None | ():
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case tuple(many):
            return f"`{','.join(str(item) for item in many)}`"
        case value:
            return f"`{value}`"
