"""Version 1: the table of forecasts, as the first release made it."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: there is no older version."""
