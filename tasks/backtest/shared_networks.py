"""Shared networks as they are kept: an MLflow run each, with a folder for each fit.

A fit that is kept stays as it is, also where prices are restated later: with another draw of the weights every forecast
of a proof would be another one. It is used only if its files are on record in the ledger.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from model.artifact.market_state import StateBranch
from model.config import ForecasterConfig
from model.errors import ConfigurationError
from model.forecaster.forecaster import LossCourse
from model.training.fit_shared import SharedFit, shared_configuration
from tasks.ledger.kept_files import KeptFiles
from tasks.tracking.checked_files import copy_of_run, is_kept, log_checked, names_in_run
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import code_digest, code_version, digest, library_versions
from tasks.tracking.run import start_run

if TYPE_CHECKING:
    from mlflow.entities import Run

COMPUTED_BY = "model.training.fit_shared"
# Tags of its run: the network's id, and the digest of its configuration.
KEY, CONFIGURATION = "x.shared.key", "x.shared.configuration"
# Tag of its run: what it was asked for last, when nothing was missing.
COMPLETE = "x.shared.complete"
# Tag of what was made with a fit: the run that keeps it.
SHARED_RUN = "x.shared.run"
FOLDER, FIT_FILE, WEIGHTS_FILE = "shared", "fit.json", "weights.npz"
DIGITS = 12

logger = logging.getLogger(__name__)

# What this process has read, by the store, the network's id and the fit's folder: a fit that is kept never changes.
_read: dict[tuple[str, str, str], SharedFit] = {}


class NoSharedFit(ConfigurationError):
    """There is no shared network that may be used."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptFit:
    """A fit of a shared network, and the MLflow run that keeps it."""

    network: str
    fit: SharedFit
    run_id: str

    def tags(self) -> dict[str, str]:
        """The tags by which the runs and the version name it that were made with it."""
        return {"shared": f"{self.network}, fitted on sessions before {self.fit.before}", SHARED_RUN: self.run_id}


def network_id(config: ForecasterConfig, tickers: Iterable[str]) -> str:
    """The id of the shared network of a configuration that is fitted on these securities."""
    # Begins with a letter: YAML would read some digests as numbers.
    return f"n{digest([_described(config), sorted(tickers)])[: DIGITS - 1]}"


def with_network(tracking: Tracking, config: ForecasterConfig) -> ForecasterConfig:
    """The configuration with the id of its shared network: the one made last. It is unchanged where it has none.

    NoSharedFit where no shared network of this configuration was made here.
    """
    if config.training.shared == "own" or config.training.shared_network is not None:
        return config
    for run in _runs(tracking, CONFIGURATION, digest(_described(config))):
        found = named_network(config, run.data.tags.get(KEY, ""))
        if _is_ours(tracking, run, found):
            return found
    raise _none("a shared network", "none was fitted with this configuration")


def named_network(config: ForecasterConfig, named: str) -> ForecasterConfig:
    """The configuration with the id of its shared network."""
    return config.model_copy(update={"training": config.training.model_copy(update={"shared_network": named})})


def missing_fits(tracking: Tracking, config: ForecasterConfig, before: Iterable[date]) -> tuple[date, ...]:
    """Those of these days before which the configuration's network has no fit that can be used, oldest first."""
    named, run = str(config.training.shared_network), _run(tracking, config)
    kept = [] if run is None else _fits(tracking, run)
    return tuple(
        day for day in sorted(set(before)) if run is None or day not in kept or _fit(tracking, run, named, day) is None
    )


def is_complete(tracking: Tracking, config: ForecasterConfig, asked: str) -> bool:
    """Whether nothing is missing of what this asks for: `mark_complete` noted it last, and all of it is still there."""
    run = _run(tracking, config)
    noted, _, days = ("" if run is None else run.data.tags.get(COMPLETE, "")).partition(": ")
    with suppress(ValueError):
        return noted == asked and not missing_fits(tracking, config, map(date.fromisoformat, days.split()))
    return False


def mark_complete(tracking: Tracking, config: ForecasterConfig, asked: str, before: Iterable[date]) -> None:
    """Note that there is all of what this asks for, so that the prices need not be fetched for the same again.

    before: the days before which there is a fit for it
    """
    run = _run(tracking, config)
    if run is not None:
        tracking.client.set_tag(run.info.run_id, COMPLETE, f"{asked}: {' '.join(map(str, sorted(before)))}")


def shared_fit(tracking: Tracking, config: ForecasterConfig, last: date) -> KeptFit | None:
    """The fit of the configuration's network that may forecast after a session; None where it has no such network.

    It is the newest that knows no session of that day. NoSharedFit where there is none.
    """
    if config.training.shared == "own":
        return None
    named, run = config.training.shared_network, _run(tracking, config)
    subject = f"the shared network {named}"
    if run is None:
        raise _none(subject, "this ledger knows of none with that id and this configuration")
    for before in sorted((day for day in _fits(tracking, run) if day <= last), reverse=True):
        fit = _fit(tracking, run, str(named), before)
        if fit is not None:
            return KeptFit(network=str(named), fit=fit, run_id=str(run.info.run_id))
    raise _none(subject, f"it has no fit by this version of the code that knows only sessions before {last}")


def named_run(tracking: Tracking, config: ForecasterConfig) -> dict[str, str]:
    """The tag that names the run of the configuration's network; empty where there is none."""
    run = None if config.training.shared == "own" else _run(tracking, config)
    return {} if run is None else {SHARED_RUN: str(run.info.run_id)}


def keep_fit(
    tracking: Tracking, config: ForecasterConfig, fit: SharedFit, securities: Sequence[tuple[str, str]]
) -> str:
    """Keep a fit of the configuration's network; returns its run. ConfigurationError where it was another one before.

    securities: ticker and fingerprint of the prices that it was fitted on
    """
    named, run = str(config.training.shared_network), _run(tracking, config)
    _check_first_draw(tracking, named, fit)
    run_id = _begin(tracking, config, named, len(securities)) if run is None else str(run.info.run_id)
    with TemporaryDirectory(prefix="tomorrow-") as folder:
        arrays = {f"{m}/{k}": array for m, member in enumerate(fit.weights) for k, array in enumerate(member)}
        np.savez(Path(folder, WEIGHTS_FILE), **arrays)  # type: ignore[arg-type] # NumPy's types take the names for its options
        written = {
            "before": str(fit.before),
            "branch": asdict(fit.branch),
            "courses": [asdict(course) for course in fit.courses],
            "windows": fit.windows,
            "securities": dict(securities),
            "code": code_version(),
            "libraries": library_versions(),
        }
        Path(folder, FIT_FILE).write_text(json.dumps(written, indent=2), encoding="utf-8")
        log_checked(tracking.client, tracking.settings, run_id, Path(folder), f"{FOLDER}/{_folder(fit.before)}")
    return run_id


def _check_first_draw(tracking: Tracking, named: str, fit: SharedFit) -> None:
    """Note in the ledger which weights the fit has; ConfigurationError where it had others before.

    Whoever could delete a network and have it fitted on other prices could do so until its proof is lucky.
    """
    kept, owner, name = KeptFiles(tracking.settings.ledger_uri), f"shared:/{named}", _folder(fit.before)
    content = sha256(json.dumps(asdict(fit.branch)).encode())
    content.update(b"".join(array.tobytes() for member in fit.weights for array in member))
    if not kept.digests(owner, name):
        kept.keep(owner, {name: content.hexdigest()})
    if content.hexdigest() not in kept.digests(owner, name):
        raise ConfigurationError(
            f"the shared network {named}, fitted on sessions before {fit.before}",
            have="it is gone or damaged, and these prices give another one: proofs were made with the first",
            need="the prices that it was first fitted on",
            remedy="restore MLflow's files or those prices, or train with another list, which is a network of its own",
        )


def _described(config: ForecasterConfig) -> object:
    return shared_configuration(config).model_dump(mode="json")


def _folder(before: date) -> str:
    """The name of a fit: the day, and a digest of the code that has made it and can use it."""
    return f"{before}-{code_digest(COMPUTED_BY)[:DIGITS]}"


def _run(tracking: Tracking, config: ForecasterConfig) -> "Run | None":
    """The run of the configuration's network; None where there is none of this ledger's."""
    named = str(config.training.shared_network)
    for run in _runs(tracking, KEY, named):
        if _is_ours(tracking, run, config):
            return run
    return None


def _runs(tracking: Tracking, tag: str, text: str) -> "Sequence[Run]":
    return list(tracking.client.search_runs([tracking.experiment_id()], f"tags.`{tag}` = '{text}'"))


def _is_ours(tracking: Tracking, run: "Run", config: ForecasterConfig) -> bool:
    """Whether the run was made here for this network and configuration, by the ledger; anybody may tag one."""
    return _record(config) in KeptFiles(tracking.settings.ledger_uri).digests(f"runs:/{run.info.run_id}", KEY)


def _record(config: ForecasterConfig) -> str:
    """What the ledger keeps of a network's run."""
    return digest([config.training.shared_network, _described(config)])


def _begin(tracking: Tracking, config: ForecasterConfig, named: str, securities: int) -> str:
    name = f"shared network {named} {config.column} of {securities} securities"
    tags = {
        "mlflow.source.name": "tomorrow",
        "kind": "shared network",
        "column": config.column,
        KEY: named,
        CONFIGURATION: digest(_described(config)),
        "x.code_version": code_version(),
    }
    with start_run(tracking.client, tracking.experiment_id(), name, tags) as run:
        run.log_params({"forecaster": shared_configuration(config).model_dump(mode="json"), "securities": securities})
        KeptFiles(tracking.settings.ledger_uri).keep(f"runs:/{run.run_id}", {KEY: _record(config)})
        return run.run_id


def _fits(tracking: Tracking, run: "Run") -> list[date]:
    """The days before which this version of the code has fitted it."""
    found = []
    for name in names_in_run(tracking.client, tracking.settings, run.info.run_id, FOLDER):
        with suppress(ValueError):
            day = date.fromisoformat(name[: len("2026-01-01")])
            if name == _folder(day):
                found.append(day)
    return found


def _fit(tracking: Tracking, run: "Run", named: str, before: date) -> SharedFit | None:
    """A fit that is kept; None where it is gone, or was changed."""
    from mlflow.exceptions import MlflowException

    path = f"{FOLDER}/{_folder(before)}"
    key = tracking.settings.tracking_uri.secret, named, path
    if key not in _read:
        try:
            with TemporaryDirectory(prefix="tomorrow-") as folder:
                place = copy_of_run(tracking.client, tracking.settings, run.info.run_id, path, folder)
                for file in (FIT_FILE, WEIGHTS_FILE):
                    content = (place / file).read_bytes()
                    if not is_kept(tracking.settings, run.info.run_id, f"{path}/{file}", content):
                        logger.warning("%s of the shared network %s was changed, and is not used", path, named)
                        return None
                _read[key] = _loaded(place)
        except (MlflowException, OSError) as error:
            logger.warning("%s of the shared network %s cannot be read: %s", path, named, error)
            return None
    return _read[key]


def _loaded(place: Path) -> SharedFit:
    raw = json.loads((place / FIT_FILE).read_text(encoding="utf-8"))
    with np.load(place / WEIGHTS_FILE, allow_pickle=False) as stored:
        members = [
            tuple(stored[f"{m}/{k}"] for k in range(sum(key.startswith(f"{m}/") for key in stored.files)))
            for m in range(len(raw["courses"]))
        ]
    return SharedFit(
        before=date.fromisoformat(raw["before"]),
        branch=StateBranch(
            constant=raw["branch"]["constant"],
            **{name: tuple(raw["branch"][name]) for name in ("weights", "means", "deviations")},
        ),
        weights=tuple(members),
        courses=tuple(
            LossCourse(training=tuple(each["training"]), held_back=tuple(each["held_back"]), kept=each["kept"])
            for each in raw["courses"]
        ),
        windows=raw["windows"],
    )


def _none(subject: str, have: str) -> NoSharedFit:
    return NoSharedFit(
        subject,
        have=have,
        need="one that was fitted on many securities",
        remedy="fit it: tomorrow train --shared, with the tickers of all of them, and the same configuration",
    )
