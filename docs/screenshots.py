"""Remake the documentation's pictures: the main job on the sample market, then its pages in a real browser.

make screenshots            # needs Chromium: /usr/bin/chromium, or the program that CHROMIUM names
python -m docs.screenshots board        # only those of the board, whose figures are made up
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tasks.settings import Settings
from tasks.system.access.secret import Keys, state_keys
from tests.servers import free_port
from tests.tasks.serving.pages.given import made_board, served_pages, write_ledger

PICTURES = Path(__file__).parent / "pictures"
LARGEST = 200 * 1024
TRAINING = "workflowType=machine_learning"  # MLflow's pages for models, not those for language models
BROWSER = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def main() -> None:
    """Take the pictures of the board; then run the main job against both servers, and take those of what each shows."""
    PICTURES.mkdir(exist_ok=True)
    photograph_board()
    if sys.argv[1:] == ["board"]:
        return
    with tempfile.TemporaryDirectory(prefix="tomorrow-pictures-") as folder:
        mlflow, prefect = free_port(), free_port()
        keys = state_keys(Settings(home=Path(folder, "var")))
        addresses = (f"http://127.0.0.1:{mlflow}", f"http://127.0.0.1:{prefect}")
        home = {"TOMORROW_HOME": f"{folder}/var"}
        servers = {"MLFLOW_TRACKING_URI": addresses[0], "PREFECT_API_URL": f"{addresses[1]}/api"}
        with both_servers(os.environ | home, mlflow, prefect):
            subprocess.run([sys.executable, "-m", "flows.cli.demo"], env=os.environ | home | servers, check=True)
            photograph(*addresses, opening_link(os.environ | home), keys)


@contextmanager
def both_servers(environment: dict[str, str], mlflow: int, prefect: int) -> Iterator[None]:
    """`tomorrow up`, with the deployments, until the block is left."""
    ports = ["--mlflow-port", str(mlflow), "--prefect-port", str(prefect), "--serving-port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "up", "--source", "sample", *ports],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as stack:
        try:
            said = iter(stack.stderr or ())
            if not any("the stack is up" in line for line in said):
                raise SystemExit("the servers did not come up")
            yield
        finally:
            stack.send_signal(signal.SIGINT)
            stack.communicate()


def opening_link(environment: dict[str, str]) -> str:
    """The link to MLflow's pages, as a person asks for it."""
    asked = [sys.executable, "-m", "flows.cli.main", "status", "--links"]
    said = subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout
    return next(word for word in said.split() if "/open?token=" in word)


def photograph(mlflow: str, prefect: str, link: str, keys: Keys) -> None:
    """Take every picture."""
    with sync_playwright() as playwright:
        program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)  # MLflow's first list of runs can take most of a minute
        photograph_mlflow(page, mlflow, link)
        photograph_prefect(page, prefect, keys)
        browser.close()


def photograph_board() -> None:
    """The board and a model's page: of made-up models, since a first day has one forecast alone."""
    with tempfile.TemporaryDirectory(prefix="tomorrow-pictures-") as folder, sync_playwright() as playwright:
        program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        row = write_ledger(Settings(home=Path(folder)))
        with served_pages(Path(folder), made_board(8)) as pages:
            pages.replace(row)
            page.goto(pages.link)
            take(page, "board")
            page.set_viewport_size({"width": 1000, "height": 1090})
            page.goto(f"{pages.address}/models/{row.model}")
            page.locator("#chart-fan .plot-container").wait_for()
            take(page, "model")
        browser.close()


def photograph_mlflow(page: Page, mlflow: str, link: str) -> None:
    """The list of runs, a run with its forecasts, and the registered model."""
    page.goto(link)
    # Ids are counted from 1 in a new database, and 0 is MLflow's own experiment.
    page.goto(f"{mlflow}/#/experiments/1/runs?{TRAINING}&viewStateShareKey=tomorrow")
    run = page.get_by_text("SAMPLE Open anchored").first
    run.wait_for()
    close_assistant(page)
    take(page, "mlflow-runs")
    run.click()
    page.get_by_role("tab", name="Artifacts").wait_for()
    page.goto(f"{page.url.partition('?')[0]}?{TRAINING}")
    close_assistant(page)
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("figures").first.click()
    page.get_by_text("forecast.png").first.click()
    take(page, "mlflow-run")
    page.goto(f"{mlflow}/#/models/SAMPLE-Open?{TRAINING}")
    close_assistant(page)
    take(page, "mlflow-model")


def photograph_prefect(page: Page, prefect: str, keys: Keys) -> None:
    """The page that opens first, the flow runs, and the form of a training."""
    page.set_viewport_size({"width": 1280, "height": 960})  # so that both runs are seen
    page.goto(prefect)
    page.get_by_placeholder("admin:pass").fill(keys.prefect)
    page.keyboard.press("Enter")
    page.get_by_text("Work Pools").first.wait_for()
    page.goto(f"{prefect}/dashboard")
    take(page, "prefect-dashboard")
    page.goto(f"{prefect}/runs")
    page.wait_for_timeout(6000)
    take(page, "prefect-runs")
    page.goto(f"{prefect}/deployments")
    page.get_by_role("link", name="train", exact=True).last.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_text(re.compile(r"^Preset\b")).first.scroll_into_view_if_needed()
    take(page, "prefect-form")


def close_assistant(page: Page) -> None:
    """Close the panel that MLflow opens for its assistant, which hides a third of the page."""
    page.get_by_text("MLflow Assistant").wait_for()
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.mouse.click(width - 36, 36)


def take(page: Page, name: str) -> None:
    """Save what the page shows once it is at rest."""
    page.wait_for_timeout(5000)  # the pages poll, so there is no moment without requests to wait for
    file = PICTURES / f"{name}.png"
    page.screenshot(path=file)
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} has {file.stat().st_size} bytes, and may have {LARGEST}")


if __name__ == "__main__":
    main()
