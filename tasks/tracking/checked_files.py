"""Reads files from MLflow only if they are those that this program wrote.

They are copied into a private folder, compared with the digests in the ledger's database, and used from there. So
changes to MLflow's own files, before or meanwhile, are never executed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from model.errors import ConfigurationError, TomorrowError
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.settings import Settings
from tasks.system.disk_errors import storage_fault
from tasks.tracking.database import read_location

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Files that readers leave: Python's compiled code, and MLflow's note of the requested version.
LEFT_BY_READERS = ("__pycache__", "registered_model_meta")
# How many files an error names.
SHOWN = 3


def log_checked(client: "MlflowClient", settings: Settings, run_id: str, folder: Path, into: str = "") -> None:
    """Log a folder's files with a run, under `into`, so that they can be read again."""
    digests = digests_of(folder)
    KeptFiles(settings.ledger_uri).keep(
        f"runs:/{run_id}", {f"{into}/{path}" if into else path: digest for path, digest in digests.items()}
    )
    client.log_artifacts(run_id, str(folder), into or None)


def read_checked(client: "MlflowClient", settings: Settings, run_id: str, path: str, version: str) -> bytes:
    """The content of a run's file; ConfigurationError where it is gone, or differs from what was written here.

    version: the address of the version that the run made, `models:/META-Open/3`
    """
    from mlflow.exceptions import MlflowException

    named, model = _named(version)
    subject = f"{named}: the file {path} of its run {run_id}"
    known = KeptFiles(settings.ledger_uri).digests(f"runs:/{run_id}", path)
    if not known:
        raise _not_ours(subject, "it is not on record in this ledger: it was not written by this program here", model)
    if (there := _in_place(settings, f"runs:/{run_id}")) is not None:
        with suppress(OSError):
            # A pipe would be waited for.
            if (there / path).is_file() and sha256(content := (there / path).read_bytes()).hexdigest() in known:
                return content
    # MLflow finds it anywhere, or says what is wrong.
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        try:
            content = copy_of_run(client, settings, run_id, path, folder).read_bytes()
        except (MlflowException, OSError) as error:
            gone = _moved(subject, f"runs:/{run_id}", settings, model)
            damaged = gone or _damaged(subject, f"it cannot be read: {_first_line(error)}", model)
            raise _unread(error, damaged) from error
    if sha256(content).hexdigest() not in known:
        raise _damaged(subject, "it is not as it was written", model)
    return content


def copy_of_run(client: "MlflowClient", settings: Settings, run_id: str, path: str, folder: str) -> Path:
    """Copy a file or folder of a run into `folder`; the copy. MlflowException where it cannot be copied.

    `MlflowClient.download_artifacts` also looks for logged models of that name, and asks for the run three times.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.utils.uri import append_to_uri_path

    if (there := _in_place(settings, f"runs:/{run_id}")) is not None:
        with suppress(OSError):
            copy = Path(folder, path)
            if (there / path).is_file():
                return Path(shutil.copyfile(there / path, copy))
            return Path(shutil.copytree(there / path, copy, dirs_exist_ok=True))
    address = append_to_uri_path(client.get_run(run_id).info.artifact_uri, path)  # type: ignore[no-untyped-call]
    try:
        return Path(download_artifacts(artifact_uri=address, dst_path=folder, tracking_uri=client.tracking_uri))
    except MlflowException:
        raise
    except Exception as error:  # noqa: BLE001 - each kind of store has errors of its own
        raise MlflowException(f"Failed to download artifacts from path {path!r}: {error}") from None


def names_in_run(client: "MlflowClient", settings: Settings, run_id: str, path: str) -> set[str]:
    """The names of the files and folders in a folder of a run; none where there is no such folder."""
    if (there := _in_place(settings, f"runs:/{run_id}")) is not None:
        with suppress(OSError):
            return {each.name for each in (there / path).iterdir()}
    return {Path(file.path).name for file in client.list_artifacts(run_id, path)}


def is_kept(settings: Settings, run_id: str, path: str, content: bytes) -> bool:
    """Whether this program once wrote this content to this file of the run."""
    return sha256(content).hexdigest() in KeptFiles(settings.ledger_uri).digests(f"runs:/{run_id}", path)


def trained_as(settings: Settings, version: str, artefact: str) -> Trained:
    """The training of a registered version, by the ledger, not its tags; ConfigurationError where it was not done here.

    version, artefact: as for version_files
    """
    trained = KeptFiles(settings.ledger_uri).trained(version, artefact)
    if trained is None:
        raise _not_registered(version)
    return trained


@contextmanager
def version_files(settings: Settings, version: str, artefact: str) -> Iterator[Path]:
    """A private copy of a registered version's files, for the duration of the block.

    version:  its address, `models:/META-Open/3`
    artefact: the address of the logged model that it was made from, `models:/m-...`

    ConfigurationError where it was not registered here, or any file is missing, added or changed.
    """
    from mlflow.exceptions import MlflowException

    subject, model = _named(version)
    known = KeptFiles(settings.ledger_uri).version(version, artefact)
    if known is None:
        raise _not_registered(version)
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        try:
            stored = _copy(settings, artefact, Path(folder))
        except (MlflowException, OSError) as error:
            named = [path for path in known if path in str(error)]
            what = f"{', '.join(named[:SHOWN]) or 'its files'} cannot be read: {_first_line(error)}"
            gone = _moved(subject, artefact, settings, model)
            raise _unread(error, gone or _damaged(subject, what, model)) from error
        found = digests_of(stored)
        wrong = differences(known, found)
        if not found and (gone := _moved(subject, artefact, settings, model)):  # MLflow copies nothing without an error
            raise gone
        if wrong:
            more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise _damaged(subject, f"{', '.join(wrong[:SHOWN])}{more}", model)
        yield stored


def drop_left_by_readers(folder: Path) -> None:
    """Remove what readers left among a model's files, so that it is neither stored nor used."""
    for name in LEFT_BY_READERS:
        for left in list(folder.rglob(name)):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def digests_of(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file below a folder; an empty digest for what is not a regular file."""
    found = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if not file.is_dir()}
    return {path: sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for path, file in found.items()}


def differences(known: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is wrong with the files, each as a clause such as `x is missing`."""
    return [
        *(f"{path} is missing" for path in known if path not in found),
        *(f"{path} is not as it was written" for path in known if found.get(path, known[path]) != known[path]),
        *(f"{path} was added" for path in found if path not in known),
    ]


def _copy(settings: Settings, artefact: str, folder: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    if (there := _in_place(settings, artefact)) is not None:
        with suppress(OSError):
            copy = Path(shutil.copytree(there, folder / "copy", ignore=shutil.ignore_patterns(*LEFT_BY_READERS)))
            copy.chmod(0o700)
            return copy
        shutil.rmtree(folder / "copy", ignore_errors=True)  # else what was copied would count as added
    # MLflow finds them anywhere, or says what is wrong.
    stored = Path(download_artifacts(artifact_uri=artefact, dst_path=str(folder)))
    drop_left_by_readers(stored)
    return stored


def _in_place(settings: Settings, artefact: str) -> Path | None:
    """The folder on this machine with the files of a run or a logged model; None where only MLflow can find it."""
    location = read_location(settings, artefact)
    return None if location is None else _folder(location)


def _location(artefact: str) -> str:
    """The place of the files of a run or a logged model, by MLflow; empty where MLflow does not know it."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    kind, _, name = artefact.partition(":/")
    try:
        if kind == "runs":
            return str(MlflowClient().get_run(name).info.artifact_uri)
        return str(MlflowClient().get_logged_model(name).artifact_location)
    except MlflowException:
        return ""


def _moved(subject: str, artefact: str, settings: Settings, model: str) -> ConfigurationError | None:
    """The error where the artifacts' whole folder was moved, as with the state directory; None where it was not.

    MLflow stores absolute addresses, so it looks for files at their place before the move.
    """
    place, now = _folder(_location(artefact)), _folder(settings.artifact_place)
    if place is None or now is None or now.name not in place.parts:
        return None
    then = next(parent for parent in place.parents if parent.name == now.name)
    if place.exists() or (then.exists() and not (now / place.relative_to(then)).exists()):
        return None
    lead = f"mkdir -p {quote(str(then.parent))} && ln -s {quote(str(now))} {quote(str(then))}"
    copy = f"cp -a {quote(str(now))}/. {quote(str(then))}/"
    return ConfigurationError(
        subject,
        have=f"its files should lie in {place}, and do not: the state directory was moved or removed",
        need="the artifacts at the place where they were written, whose address MLflow keeps",
        remedy=f"move it back, or have the files there as well: {copy if then.exists() else lead}; or train {model} "
        "again: tomorrow train --again",
    )


def _folder(location: str) -> Path | None:
    """The folder of an address on this machine; None for any other address."""
    found = urlparse(location)
    return Path(unquote(found.path)) if found.scheme in ("", "file") and found.path else None


def _unread(error: Exception, damaged: TomorrowError) -> TomorrowError:
    """The error where files could not be copied: of the disk or server if that is the reason, else `damaged`."""
    gone = getattr(getattr(error, "response", None), "status_code", None) == 404
    return (None if gone else storage_fault(error)) or damaged


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _named(version: str) -> tuple[str, str]:
    """The name, for people, of the version at an address, and the name of its model."""
    model, _, number = version.removeprefix("models:/").rpartition("/")
    return f"{model} version {number}", model


def _damaged(subject: str, have: str, model: str) -> ConfigurationError:
    return ConfigurationError(
        subject,
        have=have,
        need="the files that this program wrote, by their digests in the ledger; nothing of it was used",
        remedy=f'restore them from a copy; or go back: tomorrow rollback {model} --reason "..."; or train again: '
        "tomorrow train --again",
    )


def _not_registered(version: str) -> ConfigurationError:
    subject, model = _named(version)
    have = "its files are not on record in this ledger: it was not registered by this program here"
    return _not_ours(subject, have, model)


def _not_ours(subject: str, have: str, model: str) -> ConfigurationError:
    return ConfigurationError(
        subject,
        have=have,
        need="a version that this program registered here; nothing of this one was used",
        remedy=f'go back: tomorrow rollback {model} --reason "..."; or train one here: tomorrow train --again; where '
        "another state directory registered it, name that one's ledger (ledger.uri, TOMORROW_LEDGER_URI)",
    )
