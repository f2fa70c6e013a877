"""Which sessions a tuning sees: only those before the first session of the proof.

Their newest part is forecast, and a trial is judged on that; each trial is fitted on all before it.
"""

from datetime import date

from model.backtest.proof import configuration_of, first_row
from model.config import ForecasterConfig
from model.errors import TooFewPrices
from model.evaluation.evidence.proof import ProofConfig
from model.evaluation.split import Split
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from model.tuning.space import space_around, with_values

# At most so many sessions, and this share of them all, are forecast.
MOST, SHARE = 250, 3


def tuning_split(prices: Prices, base: ForecasterConfig, proof: ProofConfig, first: date | None = None) -> Split:
    """The sessions before a proof that would begin now; TooFewPrices where there is none, or they are too few.

    first: of a study that goes on: the first session that it may not see
    """
    start = first_row(prices, configuration_of(base), proof, first)
    if start is None:
        raise _too_few(prices, f"{len(prices)} sessions", proof)
    known = prices.rows(0, start)
    judged = min(MOST, len(known) // SHARE)
    # The longest window of the space, with as many sessions again to fit on.
    longest = max(value or 0 for value in space_around(base).choices["lookback"])
    needed = 2 * sessions_needed(with_values(base, {"lookback": int(longest)}))
    if len(known) - judged < needed:
        raise _too_few(prices, f"{len(known)} sessions before the first of the proof, {prices.day(start)}", proof)
    return Split(prices=known, train=known.rows(0, len(known) - judged), n_test=judged)


def _too_few(prices: Prices, have: str, proof: ProofConfig) -> TooFewPrices:
    return TooFewPrices(
        f"prices of {prices.security.ticker}",
        have=have,
        need=f"years before the {proof.sessions} sessions of a proof: on these alone a tuning may look",
        remedy="give more history, or set proof.sessions in mlflow.yaml to fewer",
    )
