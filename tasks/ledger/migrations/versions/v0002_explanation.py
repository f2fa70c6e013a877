"""Version 2: what made a forecast wide or narrow; NULL in the forecasts that were recorded before."""

import sqlalchemy as sa
from alembic import op

from tasks.ledger.triggers import triggers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, which the triggers protect from then on."""
    op.add_column("forecasts", sa.Column("explanation", sa.JSON))
    for statement in triggers(op.get_bind().dialect.name, 2):
        op.execute(statement)
