"""The revision 0006: its statements are in ``sql/0006_jobs.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0006_jobs")
