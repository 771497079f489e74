"""The revision 0016: its statements are in ``sql/0016_operation.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0016_operation")
