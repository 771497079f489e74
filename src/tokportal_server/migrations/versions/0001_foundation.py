"""The revision 0001: its statements are in ``sql/0001_foundation.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0001_foundation")
