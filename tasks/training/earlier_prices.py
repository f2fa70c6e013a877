"""Compares prices with those that an earlier version of the same model was trained on, before anything is computed.

If they contradict the earlier ones on the same days, they are another security's, in another unit of money, or were
rewritten. They are then used only if a person accepts that, which is recorded.
"""

import logging
from collections.abc import Iterable, Set
from contextlib import suppress
from datetime import datetime

from model.errors import FaultyPrices, RestatedPrices, TomorrowError
from model.forecaster.contradiction import compare_with_trained
from model.market.prices import Prices
from model.market.restatement import Comparison
from tasks.prices.accepted import accepted_days
from tasks.prices.fetch import LONGEST_TAG
from tasks.prices.snapshots import SnapshotStore
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.system.lock import user_name
from tasks.tracking.checked_files import trained_as
from tasks.tracking.client import Tracking
from tasks.tracking.run_inputs import load_prices

logger = logging.getLogger(__name__)


def check_earlier_prices(
    tracking: Tracking,
    model: str,
    prices: Prices,
    at: datetime,
    *,
    accept: bool,
    version: RegisteredVersion | None = None,
) -> tuple[str, ...]:
    """Compare prices with those of a model's earlier version; returns notes on accepted contradictions.

    version: the one to compare with; by default the newest whose run still has its prices
    accept:  whether the person who started the run accepts every contradiction

    RestatedPrices where they contradict and nobody has accepted that.
    """
    versions = [version] if version else Registry(tracking).newest(model)
    found = _earlier(tracking, versions)
    if found is None:
        return ()
    earlier, trained = found
    contradiction = compare_with_trained(trained, prices)
    if contradiction.verdict == "same":
        return ()
    named = f"version {earlier.version} of {model}"
    if accept:
        return (
            f"contradict the prices that {named} was trained on; accepted by {user_name()} on {at:%Y-%m-%d}",
            *contradiction.lines,
        )
    if _was_accepted(tracking.settings, trained, prices, contradiction):
        return (f"contradict the prices that {named} was trained on; that was accepted before", *contradiction.lines)
    raise _refusal(prices, trained, contradiction, named)


def accepted_tags(notes: tuple[str, ...]) -> dict[str, str]:
    """The tag of a training's run that records what was accepted; none where nothing was."""
    return {"prices.accepted": "\n".join(notes)[:LONGEST_TAG]} if notes else {}


def _earlier(tracking: Tracking, versions: Iterable[RegisteredVersion]) -> tuple[RegisteredVersion, Prices] | None:
    """The first of these versions whose prices can be read, and its prices; None where there is none."""
    from mlflow.exceptions import MlflowException

    for version in versions:
        try:
            run_id = trained_as(tracking.settings, version.model_uri, version.source).run_id
            return version, load_prices(tracking, run_id, version.model_uri)
        except (MlflowException, OSError, TomorrowError, ValueError) as error:
            logger.warning("%s %s: its training prices cannot be read: %s", version.model, version.named, error)
    return None


def _was_accepted(settings: Settings, trained: Prices, prices: Prices, contradiction: Comparison) -> bool:
    """Whether a person accepted this before: either each day as right, or Yahoo's changes when they were fetched."""
    ticker = prices.security.ticker
    days = {str(one.day) for one in accepted_days(ticker, settings)}
    units = False
    if trained.source == prices.source == "yahoo":
        of_fetches, units = _accepted_of_fetches(settings, ticker)
        days |= of_fetches
    return units if contradiction.verdict == "units" else days.issuperset(contradiction.days)


def _accepted_of_fetches(settings: Settings, ticker: str) -> tuple[Set[str], bool]:
    """The days that Yahoo rewrote and a person accepted, and whether a change of units was accepted."""
    store, days, units = SnapshotStore(settings), set[str](), False
    for name in store.fetches(ticker):
        with suppress(FaultyPrices):
            record = store.record(name)
            if record.accepted is not None:
                days.update(record.days)
                units = units or record.verdict == "units"
    return days, units


def _refusal(prices: Prices, trained: Prices, contradiction: Comparison, named: str) -> RestatedPrices:
    """The error for prices that contradict those of a version; `named`: the version's name."""
    ticker, days = prices.security.ticker, contradiction.days
    what = f"{len(days)} {'day contradicts' if len(days) == 1 else 'days contradict'}" if days else "they contradict"
    if prices.source == "sample":
        check = "use the --market-seed that it was trained with"
    else:
        check = f"check that these are prices of {ticker}, in the same unit of money" + (
            f": {prices.origin}" if prices.source == "csv" else ""
        )
    return RestatedPrices(
        f"prices of {ticker} from {prices.source}",
        have=f"{what} the prices, from {trained.source}, that {named} was trained on"
        + "".join(f"\n  - {line}" for line in contradiction.lines),
        need="the same prices on the same days, except for splits, dividends, rounding and the newest two sessions",
        remedy=f"{check};\n          or use a separate state directory for them (TOMORROW_HOME);\n"
        "          if they are right, run it again with --accept-restatement, which is recorded",
        source=prices.source,
        days=list(days),
        changes=list(contradiction.lines),
    )
