"""Addresses of the runs in MLflow's pages, which show language models by default."""

from contextlib import suppress

from tasks.system import durations
from tasks.system.access.guard import page_link
from tasks.tracking.experiment import VIEW_KEY, VIEW_TAG

# Prefect's page asks for a "password" once, and keeps it in the browser.
PREFECT_HINT = "Its page asks for a password once. It is, up to the end of the line:"
HINT = 'If the pages show "GenAI", click "Model training" at the top left: the browser remembers it.'


def runs_page(address: str, experiment: str, key: str | None = None) -> str:
    """The page of the experiment's runs on the server at this address; the list of experiments if it has none yet.

    MLflow 3.17 shows its pages for models only if the address, or the switch at the top left, selects them. The address
    does so for one page: from the list of experiments, a click leads back to language models. The address also selects
    the experiment's view of its runs, with the columns that show the result.

    key: the server's key; None where it needs none
    """
    return f"{address}/#/{_fragment(address, experiment, key)}"


def runs_link(address: str, experiment: str, key: str, salt: str) -> str:
    """A link to the same page that lets a browser in: the server answers with a cookie, valid until the stack ends.

    The page is named after the `#`; the browser does not send that part, and keeps it when it is redirected.

    salt: of the stack
    """
    return f"{page_link(address, key, salt)}#/{_fragment(address, experiment, key)}"


def _fragment(address: str, experiment: str, key: str | None) -> str:
    import httpx

    page, view = "experiments", ""
    # trust_env=False: a proxy must not be used for this machine's servers.
    with suppress(httpx.HTTPError, ValueError, KeyError):
        question = f"{address}/api/2.0/mlflow/experiments/get-by-name"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(timeout=durations.ASK_PREFECT, trust_env=False, headers=headers) as client:
            answer = client.get(question, params={"experiment_name": experiment})
        found = answer.json()["experiment"]
        page = f"experiments/{found['experiment_id']}/runs"
        if any(tag["key"] == VIEW_TAG for tag in found.get("tags", ())):
            view = f"&viewStateShareKey={VIEW_KEY}"
    return f"{page}?workflowType=machine_learning{view}"
