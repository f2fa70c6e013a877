"""Which study a tuning goes on with, or that a new one is begun."""

from collections.abc import Callable
from datetime import date

from model.backtest.proof import configuration_of
from model.config import ForecasterConfig, PriceRequest
from model.errors import TooFewPrices
from model.evaluation.split import Split
from model.market.prices import Prices
from model.tuning.space import VERSION, space_around, values_of
from tasks.backtest.cache_key import trial_key, with_refits
from tasks.backtest.stored_period import traded
from tasks.backtest.tuning.study import Study, new_study_file, study_files
from tasks.ledger.trials import Trials
from tasks.settings import Settings
from tasks.tracking.provenance import code_digest, digest

COMPUTED_BY = ("model.tuning.trial", "tasks.backtest.tuning.study")
DIGITS = 10


def study_key(prices: Prices, base: ForecasterConfig, request: PriceRequest) -> str:
    """What decides whether two tunings are the same, apart from the prices of a new day."""
    return digest(
        {
            "security": prices.security.ticker,
            "source": prices.source,
            "as_of": str(request.as_of),
            "from": str(request.first),
            "column": base.column,
            "preset": base.preset,
            "base": configuration_of(base).model_dump(mode="json"),
            "seed": base.training.seed,
            "space": VERSION,
            "code": code_digest(*COMPUTED_BY),
        }
    )[:DIGITS]


def open_study(
    settings: Settings,
    key: str,
    prices: Prices,
    base: ForecasterConfig,
    split_for: Callable[[date | None], Split],
    *,
    again: bool,
) -> tuple[Study, Split]:
    """The newest study with a key, with the sessions that it has seen from its beginning; else a new one.

    split_for: gives the sessions that a study may see, of one that has begun from the first that it may not
    again:     begin a new one in any case; so it is where the prices that the newest has seen have changed, or a proof
               that begins now would have sessions that it has seen, as with more `proof.sessions` than then
    """
    split = split_for(None)
    begins = prices.day(len(split.prices))
    given = space_around(base), values_of(base), base.training.seed
    files = study_files(settings, key)
    if files and not again:
        study = Study(files[-1], *given)
        if study.first is not None and study.first <= begins:
            try:
                seen = split_for(study.first)
            except TooFewPrices:  # of these prices, or with what the settings now ask for
                seen = None
            if seen is not None and traded(seen.prices) == study.data:
                return study, seen
    study = Study(new_study_file(settings, key), *given)
    study.begin(begins, traded(split.prices))
    return study, split


def is_on_record(settings: Settings, model: str, config: ForecasterConfig) -> bool:
    """Whether a configuration was tried before: its proof has sessions of its own, which a tuning may have seen."""
    key = with_refits(trial_key(config), settings.proof.refit_every)
    return Trials(settings.ledger_uri).of(model, key) is not None
