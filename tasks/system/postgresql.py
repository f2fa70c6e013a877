"""PostgreSQL as the ledger, MLflow's database and the locks in both use it: in UTF-8, and in nothing else."""

from functools import cache
from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError
from tasks.settings import Address
from tasks.system import durations

if TYPE_CHECKING:
    from sqlalchemy import Engine

# The drivers that say, without being asked, in which encoding the database is.
TELLING = ("psycopg", "psycopg2")


def only_utf8(engine: "Engine", subject: str) -> "Engine":
    """The engine, which refuses a PostgreSQL database of another encoding with a ConfigurationError.

    There names and reasons that people have written could not be stored: so it is told before anything is.

    subject: what the database is, for people, without a password
    """
    from sqlalchemy import event

    def look(connection: Any, _: object) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigurationError(
                subject,
                have=f"the database {connection.info.dbname} is in the encoding {encoding}",
                need="a database in the encoding UTF8",
                remedy="make one, and name it instead: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
            )

    if engine.dialect.name == "postgresql" and engine.dialect.driver in TELLING:
        # Before SQLAlchemy asks its own first questions, whose answers it cannot read in some encodings.
        event.listen(engine, "connect", look, insert=True)
    return engine


def identity_of(address: Address) -> str:
    """What tells a database from every other one, by whatever address it is reached, and also after a failover.

    ConfigurationError where the database cannot be asked. A database that is restored elsewhere is another one.
    """
    return _identity(address.secret)


@cache
def _identity(address: str) -> str:
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    query = "SELECT system_identifier, current_database() FROM pg_control_system()"
    shown = f"the database {Address(address)}"
    try:
        url = make_url(address).set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": durations.LEDGER})
        with only_utf8(engine, shown).connect() as connection:
            system, name = connection.execute(text(query)).one()
    except (SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
        raise ConfigurationError(
            shown,
            have=" ".join(str(getattr(error, "orig", error)).split()),
            need="a database that can be asked which one it is",
            remedy=f"see to it, and let this user run {query.partition(' FROM ')[2]}",
        ) from None
    return f"PostgreSQL {system} {name}"
