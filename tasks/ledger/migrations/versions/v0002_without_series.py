"""Version 2: the other series without which a forecast was made."""

import sqlalchemy as sa
from alembic import op

from tasks.ledger.triggers import triggers

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, which is empty in older rows, and have the triggers protect it, too."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("DROP TRIGGER IF EXISTS forecasts_stand")
    op.add_column("forecasts", sa.Column("without", sa.Text))
    for statement in triggers(dialect):
        op.execute(statement)
