"""Objects in a store that speaks S3, each written by one request: it is there as a whole, or not at all.

Address and credentials are those that boto3 reads: AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. None
of them is kept in a place, so none is shown or handed on with it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from model.errors import ConfigurationError
from tasks.system import durations

S3 = "s3://"
OWN_VARIABLES = "AWS_"


@dataclass(frozen=True, slots=True)
class S3Place:
    """An object, or what begins the names of several, as a folder does; its methods do what those of a Path do.

    ConfigurationError where the store does not answer or refuses, where it has no such bucket, and where what S3 needs
    is not installed.

    path: BUCKET/NAME, where the name has slashes as if there were folders
    """

    path: str

    @classmethod
    def at(cls, address: str) -> "S3Place":
        """The place with that address, s3://BUCKET/NAME."""
        return cls(address.removeprefix(S3))

    def __str__(self) -> str:
        return f"{S3}{self.path}"

    def __truediv__(self, name: str) -> "S3Place":
        return S3Place(f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name up to its last dot."""
        return self.name.rpartition(".")[0] or self.name

    def entries(self) -> list[tuple[str, bool]]:
        """What lies in the folder, in no order: names, and whether each is a folder itself."""
        with self._answered() as store:
            try:
                found = store.ls(self.path, detail=True)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return []
        # Some stores list the folder itself beside what it holds.
        inside = [one for one in found if one["name"].rstrip("/") != self.path]
        return [(one["name"].rstrip("/").rpartition("/")[2], one["type"] == "directory") for one in inside]

    def read_bytes(self) -> bytes:
        """The content; FileNotFoundError where there is no such object."""
        with self._answered() as store:
            content: bytes = store.cat_file(self.path)
        return content

    def write_bytes(self, content: bytes) -> None:
        """Put an object there, in place of the one that was."""
        with self._answered() as store:
            store.pipe_file(self.path, content)

    def exists(self) -> bool:
        """Whether there is such an object."""
        with self._answered() as store:
            return bool(store.exists(self.path))

    def size(self) -> tuple[int, datetime]:
        """How many bytes it has, and when it was written; FileNotFoundError where there is no such object."""
        with self._answered() as store:
            found = store.info(self.path)
        return int(found["size"]), found["LastModified"].astimezone(UTC)

    def remove(self) -> None:
        """Remove it, if it is there."""
        with self._answered() as store:
            store.rm_file(self.path)

    @contextmanager
    def _answered(self) -> Iterator[Any]:
        """Give the block the store; its errors become one that says what to do, but for FileNotFoundError."""
        store = _file_system(os.getpid(), frozenset(_given().items()))
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield store
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise self._fault(error) from None
            raise
        # ValueError is botocore's for an address of the store that is none.
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> ConfigurationError:
        from botocore.exceptions import CredentialRetrievalError, NoCredentialsError, PartialCredentialsError

        refusals = (PermissionError, NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
        bucket = self.path.partition("/")[0]
        again = "then run it again: nothing that was recorded is lost"
        if _code(error) == "NoSuchBucket":
            have, need = f"there is no bucket {bucket}", "a bucket that is there: none is made for you"
            remedy = f"make it, or correct prices.store in mlflow.yaml, or AWS_ENDPOINT_URL_S3; {again}"
        elif isinstance(error, refusals):
            have = f"it refuses: {_said(error)}"
            need = f"credentials with which objects in {bucket} may be listed, read, written and removed"
            remedy = f"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else boto3 reads; {again}"
        else:
            have, need = f"it does not answer as it should: {_said(error)}", "a store that answers"
            remedy = (
                "see whether it runs, and what AWS_ENDPOINT_URL_S3 says, which has to name a store that is not "
                f"Amazon's, such as http://127.0.0.1:8333; {again}"
            )
        return ConfigurationError(f"the store of prices at {self}", have=have, need=need, remedy=remedy)


def _given() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.startswith(OWN_VARIABLES)}


@cache
def _file_system(process: int, given: frozenset[tuple[str, str]]) -> Any:  # noqa: ARG001 - one for each of them
    """The store, as this process and its environment name it: a worker of a cluster is given another environment."""
    try:
        from s3fs import S3FileSystem
    except ImportError:
        raise ConfigurationError(
            "prices.store in mlflow.yaml, which names a store that speaks S3",
            have="the packages that it needs are not installed",
            need="boto3 and s3fs",
            remedy="install tomorrow[s3]; in a checkout: .venv/bin/pip install -e '.[s3]'",
        ) from None
    store = S3FileSystem(
        skip_instance_cache=True,
        # What is listed has to be what is there: others write, too.
        use_listings_cache=False,
        config_kwargs={
            "connect_timeout": durations.REACH,
            "read_timeout": durations.ANSWER_OF_STORE,
            "retries": {"total_max_attempts": 2},
        },
    )
    # Beside botocore's own tries; of answers that break off in the middle only s3fs makes another one.
    store.retries = 2
    return store


def _code(error: Exception) -> str:
    """What the store itself calls the error; empty where it has not answered."""
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def _said(error: Exception) -> str:
    # Without the parameters of the address that was asked for.
    text = re.sub(r"\?[^\s\"]+", "", " ".join(str(error).split()))
    return text or type(error).__name__
