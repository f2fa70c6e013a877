"""Version 3: the other series without which a forecast was made; NULL in the forecasts that were recorded before."""

import sqlalchemy as sa
from alembic import op

from tasks.ledger.triggers import triggers

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, which the triggers protect from then on."""
    op.add_column("forecasts", sa.Column("without", sa.Text))
    for statement in triggers(op.get_bind().dialect.name, 3):
        op.execute(statement)
