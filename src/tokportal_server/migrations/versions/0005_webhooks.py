"""The revision 0005: its statements are in ``sql/0005_webhooks.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0005_webhooks")
