"""Addresses of stores and servers, which mask their passwords when shown."""

from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from model.errors import masked

SERVERS = ("http", "https")
# Characters with a meaning in an address, which a file's name may contain, too.
ODD = "?#%"


class Address(str):
    """An address; as text, and in JSON, users and passwords in it are masked.

    Libraries get the whole address, `secret`. For a server they get `bare` and `credentials` separately, so that no
    password can appear in their errors and logs.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """An address from a text, or a copy of an address with its password."""
        return super().__new__(cls, text.secret if isinstance(text, Address) else text)

    @property
    def secret(self) -> str:
        """The whole address, with its password, for connecting."""
        return str.__str__(self)

    @property
    def bare(self) -> str:
        """The address without a user and password."""
        scheme, between, rest = self.secret.partition("://")
        return f"{scheme}{between}{rest.rpartition('@')[2]}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """The user and password in it; None where there are none."""
        given, at, _ = self.secret.partition("://")[2].rpartition("@")
        user, _, password = given.partition(":")
        return (unquote(user), unquote(password)) if at else None

    @property
    def is_server(self) -> bool:
        """Whether it is the address of an HTTP server."""
        return self.secret.partition(":")[0] in SERVERS

    @property
    def is_postgresql(self) -> bool:
        """Whether it is that of a PostgreSQL database."""
        return self.secret.partition(":")[0].partition("+")[0] == "postgresql"

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for any other address."""
        scheme, between, rest = self.secret.partition(":///")
        return sqlite_file(rest.partition("?")[0]) if between and scheme.startswith("sqlite") else None

    @property
    def is_secret(self) -> bool:
        """Whether some of it is masked when it is shown."""
        return str(self) != self.secret

    def __str__(self) -> str:
        return masked(self.secret)

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, form: str) -> str:
        return format(str(self), form)

    def __getnewargs__(self) -> tuple[str]:
        return (self.secret,)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )


def in_folder(address: Address, folder: Path) -> Address:
    """The address of an SQLite file made absolute, a relative path taken from the folder; any other address as it is.

    A path with `?`, `#` or `%` is written as a quoted `file:` address, else it would end there. Such an address names
    the driver, since MLflow would otherwise take it for a path and make its folders.
    """
    scheme, between, rest = address.secret.partition(":///")
    file, mark, parameters = rest.partition("?")
    if not between or not scheme.startswith("sqlite") or file in ("", ":memory:") or file.startswith("file:"):
        return address
    place = file if file.startswith("/") else str((folder / file).resolve())
    if not set(ODD).intersection(place):
        return Address(f"{scheme}:///{place}{mark}{parameters}")
    driver = scheme if "+" in scheme else "sqlite+pysqlite"
    return Address(f"{driver}:///file:{quote(place)}?uri=true{'&' if mark else ''}{parameters}")


def sqlite_file(database: str) -> Path:
    """The file that SQLite opens; `database` is that part of SQLAlchemy's URL."""
    return Path(unquote(database.removeprefix("file:")) if database.startswith("file:") else database)
