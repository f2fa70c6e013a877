"""The ledger's tables, and the triggers that keep what was recorded as it was."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

LEDGER_VERSION = 1
# PostgreSQL's advisory locks are numbers: this one is held while the ledger's tables are made.
LEDGER_LOCK = 0x7064_6572

FILLED_IN = ("observed", "observed_at")


class Moment(TypeDecorator[datetime]):
    """A point in time: handed over with a zone, kept and given back in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Keep it in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give it back with its zone, which SQLite forgets."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

forecasts = sa.Table(
    "forecasts",
    metadata,
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
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("observed", sa.Double),
    sa.Column("observed_at", Moment),
    sa.Index("forecasts_of_a_session", "model", "session"),
    # Without it INSERT OR REPLACE could name a row by SQLite's hidden number and take its place.
    sqlite_with_rowid=False,
)

ledger_version = sa.Table("ledger_version", metadata, sa.Column("version", sa.Integer, nullable=False))


def _sqlite_triggers() -> tuple[str, ...]:
    kept = [f'OLD."{column.name}" IS NEW."{column.name}"' for column in forecasts.c if column.name not in FILLED_IN]
    same_key = " AND ".join(f"{column.name} = NEW.{column.name}" for column in forecasts.primary_key)
    return (
        f"""CREATE TRIGGER forecasts_stand BEFORE UPDATE ON forecasts
        WHEN OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL
          OR NOT ({" AND ".join(kept)})
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
        """CREATE TRIGGER forecasts_stay BEFORE DELETE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never removed'); END""",
        # INSERT OR REPLACE removes a row without asking the trigger above.
        f"""CREATE TRIGGER forecasts_once BEFORE INSERT ON forecasts
        WHEN EXISTS (SELECT * FROM forecasts WHERE {same_key})
        BEGIN SELECT RAISE(IGNORE); END""",  # noqa: S608 - of this module's own column names
    )


def _postgresql_triggers() -> tuple[str, ...]:
    others = "".join(f" - '{name}'" for name in FILLED_IN)
    return (
        f"""CREATE FUNCTION forecasts_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a recorded forecast is never removed';
          END IF;
          IF OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL
             OR to_jsonb(OLD){others} IS DISTINCT FROM to_jsonb(NEW){others} THEN
            RAISE EXCEPTION 'a recorded forecast is never changed';
          END IF;
          RETURN NEW;
        END $$""",
        """CREATE TRIGGER forecasts_stand BEFORE UPDATE OR DELETE ON forecasts
        FOR EACH ROW EXECUTE FUNCTION forecasts_stand()""",
        """CREATE TRIGGER forecasts_stay BEFORE TRUNCATE ON forecasts
        FOR EACH STATEMENT EXECUTE FUNCTION forecasts_stand()""",
    )


for _dialect, _statements in (("sqlite", _sqlite_triggers()), ("postgresql", _postgresql_triggers())):
    for _statement in _statements:
        # A percent sign would be read as a placeholder of DDL's own; there is none in them.
        _trigger = sa.DDL(_statement)  # type: ignore[no-untyped-call]
        sa.event.listen(forecasts, "after_create", _trigger.execute_if(dialect=_dialect))
