"""Version 1: forecasts, stage changes, requests to retrain, configurations tried, digests of files, versions.

Triggers protect the records.
"""

import sqlalchemy as sa
from alembic import op

from tasks.ledger.triggers import triggers

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables in an empty database."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "forecasts",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("as_of", sa.Date, primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("ticker", sa.Text, nullable=False),
        sa.Column("column", sa.Text, nullable=False),
        sa.Column("forecast", sa.Double, nullable=False),
        sa.Column("lower", sa.Double),
        sa.Column("upper", sa.Double),
        sa.Column("level", sa.Double),
        sa.Column("naive", sa.Double, nullable=False),
        sa.Column("naive_name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("observed", sa.Double),
        sa.Column("observed_at", moment),
        sa.Column("intervals", sa.JSON, nullable=False),
        sa.Column("naives", sa.JSON, nullable=False),
        sa.Column("quantiles", sa.JSON, nullable=False),
        sa.Column("naive_quantiles", sa.JSON, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("currency", sa.Text),
        # With a rowid, INSERT OR REPLACE could name a row by that hidden number and replace it.
        sqlite_with_rowid=False,
    )
    op.create_index("forecasts_of_a_session", "forecasts", ["model", "session"])
    op.create_index("forecasts_filled_in", "forecasts", ["model", "observed_at"])
    op.create_index("forecasts_of_a_run", "forecasts", ["run_id"])
    op.create_index("forecasts_of_prices", "forecasts", ["ticker", "as_of", "fingerprint"])
    op.create_table(
        "stage_changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("move", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("forced", sa.Text),
        sa.Column("verdict", sa.Text),
        sa.Column("evidence", sa.Double),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_of_a_version", "stage_changes", ["model", "version", "id"])
    op.create_index("changes_of_a_move", "stage_changes", ["model", "move"])
    op.create_index("changes_of_a_stage", "stage_changes", ["model", "after"])
    op.create_table(
        "retraining",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("configuration", sa.Text, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("oldest", sa.Date, nullable=False),
        sa.Column("first", sa.Date, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.UniqueConstraint("model", "configuration", name="one_trial_of_a_configuration"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "kept_files",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artefacts",
        sa.Column("artefact", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "versions",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("artefact", sa.Text, nullable=False, unique=True),
        sqlite_with_rowid=False,
    )
    op.create_table("ledger_version", sa.Column("version", sa.Integer, nullable=False))
    for statement in triggers(op.get_bind().dialect.name, 1):
        op.execute(statement)
