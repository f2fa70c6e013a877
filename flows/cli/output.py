"""What the commands answer: JSON for programs, a few lines for people."""

from typing import TYPE_CHECKING, Any

from model.evaluation.baselines import naive_label
from model.evaluation.decision import DecisionWord
from tasks.registry.version import start_of
from tasks.settings import Settings

LATE = "that session had begun when this was made, so it never counts among the forecasts made before"

if TYPE_CHECKING:
    from flows.catchup import CatchupReport
    from flows.predict import PredictReport
    from flows.promote import PromotionReport
    from flows.train import TrainReport
    from model.evaluation.gate import Decision


_REPEATED = (
    "It was trained before, from the same prices and configuration by the same code: nothing is trained again.",
    "(--again trains it anew.)",
)


def train_json(report: "TrainReport") -> dict[str, Any]:
    """The object of `tomorrow train --json`."""
    split, config, came = report.split, report.config, report.results
    prices, lookback, features = split.prices, config.lookback, came.features
    n_train = len(split.train) - came.rows
    return {
        "run_id": report.run_id,
        "run_url": report.run_url,
        "model": report.version.model,
        "version": report.version.version,
        "stage": report.version.stage,
        "repeated": report.repeated,
        "key": report.key,
        "preset": config.preset,
        "ticker": prices.security.ticker,
        "column": config.column,
        "source": prices.source,
        "prices": {
            "fingerprint": prices.fingerprint,
            "sessions": len(prices),
            "first": prices.first.isoformat(),
            "last": prices.last.isoformat(),
            "notes": list(prices.notes),
            **report.fetched.as_json(),
        },
        "stale": report.fetched.stale,
        "train": {"inputs": [n_train, lookback, features], "targets": [n_train]},
        "test": {
            "inputs": [split.n_test, lookback, features],
            "series": split.n_test + came.rows,
            "first": split.first_test.isoformat(),
            "last": split.last_test.isoformat(),
        },
        "start": start_of(report.version),
        "fit": {
            "epochs": came.epochs,
            "seconds": came.fit_seconds,
            "first_loss": came.first_loss,
            "last_loss": came.last_loss,
            "backend": came.backend,
        },
        "metrics": came.metrics,
        "decision": {"promoted": report.decision.promoted, "reasons": list(report.decision.reasons)},
        "seconds": report.seconds,
    }


def train_text(report: "TrainReport", settings: Settings) -> str:
    """What `tomorrow train` prints."""
    split, config, came, version = report.split, report.config, report.results, report.version
    prices, figures = split.prices, came.metrics
    naive = [name.removesuffix("_rmse") for name in figures if name.endswith("_rmse") and name != "naive_rmse"]
    rows = [("the forecast", figures["rmse"], figures["mae"])]
    rows += [(f"naive: {naive_label(name)}", figures[f"{name}_rmse"], figures[f"{name}_mae"]) for name in naive]
    lines = [
        f"{version.model} {version.named}, preset {config.preset}, is in {version.stage}.",
        *(_REPEATED if report.repeated else ()),
        "",
        f"  prices   {prices.security.ticker} from {prices.source}: "
        f"{len(prices)} sessions, {prices.first} to {prices.last}",
        *(f"           {note}" for note in prices.notes),
        f"  fit      {came.epochs} epochs on {len(split.train) - came.rows} windows of "
        f"{config.lookback} sessions in {came.fit_seconds:.1f} s; "
        f"loss {came.first_loss:.4f} to {came.last_loss:.4f}",
        *([f"  start    {start_of(version)['reason']}"] if config.training.warm_start else []),
        "",
        f"  {f'{split.n_test} sessions, {split.first_test} to {split.last_test}':<42}{'RMSE':>10}{'MAE':>10}",
        *(f"  {name:<42}{f'${error:.3f}':>10}{f'${absolute:.3f}':>10}" for name, error, absolute in rows),
        f"  {'skill against the best naive forecast':<42}{figures['skill']:>+10.3f}",
        "",
        f"  The gate {_said(report.decision)}:",
        *(f"  - {reason}" for reason in report.decision.reasons),
        "",
        f"  next     {_next(report)}",
        f"  look     {report.run_url}",
    ]
    if not settings.tracking_uri.startswith("http"):
        lines.append("           (once MLflow's pages are up: make mlflow)")
    return "\n".join(lines)


def promote_json(report: "PromotionReport") -> dict[str, Any]:
    """The object of `tomorrow promote --json`."""
    version = report.version
    return {
        "model": version.model,
        "version": version.version,
        "stage": version.stage,
        "changed": report.changed,
        "archived": list(report.archived),
        "notes": list(report.notes),
        "decision": None
        if report.decision is None
        else {"promoted": report.decision.promoted, "reasons": list(report.decision.reasons)},
    }


def promote_text(report: "PromotionReport") -> str:
    """What `tomorrow promote` prints."""
    version = report.version
    lines = [f"{version.model} {version.named} {'is now' if report.changed else 'stays'} in {version.stage}."]
    lines += [f"  archived  version {number}" for number in report.archived]
    lines += [f"  note      {note}" for note in report.notes]
    if report.decision is not None:
        forced = "" if report.decision.passed or not report.changed else "; a person decided otherwise"
        lines += [f"  The gate {_said(report.decision)}{forced}:"]
        lines += [f"  - {reason}" for reason in report.decision.reasons]
    return "\n".join(lines)


def predict_json(report: "PredictReport") -> dict[str, Any]:
    """The object of `tomorrow predict --json`."""
    made = report.forecast
    return {
        "model": made.model,
        "version": made.version,
        "ticker": made.ticker,
        "column": made.column,
        "as_of": made.as_of.isoformat(),
        "session": made.session.isoformat(),
        "forecast": made.forecast,
        "lower": made.lower,
        "upper": made.upper,
        "level": made.level,
        "intervals": {str(level): list(bounds) for level, bounds in made.known_intervals.items()},
        "naive": made.naive,
        "naive_name": made.naive_name,
        "naives": dict(made.naives),
        "source": made.source,
        "stale": made.stale,
        "late": made.late,
        "fingerprint": made.fingerprint,
        "prices": {"notes": list(report.fetched.prices.notes), **report.fetched.as_json()},
        "made_at": made.made_at.isoformat(),
        "recorded": report.created,
        "notes": list(report.version.notes),
        "seconds": report.seconds,
    }


def predict_text(report: "PredictReport") -> str:
    """What `tomorrow predict` prints."""
    made = report.forecast
    lines = [
        f"{made.ticker} {made.column} on {made.session:%A, %Y-%m-%d}: ${made.forecast:.2f}",
        *(f"  {level} %: ${low:.2f} to ${high:.2f}" for level, (low, high) in made.known_intervals.items()),
        f"  naive: {naive_label(made.naive_name)}: ${made.naive:.2f}",
        f"  by {made.model} {report.version.named}, in Production; prices from {made.source}, as of {made.as_of}",
        *([f"  late: {LATE}"] if made.late else []),
        *(f"  prices: {note}" for note in report.fetched.prices.notes),
        *(f"  note: {note}" for note in report.version.notes),
        "  written to the ledger"
        if report.created
        else f"  the ledger holds it already: made {made.made_at:%Y-%m-%d %H:%M} UTC, and it stays as it was",
    ]
    return "\n".join(lines)


def catchup_json(report: "CatchupReport") -> dict[str, Any]:
    """The object of `tomorrow catchup --json`."""
    return {
        "model": report.model,
        "forecasts": [predict_json(made) for made in report.made],
        "passed": [day.isoformat() for day in report.passed],
    }


def catchup_text(report: "CatchupReport") -> str:
    """What `tomorrow catchup` prints."""
    lines = [f"{report.model}: {len(report.made)} missed sessions caught up."]
    lines += [
        f"  as of {made.forecast.as_of}: {made.forecast.column} on {made.forecast.session}: "
        f"${made.forecast.forecast:.2f}, by version {made.forecast.version}"
        for made in report.made
    ]
    if report.passed:
        lines.append(
            f"  passed over, as too long ago (schedules.catch_up in mlflow.yaml): "
            f"{len(report.passed)} sessions, {report.passed[0]} to {report.passed[-1]}"
        )
    return "\n".join(lines)


def _said(decision: "Decision") -> str:
    """What the gate says of a version, in a few words."""
    waits = ", and waits for a person" if decision.verdict == DecisionWord.WAITING else ""
    return ("lets it pass" if decision.passed else "refuses it") + waits


def _next(report: "TrainReport") -> str:
    version = report.version
    if version.stage == "Production":
        return "tomorrow predict, with the same --source and --ticker"
    if report.decision.verdict == DecisionWord.WAITING:
        named = f"{version.model} {version.version}"
        return f'tomorrow approve {named}, or tomorrow reject {named} --reason "..."'
    return f'tomorrow promote {version.model} {version.version} --to production --force --reason "..."'
