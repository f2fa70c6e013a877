"""PostgreSQL as the ledger, MLflow's database and the locks in both use it: in UTF-8, and in nothing else."""

from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError

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
