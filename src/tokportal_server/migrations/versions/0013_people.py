"""The revision 0013: its statements are in ``sql/0013_people.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0013_people")
