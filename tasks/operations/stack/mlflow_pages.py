"""Where a person finds the runs in MLflow's pages, which open on language models unless told otherwise."""

from contextlib import suppress

from tasks.system import durations

HINT = 'If the pages show "GenAI", click "Model training" at the top left: the browser remembers it.'


def runs_page(address: str, experiment: str) -> str:
    """The page with the experiment's runs on the server at this address; while there is none, the list of experiments.

    MLflow 3.17 shows its pages for models only where the address or the switch at the top left says so. The address
    says it for one page: from the list of experiments a click leads back to language models.
    """
    import httpx

    page = "experiments"
    # A proxy is for the world outside, not for servers of this machine.
    with suppress(httpx.HTTPError, ValueError, KeyError):
        question = f"{address}/api/2.0/mlflow/experiments/get-by-name"
        with httpx.Client(timeout=durations.ASK_PREFECT, trust_env=False) as client:
            answer = client.get(question, params={"experiment_name": experiment})
        page = f"experiments/{answer.json()['experiment']['experiment_id']}/runs"
    return f"{address}/#/{page}?workflowType=machine_learning"
