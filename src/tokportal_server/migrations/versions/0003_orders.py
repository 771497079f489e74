"""The revision 0003: its statements are in ``sql/0003_orders.sql``."""

from tokportal_server.migrations.statements import apply

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the revision's statements."""
    apply("0003_orders")
