"""The secret of a state directory, and the keys that are derived from it, one for each use.

From one key, neither another key nor the secret can be computed: what a browser keeps, or a link shows, opens one
server alone.
"""

import os
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system.access.guard import derived
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import write_durably
from tasks.system.lock import locked
from tasks.system.state_directory import OTHERS, state_directory

FILE = "secret"
FORM = re.compile(r"[0-9a-f]{64}")
# Prefect takes any text; with a colon it also serves as user and password, for programs such as curl.
PREFECT_USER = "tomorrow"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are derived from one secret.

    proof:   with which a server proves who it is, before it is sent another key
    prefect: for Prefect's server: its PREFECT_SERVER_API_AUTH_STRING
    mlflow:  for MLflow's server: its clients' MLFLOW_TRACKING_TOKEN
    serving: for the board, as a bearer token
    webhook: with which MLflow signs what it reports to the board
    """

    secret: str = field(repr=False)

    @property
    def proof(self) -> str:
        """With which a server proves who it is."""
        return derived(self.secret, "proof")

    @property
    def prefect(self) -> str:
        """For Prefect's server, `user:password`."""
        return f"{PREFECT_USER}:{derived(self.secret, 'prefect')}"

    @property
    def mlflow(self) -> str:
        """For MLflow's server."""
        return derived(self.secret, "mlflow")

    @property
    def serving(self) -> str:
        """For the board and its address for programs."""
        return derived(self.secret, "serving")

    @property
    def webhook(self) -> str:
        """With which MLflow signs what it reports to the board."""
        return derived(self.secret, "webhook")

    @property
    def mlflow_secrets(self) -> str:
        """With which MLflow encrypts the secrets of webhooks in its database: a key of Fernet's."""
        return urlsafe_b64encode(bytes.fromhex(derived(self.secret, "mlflow secrets"))).decode()


def new_keys() -> Keys:
    """Keys of a new secret, for a server that ends with this process."""
    return Keys(token_hex(32))


def state_keys(settings: Settings) -> Keys:
    """The keys of a state directory; makes its secret where there is none, one even if processes race for it.

    ConfigurationError where the file is another user's, is open to others, or holds no secret.
    """
    file = state_directory(settings) / FILE
    found = _read(file)
    if found is None:
        with locked(settings, FILE):
            found = _read(file)
            if found is None:
                found = new_keys()
                write_durably(file, lambda unfinished: _write(unfinished, found.secret))
    return found


def _read(file: Path) -> Keys | None:
    try:
        with file.open(encoding="ascii", errors="replace") as opened:
            about, text = os.fstat(opened.fileno()), opened.read(1000).strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise folder_fault(f"the secret {file}", error, "see who owns the file, and let this user read it") from None
    if about.st_uid != os.geteuid():
        remedy = (
            f"run this as user {about.st_uid}, whose state directory it is; or make all of it yours: chown -R "
            f"{os.geteuid()} {file.parent}"
        )
        raise _refusal(file, f"it belongs to user {about.st_uid}, and this is user {os.geteuid()}", remedy)
    if about.st_mode & OTHERS:
        raise _refusal(
            file,
            f"others may read it, or write it (mode {about.st_mode & 0o777:o})",
            f"chmod 600 {file}; if somebody may have read it, remove it: the next `tomorrow up` makes another; if the "
            "mode does not change, this disk keeps no modes: set TOMORROW_HOME to a folder on another disk",
        )
    if not FORM.fullmatch(text):
        raise _refusal(file, "it holds something else", "remove it: the next `tomorrow up` makes another")
    return Keys(text)


def _write(file: Path, secret: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(secret)


def _refusal(file: Path, have: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"the secret {file}", have=have, need="64 hexadecimal digits that this user alone may read", remedy=remedy
    )
