"""What is in Production, looked at again and again: only models that have changed since the last look are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from model.errors import NothingInProduction, TomorrowError
from tasks.forecasts.overview import check_there
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.registry.manual_changes import ModelView
from tasks.registry.mlflow_registry import ModelState
from tasks.registry.registry import Registry
from tasks.registry.stage_history import StageChange
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.tracking.client import Tracking, open_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class InProduction:
    """A model's version in Production.

    arrived: the line of the history by which it came there; None where none is on record
    trained: its training, by the ledger; None where it was not registered here: then it is never loaded
    """

    version: RegisteredVersion
    arrived: StageChange | None
    trained: Trained | None


class ProductionLook:
    """Looks at every registered model. One thread uses it.

    faults: model -> why it could not be read at the last look; what was known of it before is kept
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tracking: Tracking | None = None
        self._known: dict[str, tuple[ModelState, InProduction | None]] = {}
        self.faults: dict[str, str] = {}

    @property
    def tracking(self) -> Tracking:
        """MLflow, opened at the first look; ConfigurationError where it does not answer."""
        if self._tracking is None:
            self._tracking = open_tracking(self._settings, rides_out=0)
        return self._tracking

    def look(self, at: datetime) -> Mapping[str, InProduction | None]:
        """Model -> its version in Production, or None; the errors of MLflow and the ledger are not caught.

        A database that is missing is not made: then there are no models yet. One that is gone is an error.
        """
        file = self._settings.tracking_uri.file
        if file is not None and not file.exists() and not self._known:
            return {}
        check_there(self._settings.tracking_uri, "MLflow's database")
        if self._known:
            check_there(self._settings.ledger_uri, "the ledger")
        registry = Registry(self.tracking)
        states = registry.states()
        # At the first look nothing is known; later the few that have changed are looked at one by one.
        views = {} if self._known else _views(registry, states)
        self._known = {model: kept for model, kept in self._known.items() if model in states}
        self.faults = {}
        for model, state in states.items():
            kept = self._known.get(model)
            if kept is not None and kept[0] == state:
                continue
            try:
                self._known[model] = (state, self._read(registry, model, views.get(model), at))
            except TomorrowError as error:
                self.faults[model] = f"{error.subject}: {error.have}"
        return {model: found for model, (_, found) in self._known.items()}

    def _read(self, registry: Registry, model: str, view: ModelView | None, at: datetime) -> InProduction | None:
        try:
            version = registry.production(model, at, view)
        except NothingInProduction:
            return None
        # Mostly its newest line; else a later decision is before that, or it was moved by hand just now.
        newest = view.newest if view is not None and view.agrees else ()
        arrived = _arrivals(line for line in newest if line.version == version.version)
        arrived = arrived or _arrivals(registry.history.of_versions(model, {version.version}))
        trained = KeptFiles(self._settings.ledger_uri).trained(version.model_uri, version.source)
        return InProduction(version=version, arrived=arrived[-1] if arrived else None, trained=trained)


def _views(registry: Registry, states: Mapping[str, ModelState]) -> Mapping[str, ModelView]:
    """All models at once; none where that fails, so that one that is damaged does not hide the others."""
    try:
        return registry.views(states)
    except TomorrowError:
        return {}


def _arrivals(lines: Iterable[StageChange]) -> list[StageChange]:
    """Those by which a version came into Production."""
    return [line for line in lines if line.after == "Production" != line.before]
