"""The proofs of a configuration's further horizons, each beside the configurations that were tried at its own horizon.

Such a proof is of a width that is fitted in a moment, so nothing of it is kept but the trial: its oldest price and its
first session. It is made anew on all prices since, with the new sessions at its end.
"""

from collections.abc import Mapping
from datetime import datetime

from model.backtest.further_proof import further_proof, what_is_proven
from model.config import Column, ForecasterConfig
from model.evaluation.evidence.proof import Proof
from model.market.prices import Prices
from tasks.backtest.proofs import NoProof, trial_of
from tasks.settings import Settings
from tasks.tracking.provenance import digest


def prove_further(
    settings: Settings, prices: Prices, config: ForecasterConfig, at: datetime
) -> Mapping[int, Proof | NoProof]:
    """Sessions ahead -> the proof of that horizon up to the newest of `prices`, or why there is none.

    at: the time now; a horizon that is tried for the first time is recorded
    """
    return {ahead: _proof(settings, prices, config.column, ahead, at) for ahead in config.horizon[1:]}


def _proof(settings: Settings, prices: Prices, column: Column, ahead: int, at: datetime) -> Proof | NoProof:
    model = further_model(settings.model_name(prices.security.ticker, column), ahead)
    key = digest(what_is_proven(column, ahead))
    found = trial_of(settings, model, ForecasterConfig(column=column), prices, at, key=key)
    if isinstance(found, NoProof):
        return found
    trial, known, start = found
    return further_proof(known, start, column, ahead, settings.proof.refit_every, trial.number)


def further_model(model: str, ahead: int) -> str:
    """Under what a horizon's trials are on record, a name that no model has: they do not count at another horizon."""
    return f"{model} in {ahead}"
