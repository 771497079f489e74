"""The revision 0007: its statements are in ``sql/0007_reference.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0007_reference")
