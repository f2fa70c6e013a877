"""Every error a user can meet, and the exit code it ends a command with.

TomorrowError                  1  a fault of ours
├── UsageError                 2  an option or argument that is not possible
│   └── ConfigurationError     2  mlflow.yaml, the environment, a store that cannot be opened or written
├── PricesError                3  prices that cannot be used or fetched
│   ├── FaultyPrices           3  fetched, but wrong: each fault is named
│   ├── TooFewPrices           3  fetched, but too few
│   ├── PricesUnavailable      3  not available now: try again later
│   │   └── RateLimited        3  the source asks us to wait
│   ├── UnknownSymbol          3  the source does not know the ticker
│   ├── WrongSecurity          3  the ticker now names another security
│   └── RestatedPrices         3  the source has changed past prices irregularly
├── PromotionRefused           4  the gate refuses the promotion
└── NothingInProduction        5  no version to forecast with

Each names its subject, what was found, what was needed and what to do about it, and keeps them as data.
"""

from functools import partial
from typing import Any, ClassVar


class TomorrowError(Exception):
    """What went wrong with `subject`: `have` was found, `need` was needed, `remedy` says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, subject: str, *, have: str, need: str, remedy: str, **data: object) -> None:
        super().__init__(subject, have, need, remedy)
        self.subject = subject
        self.have = have
        self.need = need
        self.remedy = remedy
        self.data = data

    @property
    def kind(self) -> str:
        """The error's name for other programs."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.subject}: {self.have}\n  needed: {self.need}\n  to do:  {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pass between processes without losing the keyword arguments."""
        return partial(type(self), self.subject, have=self.have, need=self.need, remedy=self.remedy, **self.data), ()

    def as_json(self) -> dict[str, object]:
        """The object that stands under `error` in a command's JSON."""
        return {
            "kind": self.kind,
            "message": str(self),
            "subject": self.subject,
            "have": self.have,
            "need": self.need,
            "remedy": self.remedy,
            **self.data,
        }


class UsageError(TomorrowError):
    """An option or argument that is not possible."""

    exit_code = 2


class ConfigurationError(UsageError):
    """An impossible setting, or a store that cannot be opened or written."""


class PricesError(TomorrowError):
    """Prices that cannot be used or fetched."""

    exit_code = 3


class FaultyPrices(PricesError):
    """Prices that were fetched, but are wrong."""


class TooFewPrices(PricesError):
    """Prices that were fetched, but are too few."""


class PricesUnavailable(PricesError):
    """Prices that are not available now."""


class RateLimited(PricesUnavailable):
    """The source asks us to wait."""


class UnknownSymbol(PricesError):
    """The source does not know the ticker."""


class WrongSecurity(PricesError):
    """The ticker names another security than the one asked for."""


class RestatedPrices(PricesError):
    """The source has changed prices of the past in no regular way."""


class PromotionRefused(TomorrowError):
    """The gate refuses the promotion."""

    exit_code = 4


class NothingInProduction(TomorrowError):
    """No version of the model is in Production."""

    exit_code = 5
