"""The triggers by which the database itself keeps what was recorded: (dialect, statement), in the order to run them."""

from collections.abc import Sequence

Statements = tuple[tuple[str, str], ...]


def forecasts_stand(kept: Sequence[str], filled_in: Sequence[str]) -> Statements:
    """A forecast is never changed in the columns `kept` nor removed; those `filled_in` are, once and together."""
    same = " AND ".join(f'OLD."{name}" IS NEW."{name}"' for name in kept)
    others = "".join(f" - '{name}'" for name in filled_in)
    open_still = "OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL"
    return (
        (
            "sqlite",
            f"""CREATE TRIGGER forecasts_stand BEFORE UPDATE ON forecasts
        WHEN {open_still}
          OR NOT ({same})
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
        ),
        (
            "sqlite",
            """CREATE TRIGGER forecasts_stay BEFORE DELETE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never removed'); END""",
        ),
        # INSERT OR REPLACE removes a row without asking the trigger above.
        (
            "sqlite",
            """CREATE TRIGGER forecasts_once BEFORE INSERT ON forecasts
        WHEN EXISTS (SELECT * FROM forecasts WHERE model = NEW.model AND version = NEW.version AND as_of = NEW.as_of)
        BEGIN SELECT RAISE(IGNORE); END""",
        ),
        (
            "postgresql",
            f"""CREATE FUNCTION forecasts_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a recorded forecast is never removed';
          END IF;
          IF {open_still}
             OR to_jsonb(OLD){others} IS DISTINCT FROM to_jsonb(NEW){others} THEN
            RAISE EXCEPTION 'a recorded forecast is never changed';
          END IF;
          RETURN NEW;
        END $$""",
        ),
        (
            "postgresql",
            """CREATE TRIGGER forecasts_stand BEFORE UPDATE OR DELETE ON forecasts
        FOR EACH ROW EXECUTE FUNCTION forecasts_stand()""",
        ),
        (
            "postgresql",
            """CREATE TRIGGER forecasts_stay BEFORE TRUNCATE ON forecasts
        FOR EACH STATEMENT EXECUTE FUNCTION forecasts_stand()""",
        ),
    )


def append_only(table: str, same_key: str, row: str) -> Statements:
    """Rows are put in, and never changed, replaced or removed; `row` is what the refusal calls one of them."""
    never = f"{row} is never changed or removed"
    return (
        (
            "sqlite",
            f"""CREATE TRIGGER {table}_stand BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{never}'); END""",
        ),
        (
            "sqlite",
            f"""CREATE TRIGGER {table}_stay BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{never}'); END""",
        ),
        # INSERT OR REPLACE removes a row without asking the trigger above.
        (
            "sqlite",
            f"""CREATE TRIGGER {table}_once BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT * FROM {table} WHERE {same_key})
        BEGIN SELECT RAISE(IGNORE); END""",  # noqa: S608 - of this program's own names
        ),
        (
            "postgresql",
            f"""CREATE FUNCTION {table}_stand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{never}'; END $$""",
        ),
        (
            "postgresql",
            f"""CREATE TRIGGER {table}_stand BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_stand()""",
        ),
    )
