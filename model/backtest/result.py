"""The result of a backtest by preset, seed and month, compared with naive and statistical ones of the same sessions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from model.backtest.further_result import further_evaluations
from model.backtest.plan import Key, Plan, seeds_of
from model.config import ForecasterConfig
from model.evaluation.baselines import naive_label
from model.evaluation.distribution import given, median, no_distributions
from model.evaluation.evaluation import Evaluation, join
from model.evaluation.statistical import STATISTICAL_LABELS, missing_statistical
from model.presets import preset_label


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """How far a figure differs from seed to seed; `sd` is the sample standard deviation, 0 for one seed."""

    minimum: float
    maximum: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MonthResult:
    """One calendar month: the figures' means over the seeds, and each seed's skill.

    Both compare with the naive forecast and distribution that are best over all months. Those best in this month alone
    nobody could know beforehand.
    """

    month: str
    sessions: int
    metrics: Mapping[str, float]
    skills: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PresetResult:
    """One preset over all sessions: one evaluation per seed."""

    config: ForecasterConfig
    by_seed: Mapping[int, Evaluation]

    @property
    def name(self) -> str:
        """The preset's name."""
        return self.config.preset

    @property
    def label(self) -> str:
        """The name that people read: the preset's, with its changes."""
        return preset_label(self.config)

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """One per seed, in the order of the seeds."""
        return tuple(self.by_seed.values())

    @property
    def metrics(self) -> dict[str, float]:
        """The means over the seeds: what to expect of one training with any seed."""
        return _means([evaluation.metrics() for evaluation in self.evaluations])

    @property
    def spread(self) -> dict[str, SeedSpread]:
        """How far the figures differ from seed to seed."""
        every = [evaluation.metrics() for evaluation in self.evaluations]
        return {name: _spread([metrics[name] for metrics in every]) for name in self.metrics}

    @property
    def ensemble(self) -> Evaluation:
        """The means of the seeds' forecasts and of their quantiles, as if they were one forecast."""
        forecast = np.mean([evaluation.forecast for evaluation in self.evaluations], axis=0)
        quantiles = np.mean([evaluation.quantiles for evaluation in self.evaluations], axis=0)
        return replace(self.evaluations[0], forecast=forecast, quantiles=quantiles)

    @property
    def months(self) -> tuple[MonthResult, ...]:
        """Month by month, in the order of time."""
        by_seed = [by_month(_beside_the_best(evaluation, self.evaluations[0])) for evaluation in self.evaluations]
        return tuple(
            MonthResult(
                month=month,
                sessions=len(by_seed[0][month].sessions),
                metrics=_means([months[month].metrics() for months in by_seed]),
                skills=tuple(months[month].skill for months in by_seed),
            )
            for month in by_seed[0]
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonRow:
    """One row of the table that compares all forecasts.

    kind: preset, ensemble, naive, naive distribution or statistical
    """

    name: str
    label: str
    kind: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestResult:
    """A completed backtest.

    further: sessions ahead -> the forecasts of each horizon beyond the next session that a preset has
    """

    plan: Plan
    presets: tuple[PresetResult, ...]
    further: Mapping[int, Evaluation] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What was forecast, such as `META Open`."""
        return f"{self.plan.prices.security.ticker} {self.plan.column}"

    @property
    def period(self) -> str:
        """The months that were forecast."""
        config = self.plan.config
        return f"{config.first} to {config.last}" if config.first != config.last else str(config.first)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Differences from how a preset is used elsewhere, and what is missing, a sentence each."""
        afresh = tuple(
            f"{preset.label}: each fit started afresh, since in a backtest no version is in Production to start from."
            for preset in self.presets
            if preset.config.training.warm_start
        )
        return (*afresh, *missing_statistical(self.plan.statistical)) if self.plan.config.statistical else afresh

    @property
    def reference(self) -> Evaluation:
        """An evaluation for what all have in common: the sessions, the actual prices, the naive forecasts."""
        return self.presets[0].evaluations[0]


def comparison_rows(result: BacktestResult) -> tuple[ComparisonRow, ...]:
    """Every forecast over all sessions: the presets, then the naive forecasts, then the statistical ones.

    A distribution without a point forecast counts with its median.
    """
    found = [
        ComparisonRow(name=preset.name, label=preset.label, kind="preset", metrics=preset.metrics)
        for preset in result.presets
    ]
    for name, label, kind, judged in _others(result):
        found.append(ComparisonRow(name=name, label=label, kind=kind, metrics=judged.metrics()))
    return tuple(found)


def statistical_label(name: str) -> str:
    """The name of a statistical forecast or distribution for people."""
    return STATISTICAL_LABELS[name]


def _others(result: BacktestResult) -> Iterator[tuple[str, str, str, Evaluation]]:
    """Name, label, kind and evaluation of each forecast that the presets are compared with."""
    reference = result.reference
    none = no_distributions(len(reference.sessions))
    for preset in result.presets:
        if len(preset.by_seed) > 1:
            yield preset.name, f"{preset.label}, its seeds averaged", "ensemble", preset.ensemble
    for name, made in reference.naive.items():
        yield name, f"naive: {naive_label(name)}", "naive", replace(reference, forecast=made, quantiles=none)
    for name, quantiles in reference.naive_quantiles.items():
        judged = replace(reference, forecast=median(quantiles), quantiles=quantiles)
        yield name, f"naive: {naive_label(name)}", "naive distribution", judged
    for name in dict.fromkeys((*reference.statistical, *reference.statistical_quantiles)):
        quantiles = reference.statistical_quantiles.get(name, none)
        forecast = reference.statistical.get(name, median(quantiles))
        judged = replace(reference, forecast=forecast, quantiles=quantiles)
        yield name, statistical_label(name), "statistical", judged


def assemble(plan: Plan, done: Mapping[Key, Evaluation]) -> BacktestResult:
    """Join the origins of each preset and seed, and add the statistical forecasts and distributions to each.

    KeyError where one is missing.
    """

    def whole(forecaster: str, seed: int) -> Evaluation:
        return join([done[Key(forecaster, seed, origin.name)] for origin in plan.origins])

    beside = {name: whole(name, 0) for name in plan.statistical}
    forecasts = {name: made.forecast for name, made in beside.items()}
    quantiles = {name: made.quantiles for name, made in beside.items() if given(made.quantiles).any()}
    return BacktestResult(
        plan=plan,
        presets=tuple(
            PresetResult(
                config=config,
                by_seed={
                    seed: replace(whole(config.preset, seed), statistical=forecasts, statistical_quantiles=quantiles)
                    for seed in seeds_of(plan.config, config)
                },
            )
            for config in plan.forecasters
        ),
        further=further_evaluations(plan),
    )


def _beside_the_best(evaluation: Evaluation, reference: Evaluation) -> Evaluation:
    """The evaluation with only the naive forecast and the naive distribution that are best for the reference."""
    forecast, quantiles = reference.best_naive, reference.best_naive_distribution
    return replace(
        evaluation,
        naive={forecast: evaluation.naive[forecast]},
        naive_quantiles={} if quantiles is None else {quantiles: evaluation.naive_quantiles[quantiles]},
    )


def by_month(evaluation: Evaluation) -> dict[str, Evaluation]:
    """The evaluation of each calendar month."""
    months = evaluation.sessions.astype("datetime64[M]")
    return {str(month): evaluation.part(months == month) for month in np.unique(months)}


def _means(every: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric that is defined in all of them."""
    common = [name for name in every[0] if all(name in metrics for metrics in every)]
    return {name: float(np.mean([metrics[name] for metrics in every])) for name in common}


def _spread(values: Sequence[float]) -> SeedSpread:
    # Infinite skill, where the naive forecast makes no error, has no deviation.
    sd = float(np.std(values, ddof=1)) if len(values) > 1 and np.isfinite(values).all() else 0.0
    return SeedSpread(minimum=min(values), maximum=max(values), sd=sd)
