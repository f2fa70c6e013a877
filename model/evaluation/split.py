"""Training part and test period: by date, once, before anything is fitted."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from model.config import EvaluationConfig
from model.errors import TooFewPrices, UsageError
from model.market.prices import Prices, Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Prices cut by date.

    prices:  (n_train + n_test sessions), everything that is used; the newest n_test sessions are the test period
    train:   (n_train sessions), those before the test period: nothing is fitted on any other
    n_test:  the number of sessions in the test period
    """

    prices: Prices
    train: Prices
    n_test: int

    @property
    def first_test(self) -> date:
        """The first session of the test period."""
        return self.prices.day(len(self.train))

    @property
    def last_test(self) -> date:
        """The last session of the test period."""
        return self.prices.last

    @property
    def actual(self) -> Values:
        """(n_test, 6) the prices of the test period, in the order of COLUMNS."""
        return self.prices.values[len(self.train) :]


def split_prices(prices: Prices, wanted: EvaluationConfig, lookback: int) -> Split:
    """Set the test period apart: a calendar month, or the newest sessions.

    Sessions after a named month are not used at all. TooFewPrices where the training part is too short for one
    window and its target; UsageError where the month has no session.
    """
    if wanted.test_month is None:
        n_test, used = wanted.test_sessions, prices
    else:
        n_test, used = _month(prices, wanted.test_month)
    n_train = len(used) - n_test
    if n_train <= lookback:
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"{len(used)} sessions{f' up to the end of {wanted.test_month}' if wanted.test_month else ''}, "
            f"of which {n_test} are the test period",
            need=f"more than {lookback + n_test}: a window of {lookback} sessions, its target, and the test period",
            remedy="give more history, a smaller --lookback, or a shorter or later test period",
        )
    return Split(prices=used, train=used.rows(0, n_train), n_test=n_test)


def _month(prices: Prices, month: str) -> tuple[int, Prices]:
    """The number of sessions in a month, and the prices up to its end."""
    rows = np.flatnonzero(prices.sessions.astype("datetime64[M]") == np.datetime64(month, "M"))
    if not len(rows):
        raise UsageError(
            f"test month {month}",
            have=f"no session in it; the prices of {prices.security.ticker} reach from {prices.first} to {prices.last}",
            need="a month with sessions, after enough history to train on",
            remedy="choose another --test-month, or give the files that hold it",
        )
    return len(rows), prices.rows(0, int(rows[-1]) + 1)
