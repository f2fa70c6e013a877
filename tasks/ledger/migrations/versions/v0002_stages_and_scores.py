"""Version 2: all intervals, every naive forecast and `late` of a forecast; stage changes; requests to retrain.

No row is changed: what an older release did not record stays NULL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# As this release's forecasts stood, all but what happened; SQLite's trigger names each column.
KEPT = [
    *("model", "version", "as_of", "session", "ticker", "column", "forecast", "lower", "upper", "level", "naive"),
    *("naive_name", "source", "stale", "run_id", "fingerprint", "made_at", "intervals", "naives", "late"),
]


def upgrade() -> None:
    """Bring tables of version 1 to version 2."""
    for name, kind in (("intervals", sa.JSON), ("naives", sa.JSON), ("late", sa.Boolean)):
        op.add_column("forecasts", sa.Column(name, kind()))
    op.create_table(
        "stage_changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("move", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("forced", sa.Text),
        sa.Column("skill", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_of_a_version", "stage_changes", ["model", "version", "id"])
    op.create_table(
        "retraining",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("session", sa.Date, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def _triggers(dialect: str) -> list[str]:
    if dialect == "sqlite":
        same = " AND ".join(f'OLD."{name}" IS NEW."{name}"' for name in KEPT)
        return [
            "DROP TRIGGER forecasts_stand",
            f"""CREATE TRIGGER forecasts_stand BEFORE UPDATE ON forecasts
            WHEN OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL OR NOT ({same})
            BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
            *_sqlite_append_only("stage_changes", "id = NEW.id", "a recorded stage change"),
            *_sqlite_append_only("retraining", "model = NEW.model AND session = NEW.session", "a recorded request"),
        ]
    # The function that guards forecasts there compares whole rows, new columns too.
    return [
        *_postgresql_append_only("stage_changes", "a recorded stage change"),
        *_postgresql_append_only("retraining", "a recorded request"),
    ]


def _sqlite_append_only(table: str, same_key: str, row: str) -> list[str]:
    never = f"SELECT RAISE(ABORT, '{row} is never changed or removed');"
    return [
        f"CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table} BEGIN {never} END",
        f"CREATE TRIGGER {table}_stay BEFORE DELETE ON {table} BEGIN {never} END",
        f"""CREATE TRIGGER {table}_once BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT * FROM {table} WHERE {same_key})
        BEGIN SELECT RAISE(IGNORE); END""",  # noqa: S608 - of this script's own names
    ]


def _postgresql_append_only(table: str, row: str) -> list[str]:
    return [
        f"""CREATE FUNCTION {table}_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{row} is never changed or removed'; END $$""",
        f"""CREATE TRIGGER {table}_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_stand()""",
    ]
