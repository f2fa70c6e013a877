"""Runs that ended long ago: which are no longer needed, and which always will be.

A run is needed if its version made a forecast, was ever in Production, or stays for another reason; or if a run that
stays was started from it, proven by it or is a part of it. In the first two cases it is needed for ever: the weekly
cleaning marks these runs, and the runs that they need, and leaves marked runs out of later queries. So each cleaning
looks only at runs that have become old since, however long the product has been running.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.backtest.shared_networks import SHARED_RUN
from tasks.ledger.totals import Totals
from tasks.prices.fetch import SERIES, series_sources
from tasks.registry.mlflow_registry import quoted
from tasks.registry.registry import Registry
from tasks.registry.version import PROVEN_BY, STARTED_FROM_RUN, RegisteredVersion
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import FINGERPRINT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

OURS = "tags.`mlflow.source.name` = 'tomorrow'"
# Tag of a run that will always be needed.
LASTING = "x.clean.lasting"
PARENT = "mlflow.parentRunId"
REFERENCES = (STARTED_FROM_RUN, PROVEN_BY, SHARED_RUN, PARENT)
SNAPSHOT = "x.prices.snapshot"


class OldRuns:
    """Our runs that ended before a time, without those that are marked as lasting."""

    def __init__(self, tracking: Tracking, before: datetime) -> None:
        self._client, self._experiment = tracking.client, tracking.experiment_id()
        self._registry, self._totals = Registry(tracking), Totals(tracking.settings.ledger_uri)
        self._left_with: dict[str, bool] = {}
        ended = f"attributes.end_time < {int(before.timestamp() * 1000)}"
        found = self._search(f"{OURS} and {ended} and tags.`{LASTING}` IS NULL")
        self._tags = {run.info.run_id: dict(run.data.tags) for run in found}

    @cached_property
    def versions(self) -> tuple[RegisteredVersion, ...]:
        """The versions of these runs that nothing needs, by model and number."""
        free = (version for version in self._made if not self._is_named(version) and is_free(version))
        return tuple(sorted(free, key=lambda version: (version.model, version.version)))

    @cached_property
    def lasting(self) -> tuple[str, ...]:
        """Those of these runs that will always be needed, together with their versions."""
        passing = {version.run_id for version in self._made if not self._is_named(version)}
        return tuple(run_id for run_id in self._tags if run_id in self._always and run_id not in passing)

    @cached_property
    def expired(self) -> tuple[str, ...]:
        """The ids of the runs that nothing needs, in MLflow's order."""
        gone = {(version.model, version.version) for version in self.versions}
        staying = {version.run_id for version in self._made if (version.model, version.version) not in gone}
        needed = self._with_needed({*self._always, *staying})
        for run_id in self._tags:
            if run_id not in needed and self._is_needed_elsewhere(run_id):
                needed |= self._with_needed({run_id})
        return tuple(run_id for run_id in self._tags if run_id not in needed)

    def left_with(self, digits: str) -> bool:
        """Whether a run that stays has prices whose fingerprint begins with these digits."""
        if digits not in self._left_with:
            begins = [f"tags.`{tag}` LIKE '{digits}%'" for tag in (SNAPSHOT, FINGERPRINT)]
            wanted = (f"{OURS} and {where}" for where in (*begins, f"tags.`{SERIES}` LIKE '%{digits}%'"))
            self._left_with[digits] = any(self._stays(run) for which in wanted for run in self._search(which))
        return self._left_with[digits]

    def used_as_series(self, ticker: str) -> set[datetime]:
        """When forecasts were made by versions that take a security as another series."""
        return self._totals.moments(self._with_series.get(ticker, set()))

    @cached_property
    def _with_series(self) -> Mapping[str, set[str]]:
        """Ticker -> the runs, old or not, whose version takes it as another series."""
        found: dict[str, set[str]] = {}
        for run in self._search(f"{OURS} and tags.`{SERIES}` LIKE '%'"):
            for ticker in series_sources(run.data.tags):
                found.setdefault(ticker, set()).add(run.info.run_id)
        return found

    @cached_property
    def _made(self) -> tuple[RegisteredVersion, ...]:
        """The versions that were made from these runs."""
        return self._registry.of_runs(list(self._tags))

    @cached_property
    def _always(self) -> set[str]:
        """The runs of versions that forecast or were in Production, and the runs that those need."""
        named = {version.run_id for version in self._made if self._is_named(version)}
        return self._with_needed(self._totals.runs(self._tags.keys()) | named)

    @cached_property
    def _named(self) -> Mapping[str, set[int]]:
        """Model -> the versions that have forecast or were in Production."""
        return {
            model: {number for number in self._totals.by_version(model) if number is not None}
            | self._registry.once_in_production(model)
            for model in {version.model for version in self._made}
        }

    def _is_named(self, version: RegisteredVersion) -> bool:
        return version.version in self._named[version.model] or was_promoted(version)

    def _with_needed(self, roots: set[str]) -> set[str]:
        """These runs and, through all old runs, those that they were started from, proven by or are a part of."""
        needed, waiting = set(roots), list(roots)
        while waiting:
            tags = self._tags.get(waiting.pop(), {})
            others = {tags[tag] for tag in REFERENCES if tags.get(tag)} - needed
            needed |= others
            waiting += others
        return needed

    def _is_needed_elsewhere(self, run_id: str) -> bool:
        """Whether a run that is not old was started from it, proven by it or is a part of it."""
        wanted = (f"{OURS} and tags.`{tag}` = {quoted(run_id)}" for tag in REFERENCES)
        return any(run.info.run_id not in self._tags for which in wanted for run in self._search(which))

    def _stays(self, run: "Run") -> bool:
        return run.info.run_id not in self.expired

    def _search(self, wanted: str) -> "Iterator[Run]":
        token = None
        while True:
            page = self._client.search_runs([self._experiment], wanted, max_results=200, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def mark_lasting(tracking: Tracking, run_ids: tuple[str, ...]) -> None:
    """Mark runs that will always be needed; runs that were removed meanwhile are skipped."""
    from mlflow.exceptions import MlflowException

    for run_id in run_ids:
        try:
            tracking.client.set_tag(run_id, LASTING, "yes")
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"):
                raise


def run_ended(client: "MlflowClient", run_id: str) -> datetime | None:
    """When a run of ours ended; None for one that is not ours, is gone, or has not ended."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException:
        return None
    if run.data.tags.get("mlflow.source.name") != "tomorrow" or run.info.end_time is None:
        return None
    return datetime.fromtimestamp(run.info.end_time / 1000, UTC)


def is_free(version: RegisteredVersion) -> bool:
    """Whether a version is in no stage that keeps it, and was never promoted, by its tags.

    The tags tell it even where the history is in another ledger.
    """
    return version.stage not in ("Production", "Staging") and not was_promoted(version)


def was_promoted(version: RegisteredVersion) -> bool:
    """Whether the decision in a version's tags put it into Production."""
    return bool(version.decision and version.decision.promotes)
