"""The revision 0004: its statements are in ``sql/0004_uploads.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0004_uploads")
