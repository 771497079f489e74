"""The revision 0015: its statements are in ``sql/0015_rehearsal.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0015_rehearsal")
