"""Checks of what a person typed, before anything starts: the model, the version, whether it waits for a decision.

MLflow's database is read without MLflow, which takes seconds to import. Where an MLflow server keeps the versions,
nothing is checked here; the flow finds such mistakes.
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
    """UsageError where there is no such version; with `waits` also where it does not wait for a decision."""
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
    """NothingInProduction where no version of a model is in Production; it names what waits and why."""
    found = read_registered(settings)
    if found is None or model in found.in_production:
        return
    if model not in found.decisions and not _is_on_record(settings, model):
        raise nothing_in_production(model, (), 0, ())
    Registry(open_tracking(settings)).production(model, at)


def check_rollback(settings: Settings, model: str, at: datetime) -> None:
    """NothingInProduction where there is nothing to roll back; for an unknown model it lists those that exist."""
    try:
        check_model(settings, model)
    except UsageError as unknown:
        raise NothingInProduction(
            unknown.subject, have=unknown.have, need=unknown.need, remedy=unknown.remedy
        ) from None
    check_production(settings, model, at)


def _is_on_record(settings: Settings, model: str) -> bool:
    """Whether the ledger has a model on record; if MLflow lacks it, the registry's error explains that."""
    return KeptFiles(settings.ledger_uri).highest(model) > 0
