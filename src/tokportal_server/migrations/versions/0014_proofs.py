"""The revision 0014: its statements are in ``sql/0014_proofs.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0014_proofs")
