"""The database triggers that protect the ledger's records: how to make them, and which are missing.

The migrations make them. Each time a ledger is opened they are checked, since somebody may have dropped one to
change a record, and a copy may have been made without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from tasks.ledger.schema import LEDGER_VERSION, SINCE

# Every column of a forecast except observed and observed_at, which are filled in once, together.
KEPT = [
    *("model", "version", "as_of", "session", "ticker", "column", "forecast", "lower", "upper", "level", "naive"),
    *("naive_name", "source", "stale", "run_id", "fingerprint", "made_at", "intervals", "naives", "late"),
    *("quantiles", "naive_quantiles", "currency", "explanation", "without", "horizon"),
]
# Tables whose rows are never changed or removed, and what a row is called.
STANDING = (
    ("stage_changes", "a recorded stage change"),
    ("retraining", "a recorded request"),
    ("trials", "a recorded trial"),
    ("kept_files", "a recorded digest"),
    ("artefacts", "a recorded artefact"),
    ("versions", "a recorded version"),
)
# The unique keys of each table: each of them identifies a row.
KEYS = {
    "forecasts": (("model", "version", "as_of", "session", "horizon"),),
    "stage_changes": (("id",),),
    "retraining": (("model", "session"),),
    "trials": (("model", "configuration"),),
    "kept_files": (("owner", "path", "digest"),),
    "artefacts": (("artefact",),),
    "versions": (("version",), ("artefact",)),
}
FILLED_IN_ALREADY = "OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL"
# PostgreSQL's bits for a trigger's kind: per row, before, on DELETE, UPDATE, TRUNCATE.
ROW, BEFORE, DELETE, UPDATE, TRUNCATE = 1, 2, 8, 16, 32


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of PostgreSQL: its table, its kind (bits), and the name and body of its function."""

    table: str
    kind: int
    function: str
    body: str

    @property
    def statement(self) -> str:
        """The part of CREATE TRIGGER after the name."""
        events = {DELETE: "DELETE", UPDATE: "UPDATE", TRUNCATE: "TRUNCATE"}
        named = " OR ".join(name for bit, name in events.items() if self.kind & bit)
        each = "ROW" if self.kind & ROW else "STATEMENT"
        return f"BEFORE {named} ON {self.table} FOR EACH {each} EXECUTE FUNCTION {self.function}()"


def triggers(dialect: str, version: int = LEDGER_VERSION) -> list[str]:
    """The statements that make all triggers of a version, in a database that may have some already."""
    if dialect == "sqlite":
        made = on_sqlite(version)
        return [text for name in made for text in (f"DROP TRIGGER IF EXISTS {name}", made[name])]
    statements = {
        f"CREATE OR REPLACE FUNCTION {found.function}() RETURNS trigger LANGUAGE plpgsql AS $${found.body}$$": None
        for found in on_postgresql().values()
    }
    for name, found in on_postgresql().items():
        statements |= dict.fromkeys(
            (f"DROP TRIGGER IF EXISTS {name} ON {found.table}", f"CREATE TRIGGER {name} {found.statement}")
        )
    return list(statements)


def missing_triggers(connection: sa.Connection, version: int = LEDGER_VERSION) -> tuple[str, ...]:
    """The names of triggers of a version that are missing, disabled or changed."""
    if connection.dialect.name == "sqlite":
        look = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        there: Mapping[str, object] = {row.name: row.sql for row in connection.exec_driver_sql(look)}
        return tuple(name for name, text in on_sqlite(version).items() if there.get(name) != text)
    look = (
        "SELECT tgname, tgtype, relname, prosrc FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgenabled IN ('O', 'A') AND pg_table_is_visible(tgrelid)"
    )
    found = {(row.tgname, row.relname, row.tgtype, row.prosrc) for row in connection.exec_driver_sql(look)}
    wanted = on_postgresql().items()
    return tuple(name for name, made in wanted if (name, made.table, made.kind, made.body) not in found)


def on_sqlite(version: int = LEDGER_VERSION) -> dict[str, str]:
    """Name -> statement."""
    kept = [name for name in KEPT if SINCE.get(name, 1) <= version]
    same = " AND ".join(f'OLD."{name}" IS NEW."{name}"' for name in kept)
    never = "SELECT RAISE(ABORT, '{} is never changed or removed');"
    made = {
        "forecasts_stand": f"""BEFORE UPDATE ON forecasts WHEN {FILLED_IN_ALREADY} OR NOT ({same})
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
        "forecasts_stay": """BEFORE DELETE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never removed'); END""",
    }
    for table, row in STANDING:
        made[f"{table}_stand"] = f"BEFORE UPDATE ON {table} BEGIN {never.format(row)} END"
        made[f"{table}_stay"] = f"BEFORE DELETE ON {table} BEGIN {never.format(row)} END"
    for table, keys in KEYS.items():
        there = [[name for name in key if SINCE.get(name, 1) <= version] for key in keys]
        same = " OR ".join(" AND ".join(f"{name} = NEW.{name}" for name in key) for key in there)
        # INSERT OR REPLACE removes a row without firing the DELETE trigger.
        made[f"{table}_once"] = f"""BEFORE INSERT ON {table} WHEN EXISTS (SELECT * FROM {table} WHERE {same})
            BEGIN SELECT RAISE(IGNORE); END"""  # noqa: S608 - of this module's own names
    return {name: f"CREATE TRIGGER {name} {text}" for name, text in made.items()}


def on_postgresql() -> dict[str, Trigger]:
    """Name -> trigger."""
    others = "- 'observed' - 'observed_at'"
    forecasts = f"""
        BEGIN
          IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a recorded forecast is never removed';
          END IF;
          IF {FILLED_IN_ALREADY} OR to_jsonb(OLD) {others} IS DISTINCT FROM to_jsonb(NEW) {others} THEN
            RAISE EXCEPTION 'a recorded forecast is never changed';
          END IF;
          RETURN NEW;
        END """
    made = {
        "forecasts_stand": Trigger("forecasts", ROW | BEFORE | DELETE | UPDATE, "forecasts_stand", forecasts),
        "forecasts_stay": Trigger("forecasts", BEFORE | TRUNCATE, "forecasts_stand", forecasts),
    }
    for table, row in STANDING:
        body = f" BEGIN RAISE EXCEPTION '{row} is never changed or removed'; END "
        made[f"{table}_stand"] = Trigger(table, BEFORE | DELETE | UPDATE | TRUNCATE, f"{table}_stand", body)
    return made
