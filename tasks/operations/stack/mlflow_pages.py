"""Where a person finds the runs in MLflow's pages, which open on language models unless told otherwise."""

from contextlib import suppress

from tasks.system import durations
from tasks.system.access.guard import OPEN, link_token
from tasks.tracking.experiment import VIEW_KEY, VIEW_TAG

# Prefect's page asks for a "password" once, and keeps it in the browser.
PREFECT_HINT = "Its page asks for a password once. It is, up to the end of the line:"
HINT = 'If the pages show "GenAI", click "Model training" at the top left: the browser remembers it.'


def runs_page(address: str, experiment: str, key: str | None = None) -> str:
    """The page with the experiment's runs on the server at this address; while there is none, the list of experiments.

    MLflow 3.17 shows its pages for models only where the address or the switch at the top left says so. The address
    says it for one page: from the list of experiments a click leads back to language models. It names the experiment's
    view of its runs, too: with the columns that show the result.

    key: what the server asks for
    """
    return f"{address}/#/{_fragment(address, experiment, key)}"


def runs_link(address: str, experiment: str, key: str, salt: str) -> str:
    """The link to the same page that lets a browser in until the stack ends: the server answers it with a cookie.

    It leads to the page that stands behind the `#`, which a browser keeps for itself and takes along.

    salt: of the stack
    """
    return f"{address}{OPEN}?token={link_token(key, salt)}#/{_fragment(address, experiment, key)}"


def _fragment(address: str, experiment: str, key: str | None) -> str:
    import httpx

    page, view = "experiments", ""
    # A proxy is for the world outside, not for servers of this machine.
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
