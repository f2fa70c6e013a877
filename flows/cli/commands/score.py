"""What `tomorrow score` answers: JSON for programs, a few lines for people."""

import math
from typing import TYPE_CHECKING, Any

from model.evaluation.baselines import naive_label

if TYPE_CHECKING:
    from flows.score import ScoreReport
    from model.evaluation.evaluation import Evaluation
    from model.evaluation.monitoring import Window


def score_json(report: "ScoreReport") -> dict[str, Any]:
    """The object of `tomorrow score --json`; what is undefined is null."""
    scored, judged = report.scored, report.scored.judged
    production = scored.production
    return {
        "model": report.model,
        "ticker": report.ticker,
        "column": report.column,
        "version": None if production is None else production.version,
        "forecasts": len(scored.rows),
        "scored": scored.scored,
        "counted": len(scored.counted),
        "filled": report.filled,
        "waiting": report.outcomes.waiting,
        **_figures(judged),
        "retrain": scored.advice.retrain,
        "asked": scored.asked,
        "reasons": list(scored.advice.reasons),
        "versions": [
            {"version": version, "run_id": scored.runs[version], **_window(windows)}
            for version, windows in scored.windows.items()
        ],
        "notes": [*report.outcomes.notes, *(production.notes if production else ())],
        "prices": {"notes": list(report.fetched.prices.notes), **report.fetched.as_json()},
        "seconds": report.seconds,
    }


def score_text(report: "ScoreReport") -> str:
    """What `tomorrow score` prints."""
    scored, judged = report.scored, report.scored.judged
    lines = [
        f"{report.model}: {len(scored.rows)} forecasts; what happened was filled in for {report.filled} now, "
        f"{report.outcomes.waiting} wait for their session"
    ]
    if judged is None:
        lines.append("  none of them was made before its session and is over: nothing to judge")
    else:
        lines.append(
            f"  {len(scored.counted)} made before their sessions: RMSE ${judged.rmse:.3f}, "
            f"{naive_label(judged.best_naive)} ${judged.naive_rmse:.3f}, skill {judged.skill:+.3f}"
            f"{'' if judged.has_skill else ' (no skill)'}, bias ${judged.bias:+.3f}"
        )
        for level in sorted(judged.intervals):
            held = judged.coverage(level)
            lines.append(f"  the {100 * level:g} % intervals held {held.hits} of {held.n} prices")
    for version, windows in scored.windows.items():
        newest = windows[-1]
        drift = "" if math.isnan(newest.drift) else f", drift {newest.drift:.2f}"
        lines.append(
            f"  version {version}: {len(windows)} sessions; the newest {len(newest.judged.sessions)}: RMSE "
            f"${newest.judged.rmse:.3f}, naive ${newest.judged.naive_rmse:.3f}{drift}"
        )
    lines += [f"  note: {note}" for note in report.outcomes.notes]
    lines += [f"  note: {note}" for note in (scored.production.notes if scored.production else ())]
    lines.append(f"  retraining {'is asked for' if scored.advice.retrain else 'is not asked for'}:")
    lines += [f"  - {reason}" for reason in scored.advice.reasons]
    if scored.advice.retrain:
        lines.append(f'  next     tomorrow train, or tomorrow rollback {report.model} --reason "..."')
    return "\n".join(lines)


def _figures(judged: "Evaluation | None") -> dict[str, Any]:
    """The figures of all forecasts that count; `coverage` is that of the widest intervals, at `level`."""
    if judged is None:
        names = ("rmse", "naive_rmse", "naive_name", "skill", "bias", "level", "coverage")
        return {**dict.fromkeys(names), "coverages": {}}
    held = {level: judged.coverage(level) for level in sorted(judged.intervals)}
    widest = max(held, default=None)
    return {
        "rmse": judged.rmse,
        "naive_rmse": judged.naive_rmse,
        "naive_name": judged.best_naive,
        "skill": judged.skill if math.isfinite(judged.skill) else None,
        "bias": judged.bias,
        "level": widest,
        "coverage": None if widest is None else held[widest].value,
        "coverages": {f"{100 * level:g}": share.value for level, share in held.items()},
    }


def _window(windows: "tuple[Window, ...]") -> dict[str, Any]:
    newest = windows[-1]
    return {
        "sessions": len(windows),
        "last": newest.session.isoformat(),
        **newest.metrics(),
        "breaches": list(newest.breaches),
    }
