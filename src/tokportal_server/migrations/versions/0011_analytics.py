"""The revision 0011: its statements are in ``sql/0011_analytics.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0011_analytics")
