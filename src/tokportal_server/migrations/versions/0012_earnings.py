"""The revision 0012: its statements are in ``sql/0012_earnings.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0012_earnings")
