"""What others can do to a running stack: a page in the operator's own browser, and another user of the machine.

Both try what once worked: to list, to create, to read, and to have the worker run a command of theirs.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.running_stack import Running, run, running_stack, wait_until
from tests.servers import asked

pytestmark = pytest.mark.servers

NOBODY = 65534
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
BROWSER = ("--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP evil.example 127.0.0.1")
is_root = hasattr(os, "geteuid") and os.geteuid() == 0
# Not this Python, which may lie in root's own folder.
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
becomes_others = is_root and shutil.which("setpriv") is not None and PYTHON is not None
needs_root = pytest.mark.skipif(not becomes_others, reason="only root becomes another user")
needs_browser = pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="no Chromium here: CHROMIUM names none")

# The folder that Prefect's worker would use belongs to another user, and root has no right to pass over that.
OTHERS_FOLDER = (
    'mkdir -p /tmp/runner_storage && mount --bind "$0" /tmp/runner_storage && '
    'exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"'
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Running]:
    """A stack under a umask that hides nothing, on a machine whose temporary folder another user was in first."""
    within: tuple[str, ...] = ()
    # Not in every container may root mount anything.
    if becomes_others and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0:
        theirs = folder / "theirs"
        theirs.mkdir(mode=0o700)
        os.chown(theirs, NOBODY, NOBODY)
        within = ("unshare", "--mount", "--propagation", "private", "sh", "-c", OTHERS_FOLDER, str(theirs))
    with running_stack(folder, umask=0, within=within) as running:
        yield running


@pytest.fixture
def untouched(stack: Running) -> Iterator[None]:
    """Nothing of what there is has changed at the end of the test."""
    before = contents(stack)
    yield
    assert contents(stack) == before


def contents(stack: Running) -> dict[str, Any]:
    """What a stranger would list, or add to."""
    with httpx.Client(base_url=stack.mlflow_address, headers={"Authorization": f"Bearer {stack.keys.mlflow}"}) as ask:
        experiments = ask.get("/api/2.0/mlflow/experiments/search?max_results=100").json()
        models = ask.get("/api/2.0/mlflow/registered-models/search").json()
    made_by_hand = {"flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}}}
    return {
        "experiments": experiments,
        "models": models,
        "runs": sorted(found["id"] for found in stack.ask("flow_runs/filter", made_by_hand)),
        "flows": sorted(found["id"] for found in stack.ask("flows/filter", {})),
    }


def attacks(stack: Running, marker: Path) -> list[tuple[str, str, str, object]]:
    """A name, a method, an address and a body for each attempt."""
    prefect, mlflow = stack.api.address, f"{stack.mlflow_address}/api/2.0/mlflow"
    deployment = stack.api.deployments()["promote"]["id"]
    command = {"job_variables": {"command": f"touch {marker}"}, "parameters": {"model": "A", "version": 1}}
    version = {"name": "META-Open", "source": str(marker.parent)}
    return [
        ("list runs", "POST", f"{prefect}/flow_runs/filter", {}),
        ("list deployments", "POST", f"{prefect}/deployments/filter", {}),
        ("read the settings", "GET", f"{prefect}/admin/settings", None),
        ("run a command", "POST", f"{prefect}/deployments/{deployment}/create_flow_run", command),
        ("make a flow", "POST", f"{prefect}/flows/", {"name": "evil"}),
        ("remove everything", "POST", f"{prefect}/admin/database/clear", {"confirm": True}),
        ("list experiments", "GET", f"{mlflow}/experiments/search?max_results=9", None),
        ("the same, as the pages do", "GET", f"{stack.mlflow_address}/ajax-api/2.0/mlflow/experiments/search", None),
        ("make an experiment", "POST", f"{mlflow}/experiments/create", {"name": "evil"}),
        ("make a model", "POST", f"{mlflow}/registered-models/create", {"name": "META-Open"}),
        ("make a version", "POST", f"{mlflow}/model-versions/create", version),
        ("move the alias", "POST", f"{mlflow}/registered-models/alias", {"name": "META-Open", "alias": "production"}),
        ("read the page", "GET", f"{stack.mlflow_address}/", None),
    ]


# As another user: with nothing but what every system's Python brings.
STRANGER = """
import json, os, sys, urllib.error, urllib.request

task, found = json.load(sys.stdin), {}
for name, method, address, body in task["attacks"]:
    for kind in ("application/json", "text/plain"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data=data, method=method, headers={"Content-Type": kind})
        try:
            found[f"{name}, {kind}"] = urllib.request.urlopen(request, timeout=60).status
        except urllib.error.HTTPError as error:
            found[f"{name}, {kind}"] = error.code
for file in task["files"]:
    try:
        found[file] = len(os.listdir(file) if os.path.isdir(file) else open(file, "rb").read(1))
    except PermissionError:
        found[file] = "denied"
print(json.dumps(found))
"""


@needs_root
@pytest.mark.usefixtures("untouched")
def test_another_user_lists_creates_and_reads_nothing(stack: Running, folder: Path) -> None:
    marker = folder / "ran"
    (folder / "open").write_text("x")
    (folder / "open").chmod(0o644)
    files = [stack.home, *stack.home.rglob("*"), *(f"/proc/{part.pid}/environ" for part in stack.state.parts)]
    tried = attacks(stack, marker)
    task = {"attacks": tried, "files": [str(file) for file in (folder / "open", *files)]}
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", str(PYTHON), "-I", "-c"]
    done = subprocess.run(
        [*words, STRANGER], input=json.dumps(task), cwd="/", capture_output=True, text=True, timeout=300, check=True
    )
    found = json.loads(done.stdout)
    assert found.pop(str(folder / "open")) == 1, "what is open to others can be read"
    assert len(found) == 2 * len(tried) + len(files)
    assert {name: said for name, said in found.items() if said not in (401, "denied")} == {}
    assert not marker.exists()


PAGE = """<!doctype html><title>evil</title><body><script>
const attempt = async (address, options) => {
  try {
    const answer = await fetch(address, {credentials: "include", ...options});
    return answer.type === "opaque" ? "sent" : answer.status + " " + (await answer.text());
  } catch (error) { return "blocked"; }
};
const form = (address, body) => new Promise(done => {
  const frame = Object.assign(document.createElement("iframe"), {name: "f" + Math.random()});
  const sent = Object.assign(document.createElement("form"), {method: "POST", action: address, target: frame.name});
  sent.enctype = "text/plain";
  sent.append(Object.assign(document.createElement("input"), {name: body.slice(0, -1) + ', "x": "', value: '"}'}));
  document.body.append(frame, sent);
  frame.onload = () => { let read = "sent"; try { read = frame.contentDocument.body.innerText || read; } catch {}
    done(read); };
  sent.submit();
});
const socket = address => new Promise(done => {
  const opened = new WebSocket(address, ["prefect"]);
  opened.onopen = () => done("opened");
  opened.onerror = () => done("blocked");
});
const framed = address => new Promise(done => {
  const frame = Object.assign(document.createElement("iframe"), {src: address});
  frame.onload = () => { try { done(frame.contentDocument.body.innerText || "blocked"); } catch { done("blocked"); } };
  document.body.append(frame);
});
</script></body>"""


class EvilPage(BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_: object) -> None:
        pass


@needs_browser
@pytest.mark.usefixtures("untouched")
def test_a_page_of_another_origin_lists_creates_and_reads_nothing(stack: Running, tmp_path: Path) -> None:
    """The browser is the operator's, who has opened the pages of both servers in it."""
    from playwright.sync_api import sync_playwright

    marker = tmp_path / "ran"
    link = next(line for line in run(stack.home, "status", "--links").stdout.split() if "/open?token=" in line)
    with ThreadingHTTPServer(("127.0.0.1", 0), EvilPage) as evil, sync_playwright() as playwright:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER))
        page = browser.new_page()
        page.goto(link)
        page.get_by_text("Experiments").first.wait_for()
        page.goto(f"http://127.0.0.1:{stack.prefect}/")
        page.get_by_placeholder("admin:pass").fill(stack.keys.prefect)
        page.keyboard.press("Enter")
        page.get_by_text("Work Pools").first.wait_for()
        own = page.evaluate(
            f"fetch('{stack.mlflow_address}/ajax-api/2.0/mlflow/experiments/search?max_results=9', "
            "{credentials: 'include'}).then(r => 'read', e => 'blocked')"
        )
        assert own == "blocked", "Prefect's pages are of another origin than MLflow's"
        page.goto(f"{stack.mlflow_address}/")
        page.get_by_text("Experiments").first.wait_for()
        own = page.evaluate("fetch('/ajax-api/2.0/mlflow/experiments/search?max_results=9').then(r => r.status)")
        assert own == 200, "the cookie lets MLflow's own pages in"
        seen = {}
        for host in ("127.0.0.1", "evil.example"):
            # The same host on another port is the same site: the cookie goes along.
            page.goto(f"http://{host}:{evil.server_port}/")
            for name, method, address, body in attacks(stack, marker):
                text = json.dumps(body)
                plain = {"method": method} | ({} if body is None else {"body": text})
                typed = plain if body is None else {**plain, "headers": {"Content-Type": "application/json"}}
                for kind, options in (("plain", plain), ("typed", typed), ("blind", {**plain, "mode": "no-cors"})):
                    said = page.evaluate("([a, o]) => attempt(a, o)", [address, options])
                    seen[f"{host}: {name}, {kind}"] = said
                if body is not None:
                    seen[f"{host}: {name}, form"] = page.evaluate("([a, b]) => form(a, b)", [address, text])
            for place in ("events/out", "logs/out", "events/in"):
                address = f"{stack.api.address.replace('http', 'ws')}/{place}"
                seen[f"{host}: {place}"] = page.evaluate("a => socket(a)", address)
            seen[f"{host}: framed"] = page.evaluate("a => framed(a)", f"{stack.mlflow_address}/")
        # A name of somebody else that has come to mean this machine.
        for port in (stack.mlflow, stack.prefect):
            answer = page.goto(f"http://evil.example:{port}/")
            assert answer is not None
            assert answer.status == 403
        browser.close()
        evil.shutdown()
    assert {name: said for name, said in seen.items() if said not in ("blocked", "sent")} == {}
    assert not marker.exists()


# Chromium has services of its own, at its maker's hosts. They are off, as far as it lets itself be told.
QUIET_BROWSER = (
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync"),
    *("--disable-features=AutofillServerCommunication,OptimizationHints,MediaRouter", "--no-first-run"),
)
ITS_MAKERS = (".google.com", ".googleapis.com", ".gvt1.com")
OF_MODELS = "?workflowType=machine_learning"
MLFLOW_PAGES = {
    f"experiments{OF_MODELS}": "Experiments",
    f"experiments/0/runs{OF_MODELS}": "Runs",
    f"experiments/0/models{OF_MODELS}": "Models",
    "experiments/0/traces": "Traces",
    f"models{OF_MODELS}": "Registered Models",
    "prompts": "Prompts",
    "settings": "Settings",
    "": "Welcome to MLflow",
}
PREFECT_PAGES = {
    "dashboard": "Dashboard",
    "runs": "Runs",
    "flows": "Flows",
    "deployments": "Deployments",
    "work-pools": "local-pool",
    "blocks/catalog": "AWS Secret",
    "variables": "Variables",
    "automations": "Automations",
    "events": "Event Feed",
    "concurrency-limits": "Concurrency",
    "artifacts": "Artifacts",
    "settings": "Settings",
}


class Outside(BaseHTTPRequestHandler):
    """A proxy, which a browser asks for whatever is not on this machine: it notes the host, and gives nothing."""

    hosts: set[str]

    def note(self) -> None:
        self.hosts.add(urlsplit(self.path if "//" in self.path else f"//{self.path}").hostname or self.path)
        self.send_response(502)
        self.end_headers()

    do_GET = do_POST = do_CONNECT = note  # noqa: N815 - as http.server wants them

    def log_message(self, *_: object) -> None:
        pass


@needs_browser
def test_a_browser_asks_no_other_host_on_a_tour_of_both_pages(stack: Running) -> None:
    """Without the guard's header it asks two hosts for Prefect's pictures, and one that gathers its statistics."""
    from playwright.sync_api import sync_playwright

    link = next(line for line in run(stack.home, "status", "--links").stdout.split() if "/open?token=" in line)
    asked, by_pages = set[str](), set[str]()

    def asked_of_others() -> set[str]:
        """The hosts that were asked, without those of its maker that no page named."""
        return {host for host in asked if host in by_pages or not host.endswith(ITS_MAKERS)}

    outside = ThreadingHTTPServer(("127.0.0.1", 0), type("Recorder", (Outside,), {"hosts": asked}))
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), EvilPage)
    with outside, elsewhere, sync_playwright() as playwright:
        for server in (outside, elsewhere):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = f"--proxy-server=http://127.0.0.1:{outside.server_port}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*BROWSER, *QUIET_BROWSER, proxy])
        page = browser.new_page()
        page.on("request", lambda request: by_pages.add(urlsplit(request.url).hostname or ""))
        page.goto(f"http://127.0.0.1:{elsewhere.server_port}/")
        others = {"statistics.example", "pictures.example", "fonts.googleapis.com"}
        for host in others:
            page.evaluate("a => attempt(a, {mode: 'no-cors'})", f"https://{host}/")
        assert asked_of_others() == others, "what a page asks for is recorded"
        asked.clear()
        by_pages.clear()
        page.goto(link)
        for place, shown in MLFLOW_PAGES.items():
            page.goto(f"{stack.mlflow_address}/#/{place}")
            page.get_by_text(shown).first.wait_for()
            page.wait_for_timeout(500)  # the pages poll: there is no moment without requests to wait for
        page.goto(f"http://127.0.0.1:{stack.prefect}/")
        page.get_by_placeholder("admin:pass").fill(stack.keys.prefect)
        page.keyboard.press("Enter")
        page.get_by_text("Work Pools").first.wait_for()
        deployment = f"deployments/deployment/{stack.api.deployments()['train']['id']}"
        places = {**PREFECT_PAGES, deployment: "train", f"{deployment}/run": "Parameters"}
        for place, shown in places.items():
            page.goto(f"http://127.0.0.1:{stack.prefect}/v2/{place}")
            page.get_by_text(shown).first.wait_for()
            page.wait_for_timeout(500)
        browser.close()
        for server in (outside, elsewhere):
            server.shutdown()
    assert asked_of_others() == set()


def test_whoever_has_the_key_cannot_replace_the_workers_command_either(stack: Running, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    variables = {"command": f"touch {marker}", "env": {"PYTHONSTARTUP": str(marker)}, "working_dir": str(tmp_path)}
    deployment = stack.api.deployments()["promote"]
    place = f"{stack.api.address}/deployments/{deployment['id']}"
    for name, value in variables.items():
        question = {"job_variables": {name: value}, "parameters": {"model": "A", "version": 1}}
        refused = asked("POST", f"{place}/create_flow_run", json=question, auth=stack.prefect_auth)
        assert not refused.is_success
        assert f"'{name}' was unexpected" in refused.text
    # Prefect does not look at what a run of no deployment brings, nor at what a deployment is changed to.
    asked("PATCH", place, json={"job_variables": variables}, auth=stack.prefect_auth).raise_for_status()
    bare = {
        "flow_id": deployment["flow_id"],
        "work_pool_name": "local-pool",
        "state": {"type": "SCHEDULED"},
        "job_variables": variables,
    }
    made = stack.ask("flow_runs/", bare)["id"]
    of_deployment = {**bare, "deployment_id": deployment["id"], "parameters": {"model": "A-Open", "version": 1}}
    also = stack.ask("flow_runs/", of_deployment)["id"]
    question = {"flow_runs": {"id": {"any_": [made, also]}}}
    ended = ("CRASHED", "FAILED", "COMPLETED")
    wait_until(lambda: all(found["state_type"] in ended for found in stack.ask("flow_runs/filter", question)))
    said = {found["id"]: found["state"]["message"] for found in stack.ask("flow_runs/filter", question)}
    assert "A-Open" in said[also], "the flow itself ran, and found no such model"
    assert not marker.exists()
    asked("PATCH", place, json={"job_variables": {}}, auth=stack.prefect_auth).raise_for_status()


def test_what_is_written_is_the_owners_alone_whatever_the_umask(stack: Running) -> None:
    """But for Prefect's copy of its own pages, whose folders keep their modes within one that is closed."""
    pages = stack.home / "prefect" / "ui"
    open_to_others = {
        str(file): oct(file.stat().st_mode & 0o777)
        for file in (stack.home, *stack.home.rglob("*"))
        if file.stat().st_mode & (0o022 if file.is_relative_to(pages) and file != pages else 0o077)
    }
    assert open_to_others == {}
    assert (stack.home / "prefect" / "prefect.db").is_file()
    assert (stack.home / "mlflow.db").is_file()


def test_each_part_has_a_temporary_folder_of_its_own_in_the_state_directory(stack: Running) -> None:
    folders = {part.name: Path(psutil.Process(part.pid).environ()["TMPDIR"]) for part in stack.state.parts if part.pid}
    assert set(folders) == {"mlflow", "prefect", "serving", "worker"}
    assert len({folder.parent for folder in folders.values()}) == 1
    for name, folder in folders.items():
        assert folder.name == name
        assert folder.parent.parent == stack.home / "tmp"
        assert folder.is_dir()


def test_the_keys_stand_in_one_file_and_on_no_command_line(stack: Running) -> None:
    """But for the worker's temporary files, where Prefect hands a run its environment: they go when the stack ends."""
    keys = stack.keys
    words = {keys.secret, keys.mlflow, keys.prefect.partition(":")[2], keys.proof}
    files = [file for file in stack.home.parent.rglob("*") if file.is_file()]
    holding = [file for file in files if any(word.encode() in file.read_bytes() for word in words)]
    temporary = stack.home / "tmp"
    assert [file for file in holding if not file.is_relative_to(temporary)] == [stack.home / "secret"]
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        assert not any(word in line for word in words), line
    told = run(stack.home, "status", "--links", "--json")
    assert not any(word in told.stdout + told.stderr for word in words)


def test_commands_on_the_same_state_directory_are_let_in_and_others_are_not(stack: Running, tmp_path: Path) -> None:
    servers = {"MLFLOW_TRACKING_URI": stack.mlflow_address, "PREFECT_API_URL": stack.api.address}
    done = run(stack.home, "clean", "--dry-run", "--json", **servers)
    assert done.returncode == 0, done.stderr
    refused = run(tmp_path / "var", "history", "META-Open", "--json", **servers)
    assert refused.returncode == 2
    assert "401" in json.loads(refused.stdout)["error"]["have"]
    assert "MLFLOW_TRACKING_TOKEN" in json.loads(refused.stdout)["error"]["have"]
