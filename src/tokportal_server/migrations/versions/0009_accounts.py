"""The revision 0009: its statements are in ``sql/0009_accounts.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0009_accounts")
