"""The proof of a configuration, kept in an MLflow run of its own; parts that exist are read, missing ones are computed.

A proof is identified by configuration, sessions between two fits, code and first session, and a period by every price
known then, too. It is computed again if one of those has changed; a dividend changes only Adj Close, which does not
count. A file whose digest is not in the ledger is no part of a proof.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from model.artifact.numpy_network import NumpyNetwork
from model.artifact.recipes import Recipe
from model.backtest.proof import (
    NOTHING,
    Fitted,
    Period,
    PeriodForecasts,
    assemble_proof,
    compared,
    configuration_of,
    first_row,
    fit_period,
    fitted_of,
    forecast_period,
    is_preset,
    periods,
)
from model.config import ForecasterConfig
from model.errors import PricesError
from model.evaluation.decision import Verdict
from model.evaluation.evidence.proof import Proof
from model.evaluation.gate import TOO_FEW
from model.market.prices import Prices
from tasks.backtest.cache_key import trial_key, with_refits
from tasks.backtest.evaluation_file import packed
from tasks.backtest.shared_networks import NoSharedFit, named_run, shared_fit
from tasks.backtest.stored_period import RECIPE_FILE, WEIGHTS_FILE, digest_of_fit, forecasts_of, traded
from tasks.ledger.kept_files import KeptFiles
from tasks.ledger.trials import Trial, Trials
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.keras_backend import load_backend
from tasks.system.lock import locked
from tasks.tracking.checked_files import copy_of_run, is_kept, log_checked, names_in_run
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import code_digest, digest, training_tags
from tasks.tracking.run import start_run

COMPUTED_BY = "model.backtest.proof"
KEY, KIND = "x.proof.key", "proof"
PRESETS = "presets"
FORECASTS_FILE = "forecasts.json"

# Called before a fit, with the number of periods done and of all periods.
OnPeriod = Callable[[int, int], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptProof:
    """A proof, and the MLflow run that keeps it."""

    proof: Proof
    run_id: str


@dataclass(frozen=True, slots=True)
class NoProof:
    """Why there is no proof of a configuration on these prices."""

    why: str


NOT_KEPT = NoProof("it is not kept, or not all of it")


def prove(
    tracking: Tracking,
    prices: Prices,
    config: ForecasterConfig,
    at: datetime,
    show: OnPeriod | None = None,
    *,
    kept_only: bool = False,
) -> KeptProof | NoProof:
    """The proof of a configuration up to the newest of `prices`, or why there is none.

    A configuration that was shown to have no skill is not fitted further: that result is final.

    kept_only: nothing is computed or recorded: where a part is missing, there is no proof
    """
    settings, configuration = tracking.settings, configuration_of(config)
    model = settings.model_name(prices.security.ticker, config.column)
    with locked(settings, f"proof-{model}", durations.QUEUE_OF_TRAININGS, among=settings.ledger_uri):
        if isinstance(found := trial_of(settings, model, configuration, prices, at, kept_only=kept_only), NoProof):
            return found
        trial, prices, start = found
        beside = compared(prices, start, configuration)

        def assembled(made: list[PeriodForecasts]) -> Proof:
            return assemble_proof(prices, start, made, configuration, trial.number, beside)

        run_id = _run(tracking, prices, configuration, start, kept_only=kept_only)
        if run_id is None:
            return NOT_KEPT
        with TemporaryDirectory(prefix="tomorrow-") as folder:
            kept, made = _Periods(tracking, run_id, Path(folder)), list[PeriodForecasts]()
            due, tell = periods(prices, start, settings.proof), show or (lambda *_: None)
            for number, period in enumerate(due):
                done = kept.done(prices, period)
                so_far = [*made, done] if len(done) else made
                if len(done) == period.stop - period.start:
                    made = so_far
                    continue
                if so_far and _is_settled(proof := assembled(so_far), settings):
                    return KeptProof(proof=proof, run_id=run_id)
                if kept_only:
                    return NOT_KEPT
                try:
                    made.append(kept.complete(prices, period, configuration, done, partial(tell, number, len(due))))
                except PricesError as error:
                    # The version could be trained on all prices; but a fit on older ones alone is not possible.
                    day = prices.day(period.start)
                    return NoProof(f"no fit is possible on the sessions before {day}: {error.subject}: {error.have}")
                except NoSharedFit as error:
                    return NoProof(f"{error.subject}: {error.have}")
        return KeptProof(proof=assembled(made), run_id=run_id)


def trial_of(
    settings: Settings,
    model: str,
    configuration: ForecasterConfig,
    prices: Prices,
    at: datetime,
    *,
    key: str = "",
    kept_only: bool = False,
) -> tuple[Trial, Prices, int] | NoProof:
    """The trial (recorded now if it was not), the prices that it may use, and the row of its first session.

    Another history would give another draw, and with enough draws one is lucky: it uses that of when it was recorded.
    `key` is of what else is tried, by itself; empty for the configuration.
    """
    if lacking := prices.lacking(configuration.series):
        return NoProof(f"these prices are without the series {', '.join(lacking)}")
    prices = prices.only_with(configuration.series)
    own, trials = key or trial_key(configuration), Trials(settings.ledger_uri)
    of = PRESETS if not key and is_preset(configuration) else own
    named, family = (with_refits(each, settings.proof.refit_every) for each in (own, of))
    if (before := trials.of(model, named)) is not None:
        if prices.first > before.oldest:
            begun = f"its proof began with prices from {before.oldest} on"
            return NoProof(f"these prices begin on {prices.first}, and {begun}")
        if before.first > prices.last:
            return NoProof(f"its proof begins on {before.first}, after these prices")
        prices = prices.rows(int(np.searchsorted(prices.sessions, np.datetime64(before.oldest))), len(prices))
    if (start := first_row(prices, configuration, settings.proof, before.first if before else None)) is None:
        return NoProof(f"these prices have too little history before {before.first}" if before else TOO_FEW)
    if before is None and kept_only:
        return NOT_KEPT
    if before is None:  # It is recorded, and read again: another process may have been first, with another history.
        trials.record(model, named, family, prices.first, prices.day(start), at)
        return trial_of(settings, model, configuration, prices, at, key=key)
    return before, prices, start


def _is_settled(proof: Proof, settings: Settings) -> bool:
    """Whether the configuration was shown to have no skill, so that no further period needs a fit."""
    needed = settings.gate.needed
    return proof.verdict(needed) == Verdict.NO_SKILL and proof.odds < proof.needed_odds(needed)


def _run(
    tracking: Tracking, prices: Prices, configuration: ForecasterConfig, start: int, *, kept_only: bool
) -> str | None:
    """The run that keeps the proof: an earlier one, even of a killed process, or a new one; None if only the former."""
    ticker, column = prices.security.ticker, configuration.column
    named = [ticker, configuration.model_dump(mode="json"), str(prices.day(start)), prices.source]
    key = with_refits(digest([*named, code_digest(COMPUTED_BY)]), tracking.settings.proof.refit_every)
    experiment = tracking.experiment_id()
    # Anybody may tag a run, so a proof's run is also on record in the ledger.
    kept = KeptFiles(tracking.settings.ledger_uri)
    for known in tracking.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'"):
        if key in kept.digests(f"runs:/{known.info.run_id}", KEY):
            return str(known.info.run_id)
    if kept_only:
        return None
    tags = {**training_tags(prices, configuration), **named_run(tracking, configuration), KEY: key, "kind": KIND}
    with start_run(tracking.client, experiment, f"{ticker} {column} proof from {prices.day(start)}", tags) as run:
        given = {"forecaster": configuration, "proof": tracking.settings.proof}
        run.log_params({name: config.model_dump(mode="json") for name, config in given.items()})
        kept.keep(f"runs:/{run.run_id}", {KEY: key})
        return run.run_id


class _Periods:
    """The periods that a run keeps, each in a folder named after its first session."""

    def __init__(self, tracking: Tracking, run_id: str, folder: Path) -> None:
        self._tracking, self._client, self._settings = tracking, tracking.client, tracking.settings
        self._run_id, self._folder = run_id, folder
        self._places: dict[str, Path] = {}
        self._found: dict[str, Mapping[str, Any]] = {}
        self._there = names_in_run(self._client, self._settings, run_id, KIND)

    def done(self, prices: Prices, period: Period) -> PeriodForecasts:
        """A period's stored forecasts that can be used; NOTHING where there are none."""
        kept = self._read(str(prices.day(period.start)))
        return NOTHING if kept is None else forecasts_of(kept, prices, period)

    def complete(
        self,
        prices: Prices,
        period: Period,
        configuration: ForecasterConfig,
        done: PeriodForecasts,
        before_fit: Callable[[], Any],
    ) -> PeriodForecasts:
        """A period's forecasts: those in `done`, and the others, which are made now and stored."""
        name, train = str(prices.day(period.start)), prices.rows(0, period.start)
        kept = self._read(name)
        fitted = None if kept is None else self._fitted(name, kept, train)
        if fitted is None:
            before_fit()
            # A promotion has not loaded Keras, which writes messages when it starts.
            load_backend()
            found = shared_fit(self._tracking, configuration, train.last)
            fitted, done = fit_period(prices, period, configuration, found.fit if found else None), NOTHING
        made = forecast_period(fitted, prices, period, done)
        # A stored period with more sessions stays: this proof was asked for as of an earlier day.
        if kept is None or len(kept["sessions"]) <= len(made):
            self._write(name, prices, period, made, fitted)
        return made

    def _read(self, name: str) -> Mapping[str, Any] | None:
        """A period's stored forecasts; None where they are gone or were changed, so that they do not count."""
        from mlflow.exceptions import MlflowException

        if name in self._found or name not in self._there:
            return self._found.get(name)
        try:
            place = copy_of_run(self._client, self._settings, self._run_id, f"{KIND}/{name}", str(self._folder))
            content = (place / FORECASTS_FILE).read_bytes()
        except (MlflowException, OSError) as error:
            logger.warning("the proof's period from %s cannot be read, and is computed again: %s", name, error)
            return None
        if not is_kept(self._settings, self._run_id, f"{KIND}/{name}/{FORECASTS_FILE}", content):
            logger.warning("the proof's period from %s was changed since it was written, and is computed again", name)
            return None
        found = json.loads(content)
        self._places[name], self._found[name] = place, found
        return dict(found)

    def _fitted(self, name: str, kept: Mapping[str, Any], train: Prices) -> Fitted | None:
        """The stored fit of a period that is not complete; None where it has to be fitted again."""
        if kept.get("trained_on") != traded(train):
            return None
        place = self._places[name]
        if kept["fit"] != digest_of_fit(place):
            logger.info("the proof's fit from %s is not the one that made its forecasts, and is fitted again", name)
            return None
        try:
            recipe = Recipe.from_json((place / RECIPE_FILE).read_text(encoding="utf-8"))
            return fitted_of(NumpyNetwork.load(place / WEIGHTS_FILE), recipe, train)
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.info("the proof's fit from %s is fitted again: %s", name, error)
            return None

    def _write(self, name: str, prices: Prices, period: Period, made: PeriodForecasts, fitted: Fitted) -> None:
        place = self._folder / "written" / name
        place.mkdir(parents=True)
        (place / RECIPE_FILE).write_text(fitted.recipe.to_json(), encoding="utf-8")
        if isinstance(fitted.network, NumpyNetwork):
            fitted.network.save(place / WEIGHTS_FILE)
        kept = {
            "sessions": prices.sessions[period.start : period.stop].astype(str).tolist(),
            "trained_on": traded(prices.rows(0, period.start)),
            "known": traded(prices.rows(0, period.stop - 1)),
            "forecast": made.made.values.tolist(),
            "quantiles": packed(made.made.quantiles),
            "alone": packed(made.alone.quantiles),
            "fit": digest_of_fit(place),
        }
        (place / FORECASTS_FILE).write_text(json.dumps(kept), encoding="utf-8")
        log_checked(self._client, self._settings, self._run_id, place, f"{KIND}/{name}")
