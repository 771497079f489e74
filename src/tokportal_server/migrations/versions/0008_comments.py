"""The revision 0008: its statements are in ``sql/0008_comments.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0008_comments")
