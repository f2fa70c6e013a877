"""A shared place for prices belongs to one ledger, which a file there names: ledger.json.

The ledger knows which prices are needed, and its database has the lock: with a second ledger, `tomorrow clean` of the
one would remove what the other needs, and both could write at once. A ledger in a file belongs to one state directory.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import ConfigurationError
from tasks.prices.store.place import Place, make_folder, store_place, write_whole
from tasks.settings import Settings
from tasks.system.lock import locked, state_id
from tasks.system.postgresql import identity_of

FILE = "ledger.json"


class Owner(BaseModel):
    """The ledger that a place belongs to.

    ledger: what tells it from every other one
    shown:  what it is, for people, without a password
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ledger: str
    shown: str


@contextmanager
def changing(settings: Settings, ticker: str) -> Iterator[None]:
    """The block in which nobody else changes what is kept of a security's prices.

    ConfigurationError where the place belongs to another ledger. One that belongs to none belongs to ours from now on.
    """
    with locked(settings, f"prices-{ticker}", among=settings.ledger_uri if settings.prices.store else None):
        take_place(settings)
        yield


def take_place(settings: Settings) -> None:
    """Have a shared place belong to our ledger if it belongs to none; ConfigurationError if to another one."""
    if settings.prices.store is None:
        return
    file, ours = store_place(settings, FILE), _ours(settings)
    if _is(ours, file):
        return
    make_folder(store_place(settings, "prices"), settings)
    write_whole(file, lambda made: made.write_text(ours.model_dump_json(indent=1), encoding="utf-8"))
    # Of two ledgers that take it at the same moment the later one has it.
    _is(ours, file)


def check_owner(settings: Settings) -> None:
    """ConfigurationError where the place for prices belongs to another ledger."""
    if settings.prices.store is not None:
        _is(_ours(settings), store_place(settings, FILE))


def _ours(settings: Settings) -> Owner:
    address = settings.ledger_uri
    if address.is_postgresql:
        return Owner(ledger=identity_of(address), shown=str(address))
    return Owner(ledger=state_id(settings), shown=f"{address} on {platform.node()}")


def _is(ours: Owner, file: Place) -> bool:
    """Whether the place belongs to our ledger already; ConfigurationError if to another one, or if the file is torn."""
    try:
        owner = Owner.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return False
    except ValidationError:
        have = f"{file} is damaged"
    else:
        if owner.ledger == ours.ledger:
            return True
        have = f"it belongs to another ledger, {owner.shown}"
    raise ConfigurationError(
        f"prices.store {str(file).removesuffix(f'/{FILE}')}",
        have=have,
        need=f"one ledger for all who change prices there; this one is {ours.shown}",
        remedy="name that ledger, which has to be on PostgreSQL for several state directories, or name another place; "
        f"if no other ledger uses it any more, or its database was moved, remove {file}",
    )
