"""Version 4: how many sessions ahead a forecast is; 1 for the forecasts that were recorded before.

It is a part of the key: if a session turns out to be a holiday that the calendar did not have, one session may have
been forecast from one day both as the next one and as the second.

A decision on a version has a verdict for each further horizon, too; none of those before had any.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tasks.ledger.triggers import triggers

revision = "0004"
down_revision = "0003"

KEY = ("model", "version", "as_of", "session", "horizon")
# These and the columns below are those of version 3.
INDEXES = {
    "forecasts_of_a_session": ("model", "session"),
    "forecasts_filled_in": ("model", "observed_at"),
    "forecasts_of_a_run": ("run_id",),
    "forecasts_of_prices": ("ticker", "as_of", "fingerprint"),
}


def upgrade() -> None:
    """Add the column to the table and to its key; the triggers protect it from then on."""
    if op.get_bind().dialect.name == "sqlite":
        _made_anew()
    else:
        op.add_column("forecasts", sa.Column("horizon", sa.Integer, nullable=False, server_default="1"))
        op.drop_constraint("forecasts_pkey", "forecasts", type_="primary")
        op.create_primary_key("forecasts_pkey", "forecasts", list(KEY))
    op.add_column("stage_changes", sa.Column("further", sa.JSON))
    for statement in triggers(op.get_bind().dialect.name, 4):
        op.execute(statement)


def _made_anew() -> None:
    """SQLite cannot change a key: the rows are copied as they are, and the old table's triggers go with it."""
    op.create_table(
        "forecasts_of_version_4",
        # The key's columns first, in its order: else `PRAGMA integrity_check` of SQLite 3.40 takes others for empty.
        *(sa.Column(name, kind, nullable=False) for name, kind in _REQUIRED[:4]),
        sa.Column("horizon", sa.Integer, nullable=False, server_default="1"),
        *(sa.Column(name, kind, nullable=False) for name, kind in _REQUIRED[4:]),
        *(sa.Column(name, kind) for name, kind in _OPTIONAL),
        sa.PrimaryKeyConstraint(*KEY),
        sqlite_with_rowid=False,
    )
    names = ", ".join(f'"{name}"' for name, _ in (*_REQUIRED, *_OPTIONAL))
    op.execute(f"INSERT INTO forecasts_of_version_4 ({names}) SELECT {names} FROM forecasts")  # noqa: S608 - own names
    op.drop_table("forecasts")
    op.rename_table("forecasts_of_version_4", "forecasts")
    for name, columns in INDEXES.items():
        op.create_index(name, "forecasts", list(columns))


_REQUIRED: tuple[tuple[str, Any], ...] = (
    ("model", sa.Text()),
    ("version", sa.Integer()),
    ("as_of", sa.Date()),
    ("session", sa.Date()),
    ("ticker", sa.Text()),
    ("column", sa.Text()),
    ("forecast", sa.Double()),
    ("naive", sa.Double()),
    ("naive_name", sa.Text()),
    ("source", sa.Text()),
    ("stale", sa.Boolean()),
    ("run_id", sa.Text()),
    ("fingerprint", sa.Text()),
    ("made_at", sa.DateTime(timezone=True)),
    ("intervals", sa.JSON()),
    ("naives", sa.JSON()),
    ("quantiles", sa.JSON()),
    ("naive_quantiles", sa.JSON()),
    ("late", sa.Boolean()),
)
_OPTIONAL: tuple[tuple[str, Any], ...] = (
    ("lower", sa.Double()),
    ("upper", sa.Double()),
    ("level", sa.Double()),
    ("observed", sa.Double()),
    ("observed_at", sa.DateTime(timezone=True)),
    ("currency", sa.Text()),
    ("explanation", sa.JSON()),
    ("without", sa.Text()),
)
