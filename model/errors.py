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

Each names its subject, what was found, what was needed and what to do about it, and keeps them as data. None of them
shows a password: addresses in their texts are masked.
"""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar
from unicodedata import category

# Parameters of addresses that are not secret. Any other parameter after a `?` may be secret, whatever its name.
PLAIN_PARAMETERS = (
    *("workflowType", "host", "port", "user", "dbname", "application_name", "client_encoding", "charset"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "service", "target_session_attrs", "connect_timeout"),
    *("timeout", "mode", "cache", "uri", "immutable", "nolock", "driver"),
)
HIDDEN_NAMES = "password|passwd|passphrase|passcode|pwd|secret|token|api[-_]?key|access[-_]?key|credential|signature"
HIDDEN = "***"
# Unicode's categories of invisible characters: control, format, surrogate, private, unknown; line and paragraph ends.
CONTROLS = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

# A password may hold a slash, an @ or a quote, so all up to the last @ of the word is hidden. The placeholders USER and
# PASSWORD in our own texts stay.
_USER = re.compile(r"(?<=://)(?!/)(?!USER(?::PASSWORD)?@)[^\s<>]*@")
_QUERY = re.compile(r"(://[^\s?<>]*\?)([^\s<>]+)")
_YET = r"(?!\*\*\*(?!\w))"  # not hidden yet
_PARAMETER = re.compile(rf"(?<![^&])(?!(?:{'|'.join(PLAIN_PARAMETERS)})=)(?>([^=&]+=)?){_YET}[^&]+")
_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s&]+"
_NAMED = re.compile(rf"(?i)((?:{HIDDEN_NAMES})\w*(?:=|['\"]\s?:\s?)){_YET}(?:{_VALUE})")
_HEADER = re.compile(r"(?i)(authorization['\"]?\s?[:=]\s?['\"]?)(?:(?:basic|bearer)\s)?[^\s'\"]+")


def masked(text: str) -> str:
    """A text without the users, passwords and unknown parameters of any addresses in it."""
    text = _USER.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(lambda found: found[1] + _PARAMETER.sub(rf"\1{HIDDEN}", found[2]), text)
    return _HEADER.sub(rf"\1{HIDDEN}", _NAMED.sub(rf"\1{HIDDEN}", text))


def printable(text: str, keep: str = "") -> str:
    """A text whose control characters and line ends are escaped as Python does it, except those in `keep`.

    So text that a person typed or wrote into a tag stays on one line, and cannot move the cursor, change colours or
    reverse the direction of writing.
    """
    return "".join(
        at if at in keep or category(at) not in CONTROLS else at.encode("unicode_escape").decode() for at in text
    )


class TomorrowError(Exception):
    """What went wrong with `subject`: `have` was found, `need` was needed, `remedy` says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, subject: str, *, have: str, need: str, remedy: str, **data: object) -> None:
        subject, have, need, remedy = masked(subject), masked(have), masked(need), masked(remedy)
        super().__init__(subject, have, need, remedy)
        self.subject = subject
        self.have = have
        self.need = need
        self.remedy = remedy
        self.data = {name: _without_secrets(value) for name, value in data.items()}

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


def did_you_mean(given: str, known: Iterable[str], shown: Mapping[str, str] | None = None) -> str:
    """`. Did you mean 'train'?` with the known name nearest to the given one; empty if none is near.

    shown: known name -> how to write it, where that differs
    """
    from difflib import get_close_matches

    names = {name.casefold(): name for name in known}
    text = given.strip().casefold()
    begun = [name for name in names if text and name.startswith(text)]
    near = begun or get_close_matches(text, names, n=1)
    if not near:
        return ""
    name = names[near[0]]
    return f". Did you mean {(shown or {}).get(name, name)!r}?"


def _without_secrets(value: object) -> object:
    """What an error keeps for programs, its texts masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return value


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
    """The source has changed past prices irregularly."""


class PromotionRefused(TomorrowError):
    """The gate refuses the promotion."""

    exit_code = 4


class NothingInProduction(TomorrowError):
    """No version of the model is in Production."""

    exit_code = 5
