"""Containerfile and compose.yaml: what they copy from the product agrees with it, and what they must never do.

.ci/check-cluster brings all of it up for real; it needs podman, and minutes.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.operations.stack.deployments import WORK_POOL
from tasks.operations.stack.parts import stack
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.prefect_app import server_variables
from tasks.system.cluster.local import CONFIGURATION
from tasks.system.prefect_server import environment
from tests.project import ROOT
from tests.test_lock import part

CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
MADE_SIMPLE = ("worker.profile.enabled", "nanny.pre-spawn-environ", "scheduler.worker-saturation")
SECRETS = {
    *("MLFLOW_PASSWORD", "LEDGER_PASSWORD", "PREFECT_PASSWORD", "MLFLOW_KEY", "PREFECT_KEY"),
    *("S3_USER", "S3_KEY", "DASK_CERTIFICATE", "DASK_KEY"),
}


def image_variables() -> dict[str, str]:
    """The environment of the product's image."""
    whole = CONTAINERFILE[CONTAINERFILE.index("AS product") :].replace("\\\n", " ")
    (line,) = re.findall(r"^ENV (.*)$", whole, re.MULTILINE)
    return dict(word.split("=", 1) for word in shlex.split(line))


def variables(service: str) -> dict[str, str]:
    return dict(SERVICES[service]["environment"])


def test_the_image_has_the_environment_that_commands_give_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is started without our command, and its runs have its environment."""
    for name in image_variables():
        monkeypatch.delenv(name, raising=False)
    ours = environment(Settings(home=Path("/state")), quiet=False)
    # What a worker of a server elsewhere never needs: Prefect's own server, and no proxy for servers of this machine.
    left_out = {name for name in ours if "EPHEMERAL" in name or name.lower() == "no_proxy"}
    assert {name: value for name, value in ours.items() if name not in left_out}.items() <= image_variables().items()


def test_a_service_of_prefect_has_the_environment_of_our_own(tmp_path: Path) -> None:
    (ours,) = [part for part in stack(Settings(home=tmp_path), None).parts if part.name == "prefect"]
    theirs = variables("prefect")
    names = {name for name in ours.variables if name.startswith("PREFECT_") and name not in image_variables()}
    elsewhere = {name for name in names if "EPHEMERAL" in name or name == "PREFECT_API_URL"}
    assert names - elsewhere <= set(theirs)
    for name in ("PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED", "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"):
        assert theirs[name] == ours.variables[name]
    from tasks.system.access.guard import Door

    guarded = server_variables(Door("http://127.0.0.1:4200", "proof"), "key")
    assert set(guarded) - set(theirs) == {"TOMORROW_GUARD_PROOF"}  # a new one at each start
    assert "export TOMORROW_GUARD_PROOF=" in SERVICES["prefect"]["command"][0]
    assert variables("worker-1")["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(durations.HEARTBEAT)


def test_both_servers_are_started_behind_the_guard() -> None:
    assert " tasks.system.access.prefect_app:create " in SERVICES["prefect"]["command"][0]
    assert " --app-name tomorrow " in SERVICES["mlflow"]["command"][0]
    asked_for = {"mlflow": ("TOMORROW_GUARD_TOKEN", "${MLFLOW_KEY}")}
    asked_for["prefect"] = ("PREFECT_SERVER_API_AUTH_STRING", "${PREFECT_KEY}")
    assert {server: (name, variables(server)[name]) for server, (name, _) in asked_for.items()} == asked_for


def test_workers_take_work_from_our_pool_and_make_none_of_their_own() -> None:
    for worker in ("worker-1", "worker-2"):
        (command,) = SERVICES[worker]["command"]
        assert f" --pool {WORK_POOL} " in command
        assert command.endswith(" --no-create-pool-if-not-found\n")


def test_dask_is_configured_as_our_own_processes_are_and_takes_no_work_without_a_certificate() -> None:
    for service in ("scheduler", "dask-worker-1", "dask-worker-2"):
        given = variables(service)
        assert given["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        for name in (
            "scheduler.http.routes",
            "worker.http.routes",
            "worker.profile.enabled",
            "nanny.pre-spawn-environ",
        ):
            key = f"DASK_DISTRIBUTED__{name.upper().replace('.', '__').replace('-', '_')}"
            assert yaml.safe_load(given[key]) == CONFIGURATION[f"distributed.{name}"]
    assert " --protocol tls " in SERVICES["scheduler"]["command"][0]
    assert variables("worker-1")["TOMORROW_CLUSTER"].startswith("tls://")


def test_every_secret_comes_from_the_environment_and_a_missing_one_is_told() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?[^}]{10,}\}", COMPOSE))
    assert needed == SECRETS
    # And nothing else of the environment decides what is asked for.
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    others = {"TOMORROW_IMAGE", "POSTGRESQL_IMAGE", "SEAWEEDFS_IMAGE", "BASE", "TOMORROW_WEBHOOK", "UP_OPTIONS"}
    assert used == SECRETS | others | {"MLFLOW_PORT", "PREFECT_PORT", "SERVE_PORT"}


def test_nothing_is_published_but_the_pages_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"mlflow", "prefect", "serve"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_or_can_become_it(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert service["read_only"] is True
    assert "user" not in service
    assert "privileged" not in service


def test_each_image_runs_as_a_user_of_its_own() -> None:
    stages = re.split(r"^FROM ", CONTAINERFILE, flags=re.MULTILINE)[1:]
    images = {stage.split()[2]: stage for stage in stages}
    assert {name for name, stage in images.items() if re.search(r"^USER (?!root|0)\w+$", stage, re.MULTILINE)} == {
        *("postgresql", "seaweedfs", "product")
    }


def test_the_extras_of_the_image_are_the_locks() -> None:
    (named,) = re.findall(r"named psycopg ((?:[^>]|\\\n)*?)>", CONTAINERFILE)
    wanted = {"psycopg", *named.replace("\\", " ").split()}
    for name in wanted:
        assert f"\n{name}==" in part("tools")
    assert {"boto3", "psycopg-binary", "s3fs"} <= wanted


def test_neither_history_nor_state_nor_secrets_go_into_an_image() -> None:
    lines = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed & {".git", "var", "cluster.env", "tests", "docs", "benchmarks"} == set()
    assert {"flows", "tasks", "model", "requirements.lock"} <= allowed
    assert all((ROOT / name).exists() for name in allowed)
    assert "cluster.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the secrets")
def test_new_secrets_are_made_once_and_readable_for_their_owner_alone(tmp_path: Path) -> None:
    compose = tmp_path / "compose"
    compose.write_text(f'#!/bin/sh\n[ "$1" = ps ] && env >>"{tmp_path}/given"\n', encoding="utf-8")
    compose.chmod(0o755)
    file = tmp_path / "secrets"
    given = {**os.environ, "COMPOSE": str(compose), "SECRETS": str(file)}
    for name in SECRETS:
        given.pop(name, None)

    def compose_is_given() -> dict[str, str]:
        (tmp_path / "given").unlink(missing_ok=True)
        subprocess.run([ROOT / ".ci" / "cluster", "ps"], env=given, check=True, capture_output=True)
        whole = (tmp_path / "given").read_text(encoding="utf-8")
        found = dict(re.findall(r"^(\w+)=((?:.|\n(?!\w+=))*)", whole, re.MULTILINE))
        return {name: found[name] for name in SECRETS}

    first = compose_is_given()
    assert file.stat().st_mode & 0o777 == 0o600
    assert all(re.fullmatch(r"(tomorrow:)?[0-9a-f]{48}", first[name]) for name in SECRETS if "DASK" not in name)
    assert len(set(first.values())) == len(SECRETS)
    assert "BEGIN CERTIFICATE" in first["DASK_CERTIFICATE"]
    assert "PRIVATE KEY" in first["DASK_KEY"]
    assert compose_is_given() == first
    file.unlink()
    # A new file, new secrets: whoever has learnt the old ones is let in no more.
    assert not set(compose_is_given().values()) & set(first.values())


@pytest.mark.parametrize("openssl", ["", "#!/bin/sh\nexit 1\n"], ids=["missing", "failing"])
def test_secrets_that_cannot_be_made_are_no_half_file_and_a_missing_openssl_is_told(
    tmp_path: Path, openssl: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "mktemp", "rm", "mv", "cat", "realpath"):
        (programs / name).symlink_to(str(shutil.which(name)))
    if openssl:
        (programs / "openssl").write_text(openssl, encoding="utf-8")
        (programs / "openssl").chmod(0o755)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    places = {"PATH": programs, "SECRETS": tmp_path / "secrets", "TMPDIR": scratch}
    given = {"COMPOSE": "true", **{name: str(place) for name, place in places.items()}}
    done = subprocess.run(
        [str(shutil.which("bash")), ROOT / ".ci" / "cluster", "ps"],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert ("There is no openssl here" in done.stderr) == (not openssl)
    assert not list(tmp_path.glob("secrets*"))
    assert not list(scratch.iterdir())


def test_without_curl_nothing_is_started_and_it_is_told_at_once(tmp_path: Path) -> None:
    programs, secrets, started = tmp_path / "programs", tmp_path / "secrets", tmp_path / "started"
    programs.mkdir()
    for name in ("bash", "dirname", "realpath", "touch"):
        (programs / name).symlink_to(str(shutil.which(name)))
    secrets.touch()
    done = subprocess.run(
        [str(shutil.which("bash")), ROOT / ".ci" / "cluster", "up"],
        env={"COMPOSE": f"touch {started}", "PATH": str(programs), "SECRETS": str(secrets)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "There is no curl here" in done.stderr) == (2, True)
    assert not started.exists()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the secrets")
def test_a_command_in_a_container_puts_no_secret_on_a_command_line(tmp_path: Path) -> None:
    """The processes of other users can be listed; podman-compose's own `exec` names each variable with its value."""
    for name, says in {"podman-compose": "", "podman": '[ "$1" = ps ] && echo 0123'}.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{tmp_path}/called"\n{says}\nexit 0\n', encoding="utf-8")
        program.chmod(0o755)
    given = {**os.environ, "SECRETS": str(tmp_path / "secrets"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [str(ROOT / ".ci" / "cluster"), "exec", "-T", "worker-1", "tomorrow", "status"]
    subprocess.run(command, env={**given, "COMPOSE": "podman-compose"}, check=True, capture_output=True)
    asked, called = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    assert "label=com.docker.compose.service=worker-1" in asked
    assert called == "podman exec --interactive 0123 tomorrow status"
