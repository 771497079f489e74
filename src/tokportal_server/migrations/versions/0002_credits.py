"""The revision 0002: its statements are in ``sql/0002_credits.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0002_credits")
