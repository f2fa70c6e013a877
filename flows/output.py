"""What the commands answer: JSON for programs, a few lines for people."""

from typing import TYPE_CHECKING, Any

from model.baselines import naive_label
from tasks.settings import Settings

LATE = "that session had begun when this was made, so it never counts among the forecasts made before"

if TYPE_CHECKING:
    from flows.predict import PredictReport
    from flows.promote import PromotionReport
    from flows.train import TrainReport
    from model.promotion import Decision


def train_json(report: "TrainReport") -> dict[str, Any]:
    """The object of `tomorrow train --json`."""
    split, fitted, judged = report.split, report.forecaster, report.evaluation
    prices, lookback, rows, features = split.prices, fitted.config.lookback, fitted.recipe.rows, fitted.recipe.features
    n_train = len(split.train) - rows
    return {
        "run_id": report.run_id,
        "run_url": report.run_url,
        "model": report.version.model,
        "version": report.version.version,
        "stage": report.version.stage,
        "preset": fitted.config.preset,
        "ticker": prices.security.ticker,
        "column": fitted.config.column,
        "source": prices.source,
        "prices": {
            "fingerprint": prices.fingerprint,
            "sessions": len(prices),
            "first": prices.first.isoformat(),
            "last": prices.last.isoformat(),
            "notes": list(prices.notes),
            **report.obtained.as_json(),
        },
        "stale": report.obtained.stale,
        "train": {"inputs": [n_train, lookback, features], "targets": [n_train]},
        "test": {
            "inputs": [split.n_test, lookback, features],
            "series": split.n_test + rows,
            "first": split.first_test.isoformat(),
            "last": split.last_test.isoformat(),
        },
        "fit": {
            "epochs": len(fitted.losses),
            "seconds": fitted.fit_seconds,
            "first_loss": fitted.losses[0],
            "last_loss": fitted.losses[-1],
            "backend": report.backend,
        },
        "metrics": judged.metrics(),
        "decision": {"promoted": report.decision.promoted, "reasons": list(report.decision.reasons)},
        "seconds": report.seconds,
    }


def train_text(report: "TrainReport", settings: Settings) -> str:
    """What `tomorrow train` prints."""
    split, fitted, judged, version = report.split, report.forecaster, report.evaluation, report.version
    prices, figures = split.prices, report.evaluation.metrics()
    rows = [("the forecast", judged.rmse, judged.mae)]
    rows += [(f"naive: {naive_label(name)}", figures[f"{name}_rmse"], figures[f"{name}_mae"]) for name in judged.naive]
    lines = [
        f"{version.model} {version.named}, preset {fitted.config.preset}, is in {version.stage}.",
        "",
        f"  prices   {prices.security.ticker} from {prices.source}: "
        f"{len(prices)} sessions, {prices.first} to {prices.last}",
        *(f"           {note}" for note in prices.notes),
        f"  fit      {len(fitted.losses)} epochs on {len(split.train) - fitted.recipe.rows} windows of "
        f"{fitted.config.lookback} sessions in {fitted.fit_seconds:.1f} s; "
        f"loss {fitted.losses[0]:.4f} to {fitted.losses[-1]:.4f}",
        "",
        f"  {f'{split.n_test} sessions, {split.first_test} to {split.last_test}':<42}{'RMSE':>10}{'MAE':>10}",
        *(f"  {name:<42}{f'${error:.3f}':>10}{f'${absolute:.3f}':>10}" for name, error, absolute in rows),
        f"  {'skill against the best naive forecast':<42}{judged.skill:>+10.3f}",
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
        "prices": {"notes": list(report.obtained.prices.notes), **report.obtained.as_json()},
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
        *(f"  prices: {note}" for note in report.obtained.prices.notes),
        *(f"  note: {note}" for note in report.version.notes),
        "  written to the ledger"
        if report.created
        else f"  the ledger holds it already: made {made.made_at:%Y-%m-%d %H:%M} UTC, and it stays as it was",
    ]
    return "\n".join(lines)


def _said(decision: "Decision") -> str:
    """What the gate says of a version, in a few words."""
    waits = ", and waits for a person" if decision.verdict == "waiting" else ""
    return ("lets it pass" if decision.passed else "refuses it") + waits


def _next(report: "TrainReport") -> str:
    version = report.version
    if version.stage == "Production":
        return "tomorrow predict, with the same --source and --ticker"
    if report.decision.verdict == "waiting":
        named = f"{version.model} {version.version}"
        return f'tomorrow approve {named}, or tomorrow reject {named} --reason "..."'
    return f'tomorrow promote {version.model} {version.version} --to production --force --reason "..."'
