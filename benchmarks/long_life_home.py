"""A home as ten years leave it, made in minutes: 2,000 versions, 10,000 runs, 50,000 forecasts.

One training, one proof and one scoring are done by the product itself in a home of their own. Their rows in MLflow's
database are copied under other names, ids and days; `check_copies` compares a copy, read through MLflow's client, with
what it was copied from. Stages and forecasts go through the product's own stores, all at once.

How they are spread: SAMPLE-Open has been trained on nearly every evening for seven years, 1,810 versions, each of which
was in Production; 19 other securities twice a year, ten versions each. All twenty have 2,500 forecasts, ten years. Each
version has a run of its training and one of its scores; the other 5,980 runs are a year's backtests. Old versions and
runs have no files: no command that is measured reads them.
"""

# ruff: noqa: S608 - statements are put together from this script's own names
import sqlite3
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from tasks.ledger.forecasts import RecordedForecast

MODEL, VERSIONS, OTHERS, OTHER_VERSIONS = "SAMPLE-Open", 1810, 19, 10
FORECASTS, RUNS, FITS = 2500, 10_000, 64  # forecasts a model; runs in all; runs of a backtest
RECENT = 60  # of the newest sessions: forecast by the version that is in Production when the home is done
WATCHED = 30  # of these, the first 30 are over, and are scored
DAY = 86_400_000

Map = dict[str, Any]
COLUMNS = (
    "old_run",
    "new_run",
    "old_model",
    "new_model",
    "model",
    "version",
    "end",
    "as_of",
    "name",
    "parent",
    "extra",
)


def fill(home: Path, seed: Path) -> None:
    """Fill a home that holds nothing but MLflow's database and experiment."""
    from tasks.settings import read_settings
    from tasks.system.lock import state_id

    settings = read_settings()
    template = _templates(seed)
    today = datetime.now(UTC)
    sessions = _sessions(today.date())
    versions = list(_versions(template, sessions))
    runs = [*versions, *(_score_of(template, version) for version in versions)]
    runs += _proofs(template, versions)
    runs += _backtests(template, RUNS - len(runs), today)
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("ATTACH ? AS seed", (str(seed / "mlflow.db"),))
        connection.execute(f"CREATE TEMP TABLE m ({', '.join(COLUMNS)})")
        marks = ", ".join(f":{name}" for name in COLUMNS)
        connection.executemany(f"INSERT INTO m VALUES ({marks})", runs)
        connection.execute("CREATE INDEX temp.m_run ON m (old_run)")
        connection.execute("CREATE INDEX temp.m_new ON m (new_run)")
        _copy_runs(connection, home, seed, state_id(settings))
        _copy_models(connection, home, seed)
        _copy_versions(connection)
    _fill_history(settings.ledger_uri, home, versions)
    _fill_kept(settings.ledger_uri, seed, template, versions)
    _fill_ledger(settings.ledger_uri, versions, sessions, template["row"])


def _templates(seed: Path) -> Map:
    """The ids of the seed's training, its model, its proof and its scoring, and a forecast of its ledger."""
    from tasks.ledger.forecasts import Ledger

    with sqlite3.connect(seed / "mlflow.db") as connection:
        run, source = connection.execute("SELECT run_id, source FROM model_versions WHERE version = 1").fetchone()
        proof = connection.execute("SELECT run_uuid FROM tags WHERE key = 'kind' AND value = 'proof'").fetchone()[0]
        score = connection.execute("SELECT run_uuid FROM tags WHERE key = 'x.score.of'").fetchone()[0]
    row = next(row for row in Ledger(f"sqlite:///{seed}/ledger.db").rows() if row.observed is not None)
    return {"run": run, "logged": source.removeprefix("models:/"), "proof": proof, "score": score, "row": row}


def _sessions(today: date) -> list[date]:
    from model.market.calendar import ExchangeCalendar

    every = ExchangeCalendar().sessions(today - timedelta(days=365 * 11), today)
    return [date.fromisoformat(str(day)) for day in every][-(FORECASTS + 2) : -1]


def _versions(template: Map, sessions: list[date]) -> Iterator[Map]:
    """Each version with the session it was trained as of; those of the newest sessions are made by the product."""
    known = sessions[: -RECENT - 1]
    spread = {MODEL: known[-VERSIONS:]}
    spread |= {f"S{number:02}-Open": known[:: len(known) // OTHER_VERSIONS][:OTHER_VERSIONS] for number in range(1, 20)}
    for model, days in spread.items():
        for number, day in enumerate(days, start=1):
            yield {
                **dict.fromkeys(COLUMNS),
                "old_run": template["run"],
                "new_run": uuid4().hex,
                "old_model": template["logged"],
                "new_model": f"m-{uuid4().hex}",
                "model": model,
                "version": number,
                "end": _evening(day),
                "as_of": day.isoformat(),
                "name": f"{model.replace('-', ' ')} daily",
            }


def _score_of(template: Map, version: Map) -> Map:
    of = f"{version['model']}/{version['version']}"
    made = {"old_run": template["score"], "new_run": uuid4().hex, "old_model": None, "new_model": None}
    name = f"score {version['model']} {version['version']}"
    return {**version, **made, "parent": version["new_run"], "extra": of, "name": name, "end": version["end"] + DAY}


def _proofs(template: Map, versions: list[Map]) -> list[Map]:
    """One proof per model, by which all its trainings are proven."""
    made = {}
    for version in versions:
        if version["model"] not in made:
            name = f"{version['model']} proof"
            run = {"old_run": template["proof"], "new_run": uuid4().hex, "old_model": None, "new_model": None}
            made[version["model"]] = {**version, **run, "version": None, "name": name}
        version["extra"] = made[version["model"]]["new_run"]
    return list(made.values())


def _backtests(template: Map, n: int, today: datetime) -> list[Map]:
    """The runs of backtests of the last year, a parent and the fits that it asked for."""
    made: list[Map] = []
    while len(made) < n:
        end = int(today.timestamp() * 1000) - DAY * (3 + 350 * len(made) // n)
        row = {**dict.fromkeys(COLUMNS), "model": MODEL, "end": end, "as_of": today.date().isoformat()}
        parent = {**row, "old_run": template["proof"], "new_run": uuid4().hex, "name": "SAMPLE Open backtest"}
        fits = min(FITS - 1, n - len(made) - 1)
        made.append(parent)
        made += [
            {
                **row,
                "old_run": template["run"],
                "new_run": uuid4().hex,
                "name": f"SAMPLE Open fit {number}",
                "parent": parent["new_run"],
                "extra": parent["new_run"],
            }
            for number in range(fits)
        ]
    return made


def _evening(day: date) -> int:
    return int(datetime.combine(day, time(22, 45), UTC).timestamp() * 1000)


def _copied(connection: sqlite3.Connection, table: str, join: str, **changed: str) -> None:
    """Copy a table's rows of the seed once for each run of `m`, some columns replaced by an expression."""
    columns = [row[1] for row in connection.execute(f"PRAGMA seed.table_info({table})")]
    values = [changed.get(name, f't."{name}"') for name in columns]
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {', '.join(values)} FROM seed.{table} t JOIN {join}")


def _copy_runs(connection: sqlite3.Connection, home: Path, seed: Path, state: str) -> None:
    of_run = "m ON m.old_run = t.run_uuid"
    place = f"replace(replace(t.artifact_uri, '{seed}', '{home}'), t.run_uuid, m.new_run)"
    ended = "t.start_time - t.end_time + m.end"
    run = {"run_uuid": "m.new_run", "artifact_uri": place, "name": "m.name"}
    _copied(connection, "runs", of_run, **run, start_time=ended, end_time="m.end")
    _copied(connection, "params", of_run, run_uuid="m.new_run")
    _copied(connection, "metrics", of_run, run_uuid="m.new_run", timestamp="m.end")
    _copied(connection, "latest_metrics", of_run, run_uuid="m.new_run", timestamp="m.end")
    own = f"""CASE t.key WHEN 'model' THEN m.model WHEN 'x.key' THEN m.new_run WHEN 'x.proof.key' THEN m.new_run
        WHEN 'mlflow.runName' THEN m.name WHEN 'x.proof.run' THEN coalesce(m.extra, m.new_run)
        WHEN 'x.score.of' THEN m.extra WHEN 'mlflow.parentRunId' THEN m.parent WHEN 'x.state' THEN '{state}'
        WHEN 'security' THEN replace(m.model, '-Open', '') ELSE t.value END"""
    _copied(connection, "tags", of_run, run_uuid="m.new_run", value=own)
    connection.execute(
        """INSERT INTO main.tags (key, value, run_uuid) SELECT 'mlflow.parentRunId', parent, new_run FROM m
        WHERE parent IS NOT NULL AND new_run NOT IN (SELECT run_uuid FROM main.tags WHERE key = 'mlflow.parentRunId')"""
    )
    connection.execute("INSERT INTO main.datasets SELECT * FROM seed.datasets")
    # An input's id has no meaning; one made from the seed's and the run's is unique.
    new_input = "substr(t.input_uuid, 1, 8) || substr(m.new_run, 1, 24)"
    _copied(connection, "inputs", "m ON m.old_run = t.destination_id", input_uuid=new_input, destination_id="m.new_run")
    outputs = "m ON m.old_run = t.source_id AND m.new_model IS NOT NULL"
    changed = {"input_uuid": new_input, "source_id": "m.new_run", "destination_id": "m.new_model"}
    _copied(connection, "inputs", outputs, **changed)
    joined = "seed.inputs n ON n.input_uuid = t.input_uuid JOIN m ON m.old_run = n.destination_id"
    _copied(connection, "input_tags", joined, input_uuid=new_input)


def _copy_models(connection: sqlite3.Connection, home: Path, seed: Path) -> None:
    of_model = "m ON m.old_model = t.model_id"
    place = f"replace(replace(t.artifact_location, '{seed}', '{home}'), t.model_id, m.new_model)"
    own = {"model_id": "m.new_model"}
    times = {"creation_timestamp_ms": "m.end - 9000", "last_updated_timestamp_ms": "m.end - 8000"}
    _copied(
        connection,
        "logged_models",
        of_model,
        **own,
        **times,
        artifact_location=place,
        source_run_id="m.new_run",
    )
    _copied(connection, "logged_model_params", of_model, **own)
    _copied(connection, "logged_model_metrics", of_model, **own, run_id="m.new_run", metric_timestamp_ms="m.end")
    made = (
        "CASE t.tag_key WHEN 'mlflow.modelVersions' THEN "
        """'[{"name": "' || m.model || '", "version": ' || m.version || '}]' ELSE t.tag_value END"""
    )
    _copied(connection, "logged_model_tags", of_model, **own, tag_value=made)


def _copy_versions(connection: sqlite3.Connection) -> None:
    """The versions, all archived, except the newest of each other model, which is in Production."""
    connection.execute(
        """INSERT INTO main.registered_models SELECT DISTINCT m.model, max(m.end), max(m.end), t.description,
        t.workspace FROM seed.registered_models t JOIN m ON m.version IS NOT NULL GROUP BY m.model"""
    )
    last = "(SELECT max(o.version) FROM m o WHERE o.model = m.model)"
    stage = f"CASE WHEN m.model <> '{MODEL}' AND m.version = {last} THEN 'Production' ELSE 'Archived' END"
    of_version = "m ON m.old_run = t.run_id AND m.version IS NOT NULL"
    _copied(
        connection,
        "model_versions",
        of_version,
        name="m.model",
        version="m.version",
        creation_time="m.end",
        last_updated_time=f"m.end + {DAY}",
        current_stage=stage,
        source="'models:/' || m.new_model",
        run_id="m.new_run",
        storage_location="replace(t.storage_location, m.old_model, m.new_model)",
    )
    of_tag = "m ON m.old_run = (SELECT run_id FROM seed.model_versions v WHERE v.version = t.version AND v.version = 1)"
    own = f"""CASE t.key WHEN 'as_of' THEN m.as_of WHEN 'x.key' THEN m.new_run WHEN 'stage' THEN {stage}
        WHEN 'x.score.run' THEN (SELECT o.new_run FROM m o WHERE o.parent = m.new_run AND o.old_model IS NULL)
        WHEN 'x.score.written' THEN date('now') WHEN 'security' THEN replace(m.model, '-Open', '') ELSE t.value END"""
    connection.execute("CREATE INDEX temp.m_parent ON m (parent)")
    names = {"name": "m.model", "version": "m.version", "value": own}
    _copied(connection, "model_version_tags", f"{of_tag} AND m.version IS NOT NULL", **names)
    connection.execute(
        """INSERT INTO main.registered_model_aliases (alias, version, name, workspace) SELECT 'production', version,
        name, workspace FROM main.model_versions WHERE current_stage = 'Production'"""
    )


def _fill_history(uri: str, home: Path, versions: list[Map]) -> None:
    """What is on record of them: put into Staging, promoted, superseded; SAMPLE-Open's last one was archived."""
    from model.evaluation.decision import DecisionWord
    from tasks.registry.manual_changes import superseded
    from tasks.registry.ruling import Ruling, moved
    from tasks.registry.stage_history import StageChange, StageHistory, new_move

    changes: list[StageChange] = []
    before: Map | None = None
    for version in sorted(versions, key=lambda version: (version["model"], version["version"])):
        model, number = version["model"], version["version"]
        at = datetime.fromtimestamp(version["end"] / 1000, UTC)
        staged = moved(("Trained, and put into Staging.",), at=at, by="train")
        changes.append(StageChange.of(staged, new_move(), model, number, "None", "Staging"))
        reasons = (
            "PASS evidence of skill: 52 to 1 (1,250 sessions); needed 20 to 1.",
            "PASS 80 % interval: covered enough.",
        )
        promoted = Ruling(
            decision=DecisionWord.PROMOTED, reasons=reasons, at=at, by="gate", verdict="proven", evidence=52.0
        )
        move = new_move()
        changes.append(StageChange.of(promoted, move, model, number, "Staging", "Production"))
        if before is not None and before["model"] == model:
            room = superseded(number, promoted)
            changes.append(StageChange.of(room, move, model, before["version"], "Production", "Archived"))
        before = version
    retired = moved(("Its time was over.",), at=datetime.now(UTC) - timedelta(days=2), by="somebody")
    changes.append(StageChange.of(retired, new_move(), MODEL, VERSIONS, "Production", "Archived"))
    StageHistory(uri).append(changes)
    with sqlite3.connect(home / "mlflow.db") as connection:
        for model, move in {change.model: change.move for change in changes}.items():
            connection.execute(
                """INSERT INTO registered_model_tags (key, value, name, workspace)
                VALUES ('x.stages.moved', ?, ?, 'default')""",
                (move, model),
            )


def _fill_kept(uri: str, seed: Path, template: Map, versions: list[Map]) -> None:
    """What is on record of each version: that it was made here, and the digests of its files."""
    from tasks.ledger import schema
    from tasks.ledger.database import LedgerDatabase

    artefact = f"models:/{template['logged']}"
    with LedgerDatabase(f"sqlite:///{seed}/ledger.db").reading() as connection:
        trained = connection.execute(sa.select(schema.artefacts).where(schema.artefacts.c.artefact == artefact)).one()
        files = connection.execute(sa.select(schema.kept_files).where(schema.kept_files.c.owner == artefact)).all()
    with LedgerDatabase(uri).writing() as connection:
        for version in versions:
            made, run = f"models:/{version['new_model']}", version["new_run"]
            own = {"artefact": made, "model": version["model"], "run_id": run, "key": run}
            as_of = date.fromisoformat(version["as_of"])
            connection.execute(sa.insert(schema.kept_files), [{**row._mapping, "owner": made} for row in files])
            connection.execute(sa.insert(schema.artefacts), {**trained._mapping, **own, "as_of": as_of})
            name = f"models:/{version['model']}/{version['version']}"
            connection.execute(sa.insert(schema.versions), {"version": name, "artefact": made})


def _fill_ledger(uri: str, versions: list[Map], sessions: list[date], row: RecordedForecast) -> None:
    """Ten years of forecasts per model, all of sessions that are over; those of the newest sessions come later."""
    import numpy as np

    rng = np.random.default_rng(17)
    by_model: dict[str, list[Map]] = {}
    for version in versions:
        by_model.setdefault(version["model"], []).append(version)
    rows = []
    for model, made in by_model.items():
        known = sessions[:-RECENT] if model == MODEL else sessions
        days = [version["as_of"] for version in made]
        for as_of, session in pairwise(known):
            version = made[max(0, bisect_right(days, as_of.isoformat()) - 1)]
            rows.append(_forecast(row, model, version, as_of, session, float(np.exp(rng.normal(0, 0.3))), rng))
    insert_rows(uri, rows)


def _forecast(
    row: RecordedForecast, model: str, version: Map, as_of: date, session: date, factor: float, rng: Any
) -> RecordedForecast:
    """The seed's forecast at another price level, for another session, beside another outcome."""
    made_at = datetime.combine(as_of, time(23, 30), UTC)
    scaled = _scaled(row, factor)
    wide = scaled.quantiles[0.9] - scaled.quantiles[0.1]
    return replace(
        scaled,
        model=model,
        version=version["version"],
        ticker=model.removesuffix("-Open"),
        run_id=version["new_run"],
        as_of=as_of,
        session=session,
        made_at=made_at,
        fingerprint=version["new_run"] * 2,
        late=False,
        observed=float(scaled.forecast + wide * rng.normal(0, 0.4)),
        observed_at=made_at + timedelta(days=1),
    )


def _scaled(row: RecordedForecast, factor: float) -> RecordedForecast:
    def each(quantiles: Any) -> dict[float, float]:
        return {probability: price * factor for probability, price in quantiles.items()}

    quantiles = each(row.quantiles)
    intervals = {level: (low * factor, high * factor) for level, (low, high) in row.intervals.items()}
    widest = intervals[max(intervals)]
    return replace(
        row,
        forecast=quantiles[0.5],
        naive=row.naive * factor,
        quantiles=quantiles,
        intervals=intervals,
        lower=widest[0],
        upper=widest[1],
        naives={name: price * factor for name, price in row.naives.items()},
        naive_quantiles={name: each(found) for name, found in row.naive_quantiles.items()},
    )


def insert_rows(uri: str, rows: list[RecordedForecast]) -> None:
    """Add forecasts to the ledger's table, all at once."""
    from tasks.ledger.database import LedgerDatabase
    from tasks.ledger.schema import forecasts

    with LedgerDatabase(uri).writing() as connection:
        for start in range(0, len(rows), 1000):
            connection.execute(sa.insert(forecasts), [_values(row) for row in rows[start : start + 1000]])


def _values(row: RecordedForecast) -> Map:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def recent_rows(version: int, run_id: str) -> list[RecordedForecast]:
    """Forecasts of the sample market's newest sessions by a version, as `predict` would have recorded them."""
    from model.config import PriceRequest
    from tasks.forecasts.make import make_naive_forecast
    from tasks.prices.request import resolve
    from tasks.prices.sources.read import read_prices
    from tasks.settings import read_settings

    settings, now = read_settings(), datetime.now(UTC)
    prices = read_prices(resolve(PriceRequest(source="sample"), settings, now), settings, now)
    rows = []
    for place in range(len(prices) - RECENT, len(prices) - 1):
        known = prices.rows(0, place + 1)
        at = datetime.combine(known.last, time(23, 30), UTC)
        made = _scaled(make_naive_forecast(MODEL, known, "Open", settings, at), 1.002)
        made = replace(made, version=version, run_id=run_id, naives=_naives(known))
        if place < len(prices) - RECENT + WATCHED:
            price = float(prices.column("Open")[place + 1])
            made = replace(made, observed=price, observed_at=at + timedelta(days=1))
        rows.append(made)
    return rows


def _naives(prices: Any) -> dict[str, float]:
    from model.evaluation.baselines import naive_forecasts

    return {name: float(values[0]) for name, values in naive_forecasts(prices, "Open", 1).items()}


def add_expired(home: Path, n_runs: int, n_versions: int) -> None:
    """What a week leaves for `clean`: runs that nothing uses any more, the first `n_versions` with a version each."""
    old = int((datetime.now(UTC) - timedelta(days=800)).timestamp() * 1000)
    with sqlite3.connect(home / "mlflow.db") as connection:
        run, number = connection.execute(
            "SELECT run_id, version FROM model_versions WHERE name = ? ORDER BY version LIMIT 1", (MODEL,)
        ).fetchone()
        newest = connection.execute("SELECT max(version) FROM model_versions WHERE name = ?", (MODEL,)).fetchone()[0]
        for place in range(n_runs):
            new = uuid4().hex
            _again(connection, "runs", f"run_uuid = '{run}'", run_uuid=new, start_time=old - 60_000, end_time=old)
            for table in ("params", "latest_metrics", "metrics"):
                _again(connection, table, f"run_uuid = '{run}'", run_uuid=new)
            others = "('x.proof.run', 'x.started_from.run_id', 'x.clean.lasting', 'x.key')"
            _again(connection, "tags", f"run_uuid = '{run}' AND key NOT IN {others}", run_uuid=new)
            if place >= n_versions:
                continue
            newest += 1
            of_version = f"name = '{MODEL}' AND version = {number}"
            own: Map = {"version": newest, "run_id": new, "current_stage": "None", "creation_time": old}
            _again(connection, "model_versions", of_version, **own, last_updated_time=old)
            kept = "key IN ('security', 'column', 'preset', 'as_of', 'source')"
            _again(connection, "model_version_tags", f"{of_version} AND {kept}", version=newest)


def _again(connection: sqlite3.Connection, table: str, which: str, **changed: Any) -> None:
    """Insert rows of a table again, some columns changed."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(f":{name}" if name in changed else f'"{name}"' for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {which}", changed)


def check_copies(home: Path, seed: Path) -> None:
    """End unless MLflow's client gives for a copy what it gives for the run and version that it was copied from."""
    copy, first = _seen(home, "7"), _seen(seed, "1")
    if different := [name for name in first if first[name] != copy[name]]:
        sys.exit(f"a copy is not what MLflow itself writes: {', '.join(different)}")


def _seen(home: Path, number: str) -> Map:
    """What MLflow's client gives for a version, its run and its logged model, without what must differ."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version(MODEL, number)
    run = client.get_run(version.run_id or "")
    made = run.outputs.model_outputs if run.outputs else []
    logged = client.get_logged_model(made[0].model_id)
    return {
        "fields of the version": sorted(name for name, value in dict(version).items() if value and name != "aliases"),
        "tags of the version": sorted(version.tags),
        "parameters": run.data.params,
        "metrics": run.data.metrics,
        "tags of the run": sorted(run.data.tags),
        "status": run.info.status,
        "data sets": [found.dataset for found in run.inputs.dataset_inputs] if run.inputs else [],
        "models": len(made),
        "parameters of the model": logged.params,
        "metrics of the model": [(metric.key, metric.value) for metric in logged.metrics or ()],
        "tags of the model": sorted(logged.tags),
        "status of the model": logged.status,
    }
