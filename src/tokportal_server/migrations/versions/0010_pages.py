"""The revision 0010: its statements are in ``sql/0010_pages.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0010_pages")
