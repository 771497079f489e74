"""The revision 0018: its statements are in ``sql/0018_doctor_runs.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0018_doctor_runs")
