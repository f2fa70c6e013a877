"""What a person has mistyped, noticed before anything starts: a model, a version, one that waits for nobody.

MLflow's database is read without MLflow, which takes seconds to import. Where a server keeps the versions, nothing is
noticed here: the flow says it.
"""

from datetime import datetime

from model.errors import NothingInProduction, UsageError
from model.evaluation.decision import DecisionWord, waits_for_nobody
from tasks.ledger.kept_files import KeptFiles
from tasks.registry.errors import nothing_in_production, unknown_model, unknown_version
from tasks.registry.registry import Registry
from tasks.settings import Settings
from tasks.tracking.client import open_tracking
from tasks.tracking.database import read_registered


def check_model(settings: Settings, model: str) -> None:
    """UsageError where there is no model of that name."""
    found = read_registered(settings)
    if found is not None and model not in found.decisions and not _is_on_record(settings, model):
        raise unknown_model(model, list(found.decisions))


def check_version(settings: Settings, model: str, number: int, *, waits: bool = False) -> None:
    """UsageError where there is no such version; with `waits`, too, where it waits for nobody."""
    check_model(settings, model)
    found = read_registered(settings)
    if found is None or model not in found.decisions:
        return
    versions = found.decisions[model]
    if number not in versions:
        raise unknown_version(model, number, list(found.decisions), list(versions))
    decision = versions[number]
    if waits and decision != DecisionWord.WAITING:
        raise waits_for_nobody(f"{model} version {number}", decision)


def check_production(settings: Settings, model: str, at: datetime) -> None:
    """NothingInProduction, which names what waits and why, where no version of a model is in Production."""
    found = read_registered(settings)
    if found is None or model in found.in_production:
        return
    if model not in found.decisions and not _is_on_record(settings, model):
        raise nothing_in_production(model, (), 0, ())
    Registry(open_tracking(settings)).production(model, at)


def check_rollback(settings: Settings, model: str, at: datetime) -> None:
    """The same for a rollback; where there is no model of that name, the error names those that there are."""
    try:
        check_model(settings, model)
    except UsageError as unknown:
        raise NothingInProduction(
            unknown.subject, have=unknown.have, need=unknown.need, remedy=unknown.remedy
        ) from None
    check_production(settings, model, at)


def _is_on_record(settings: Settings, model: str) -> bool:
    """Whether the ledger has a model on record: where MLflow lacks it, it was deleted, as the registry explains."""
    return KeptFiles(settings.ledger_uri).highest(model) > 0
