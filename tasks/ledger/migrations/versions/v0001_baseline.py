"""Version 1: forecasts, stage changes, requests to retrain, configurations tried; triggers keep what was recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Every column of a forecast but those for what happened, which are filled in once, together.
KEPT = [
    *("model", "version", "as_of", "session", "ticker", "column", "forecast", "lower", "upper", "level", "naive"),
    *("naive_name", "source", "stale", "run_id", "fingerprint", "made_at", "intervals", "naives", "late"),
    *("quantiles", "naive_quantiles"),
]
# Tables whose rows are never changed or removed, and what a row is called.
STANDING = (
    ("stage_changes", "a recorded stage change"),
    ("retraining", "a recorded request"),
    ("trials", "a recorded trial"),
)
FILLED_IN_ALREADY = "OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL"


def upgrade() -> None:
    """Make the tables in an empty database."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "forecasts",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("as_of", sa.Date, primary_key=True),
        sa.Column("session", sa.Date, nullable=False),
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
        # Without it INSERT OR REPLACE could name a row by SQLite's hidden number and take its place.
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
    op.create_table("ledger_version", sa.Column("version", sa.Integer, nullable=False))
    triggers = _on_sqlite() if op.get_bind().dialect.name == "sqlite" else _on_postgresql()
    for statement in triggers:
        op.execute(statement)


def _on_sqlite() -> list[str]:
    same = " AND ".join(f'OLD."{name}" IS NEW."{name}"' for name in KEPT)
    never = "SELECT RAISE(ABORT, '{} is never changed or removed');"
    statements = [
        f"""CREATE TRIGGER forecasts_stand BEFORE UPDATE ON forecasts WHEN {FILLED_IN_ALREADY} OR NOT ({same})
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
        """CREATE TRIGGER forecasts_stay BEFORE DELETE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never removed'); END""",
    ]
    for table, row in STANDING:
        statements += [
            f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} BEGIN {never.format(row)} END",
            f"CREATE TRIGGER {table}_stay BEFORE DELETE ON {table} BEGIN {never.format(row)} END",
        ]
    keys = {
        "forecasts": ("model", "version", "as_of"),
        "stage_changes": ("id",),
        "retraining": ("model", "session"),
        "trials": ("model", "configuration"),
    }
    for table, key in keys.items():
        same = " AND ".join(f"{name} = NEW.{name}" for name in key)
        # INSERT OR REPLACE removes a row without asking the trigger for DELETE.
        statements.append(
            f"""CREATE TRIGGER {table}_once BEFORE INSERT ON {table} WHEN EXISTS (SELECT * FROM {table} WHERE {same})
            BEGIN SELECT RAISE(IGNORE); END"""  # noqa: S608 - of this script's own names
        )
    return statements


def _on_postgresql() -> list[str]:
    others = "- 'observed' - 'observed_at'"
    statements = [
        f"""CREATE FUNCTION forecasts_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a recorded forecast is never removed';
          END IF;
          IF {FILLED_IN_ALREADY} OR to_jsonb(OLD) {others} IS DISTINCT FROM to_jsonb(NEW) {others} THEN
            RAISE EXCEPTION 'a recorded forecast is never changed';
          END IF;
          RETURN NEW;
        END $$""",
        """CREATE TRIGGER forecasts_stand BEFORE UPDATE OR DELETE ON forecasts
        FOR EACH ROW EXECUTE FUNCTION forecasts_stand()""",
        """CREATE TRIGGER forecasts_stay BEFORE TRUNCATE ON forecasts
        FOR EACH STATEMENT EXECUTE FUNCTION forecasts_stand()""",
    ]
    for table, row in STANDING:
        statements += [
            f"""CREATE FUNCTION {table}_stand() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{row} is never changed or removed'; END $$""",
            f"""CREATE TRIGGER {table}_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {table}_stand()""",
        ]
    return statements
