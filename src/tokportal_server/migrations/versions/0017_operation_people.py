"""The revision 0017: its statements are in ``sql/0017_operation_people.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0017_operation_people")
