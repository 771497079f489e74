"""Which provider is asked about an account, and how each is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from tokportal_server.analytics.connections import Connections
from tokportal_server.analytics.observations import (
    AnalyticsProvider,
    ProviderFailedError,
    Source,
)
from tokportal_server.analytics.providers.api import PAUSES, ProviderApi
from tokportal_server.analytics.providers.budget import PATIENCE, Budget
from tokportal_server.analytics.providers.instagram import Instagram
from tokportal_server.analytics.providers.logins import InstagramLogin, Login, TikTokLogin
from tokportal_server.analytics.providers.simulator import Connect, Simulator
from tokportal_server.analytics.providers.tiktok import TikTok
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.locks import Row

SOURCE_OF: Final[dict[str, Source]] = {"tiktok": "tiktok_api", "instagram": "instagram_api"}


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers of this process; ``logins`` has those whose app the operator has registered."""

    connections: Connections
    logins: dict[Source, Login]
    tiktok: TikTok
    instagram: Instagram

    @classmethod
    def of(
        cls, ports: Ports, *, pauses: Sequence[float] = PAUSES, patience: float = PATIENCE
    ) -> Self:
        """Make them as the settings say.

        ``pauses`` are the seconds between attempts of a call, ``patience`` those that one waits for
        its turn.
        """
        settings = ports.settings

        def api(source: Source, base_url: str, per_minute: int) -> ProviderApi:
            budget = Budget(ports.database, source, per_minute, patience)
            return ProviderApi(ports.outbound, budget, base_url, pauses)

        tiktok = api("tiktok_api", settings.tiktok_api_url, settings.tiktok_calls_per_minute)
        per_minute = settings.instagram_calls_per_minute
        graph = api("instagram_api", settings.instagram_api_url, per_minute)
        logins: dict[Source, Login] = {}
        if settings.tiktok_client_key and settings.tiktok_client_secret:
            logins["tiktok_api"] = TikTokLogin(
                tiktok, settings.tiktok_client_key, settings.tiktok_client_secret
            )
        if settings.instagram_app_id and settings.instagram_app_secret:
            login = api("instagram_api", settings.instagram_login_url, per_minute)
            logins["instagram_api"] = InstagramLogin(
                login, graph, settings.instagram_app_id, settings.instagram_app_secret
            )
        connections = Connections(ports.database, ports.vault, logins)
        return cls(connections, logins, TikTok(tiktok, connections), Instagram(graph, connections))

    def of_account(self, account: Row, *, connect: Connect, now: datetime) -> AnalyticsProvider:
        """Give the provider of an account; ``now`` is its workspace's clock.

        ``account`` has ``platform``, ``status`` and ``rehearsal``.

        Raises:
            ProviderFailedError: none can have its numbers.
        """
        if account["rehearsal"]:
            return Simulator(connect, now)
        source = SOURCE_OF[account["platform"]]
        if account["status"] == "banned":
            raise ProviderFailedError(
                source,
                "the platform has banned the account, so it has no numbers any more",
                retryable=False,
            )
        return self.tiktok if source == "tiktok_api" else self.instagram
