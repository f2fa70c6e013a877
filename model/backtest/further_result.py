"""The further horizons of a backtest: each session forecast so many sessions before, beside the naive distributions.

A width of so many sessions ahead is fitted in a moment and is the same for every preset and seed, so nothing of it is
kept. It is fitted again where the backtest fits its first preset again, on what was known at the first origin then.
"""

from collections.abc import Mapping
from dataclasses import replace

from model.backtest.further_proof import Period, judged_ahead
from model.backtest.plan import Plan
from model.evaluation.baselines import naive_label
from model.evaluation.distribution import median, no_distributions
from model.evaluation.evaluation import Evaluation


def further_evaluations(plan: Plan) -> dict[int, Evaluation]:
    """Sessions ahead -> the forecasts of every session of the backtest, for each horizon that a preset of it has."""
    horizons = sorted({ahead for config in plan.forecasters for ahead in config.horizon if ahead > 1})
    ours = next((fit for fit in plan.fits if fit.config is not None), None)
    if not horizons or ours is None:
        return {}
    same = (ours.config, ours.names, ours.seed)
    fits = sorted(
        (fit for fit in plan.fits if (fit.config, fit.names, fit.seed) == same), key=lambda fit: fit.origins[0].start
    )
    periods = [Period(fit.first, fit.origins[0].start, fit.origins[-1].stop) for fit in fits]
    return {ahead: judged_ahead(plan.prices, periods, plan.column, ahead) for ahead in horizons}


def further_rows(judged: Evaluation) -> dict[str, Mapping[str, float]]:
    """Label -> the figures of a horizon's forecasts, then of the naive ones beside them."""
    none = no_distributions(len(judged.sessions))
    others = {
        **{name: replace(judged, forecast=made, quantiles=none) for name, made in judged.naive.items()},
        **{
            name: replace(judged, forecast=median(quantiles), quantiles=quantiles)
            for name, quantiles in judged.naive_quantiles.items()
        },
    }
    found = {f"naive: {naive_label(name)}": other.metrics() for name, other in others.items()}
    return {"a width of its own, without a network": judged.metrics(), **found}


def verdict_ahead(ahead: int, judged: Evaluation) -> str:
    """A horizon's result in a sentence."""
    metrics, money = judged.metrics(), judged.money
    if "crps_skill" not in metrics:
        return f"{ahead} sessions ahead there was no distribution: a width needs a year of prices, and some more."
    beats = "beats" if metrics["crps_skill"] > 0 else "does not beat"
    return (
        f"{ahead} sessions ahead it {beats} the best naive distribution: CRPS {money.score(metrics['crps'])}, naive "
        f"{money.score(metrics['naive_crps'])}, skill {metrics['crps_skill']:+.4f}."
    )
