"""The keys of a backtest's results; a result with the key of an earlier one need not be computed again.

A key covers all that a forecast depends on: the configuration with its seed, the sessions used for fitting, the
sessions forecast, every price known by then, the code and the libraries. It does not cover later prices: after another
month, the months before need not be computed again.

A proof has a key of its own, made where it is kept; here is what identifies a configuration that is tried.
"""

from typing import Any

from model.backtest.plan import Fit, Key, Origin, Plan
from model.backtest.proof import configuration_of
from model.config import ForecasterConfig
from tasks.tracking.provenance import code_digest, digest

COMPUTED_BY = "model.backtest.fit"
# With so many sessions between two fits nothing is added: proofs were kept before that was a part of their keys.
UNNAMED_REFITS = 252


def plan_key(plan: Plan) -> str:
    """The key of a whole backtest."""
    return digest(
        {
            "backtest": plan.config.model_dump(mode="json"),
            "forecasters": [config.model_dump(mode="json") for config in plan.forecasters],
            "prices": plan.prices.fingerprint,
            "code": code_digest(COMPUTED_BY),
        }
    )


def origin_keys(plan: Plan) -> dict[Key, str]:
    """Place in a backtest (forecaster, seed, origin) -> key of its result."""
    known = {origin: plan.prices.until(plan.prices.day(origin.stop - 1)).fingerprint for origin in plan.origins}
    return {
        key: digest(_described(plan, fit, key, origin, known[origin]))
        for fit in plan.fits
        for key, origin in zip(fit.keys, (origin for origin in fit.origins for _ in fit.names), strict=True)
    }


def series_key(plan: Plan, forecaster: str) -> str:
    """A short key that all results of one forecaster for the security and column have in common."""
    return digest([plan.prices.security.ticker, plan.column, forecaster])[:16]


def trial_key(config: ForecasterConfig) -> str:
    """The digest that identifies a configuration, whatever its seed."""
    return digest(configuration_of(config).model_dump(mode="json"))


def with_refits(key: str, refit_every: int) -> str:
    """A key of a proof or of its trial, for so many sessions between two fits: other ones give another draw."""
    return key if refit_every == UNNAMED_REFITS else digest([key, {"refit_every": refit_every}])


def _described(plan: Plan, fit: Fit, key: Key, origin: Origin, known: str) -> dict[str, Any]:
    prices = plan.prices
    return {
        "forecaster": key.forecaster,
        "config": fit.config.model_dump(mode="json") if fit.config else None,
        "column": fit.column,
        "fitted_on": [str(prices.day(fit.first)), str(prices.day(fit.stop - 1))],
        "forecasts": [str(prices.day(origin.start)), str(prices.day(origin.stop - 1))],
        "prices": known,
        "code": code_digest(COMPUTED_BY),
    }
