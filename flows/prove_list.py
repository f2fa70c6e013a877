"""Prove a list: what the kept proofs of securities that share a network say of all of them together."""

from prefect import flow, runtime
from prefect.logging import get_run_logger

from flows.runs.clock import now
from flows.runs.final_state import completed
from flows.runs.story import start_run
from model.config import ForecasterConfig
from model.errors import TomorrowError
from tasks.prefect_tasks import connect_task, judge_list_task, record_list_task
from tasks.settings import read_settings
from tasks.settings.written_config import WrittenConfig
from tasks.training.list_proof import JudgedList, unjudged


def _run_name() -> str:
    given = runtime.flow_run.parameters
    return f"prove list of {len(given['versions']) + len(given['failed'])} securities"


@flow(name="prove list", flow_run_name=_run_name, persist_result=False)
def prove_list(
    versions: dict[str, int], failed: list[str], forecaster: WrittenConfig = ForecasterConfig()
) -> tuple[JudgedList, ...]:
    """Judge a list of securities by the mean of their scores, at each horizon. It opens no gate.

    A fault is the reason why there is no proof: the trainings before it stand.

    Args:
        versions: The version that was trained of each security, by its registered model.
        failed: The securities of the list that could not be trained: with one of them there is no proof.
        forecaster: What all of them were trained with: a preset with your changes, with the shared network's id.
    """
    start_run()
    securities, logger = len(versions) + len(failed), get_run_logger()
    try:
        if failed:
            some = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
            why = f"{len(failed)} of its {securities} securities could not be trained ({some})"
            judged = unjudged(securities, forecaster.horizon, why)
        else:
            tracking = connect_task(read_settings())
            judged = judge_list_task(tracking, versions, forecaster, now())
            record_list_task(tracking, forecaster, judged, now())
    except TomorrowError as error:
        logger.warning(f"The list is not judged: {error}")
        judged = unjudged(securities, forecaster.horizon, f"{error.subject}: {error.have}")
    for each in judged:
        logger.info(f"List, {each.named}: {each.claim}.")
    return completed(judged, f"List of {securities} securities: {judged[0].claim}")
