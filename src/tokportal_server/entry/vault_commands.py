"""``tokportal-server vault``: the keys that secrets are sealed with."""

from __future__ import annotations

from cyclopts import App

from tokportal_server.cli.vault_administration import rotate as rotate_vault
from tokportal_server.entry.installation import settings, with_connection
from tokportal_server.entry.operator_options import Flag, report
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import Connection

vault = App(name="vault", help="Change the keys that secrets are sealed with.")


@vault.command
def rotate(*, json: Flag = False) -> int:
    """Bring every sealed record under the first vault key, while the server runs.

    Before: every process has both keys, the new one first. After: take the old one away.

    Parameters
    ----------
    json
        Answer with one JSON object, for scripts.
    """
    read = settings()

    async def run(conn: Connection) -> int:
        keys = Vault.from_settings(read.vault_key, read.vault_key_file, read.home)
        changed = await rotate_vault(conn, keys)
        facts = {"key_id": keys.current, "rewrapped": changed, "left": 0}
        report(
            facts,
            f"{changed} records were wrapped anew; 0 are left under another key than"
            f" {keys.current}.",
            as_json=json,
        )
        return 0

    return with_connection(run)
