"""Requests to Prefect's server over HTTP: deployments, scheduled runs, workers, unfinished runs.

Prefect itself is not imported, since that takes seconds, and `tomorrow status` is to be quick. Requests are repeated
while a server is busy or restarting, so each of them must be safe to send twice.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError
from tasks.system import durations
from tasks.system.patience import PASSING, patiently

if TYPE_CHECKING:
    import httpx

MOST = 200  # as many as Prefect gives in one answer
STARTING = "see whether it runs: tomorrow status; start it with: tomorrow up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A scheduled run of a deployment, and when it is to start."""

    deployment: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """The API of one Prefect server; its methods raise ConfigurationError where it does not answer, or refuses.

    key:       the server's key; None where it needs none
    rides_out: for how many seconds to repeat a request after no answer, or a temporary one
    sleep:     waits between two tries, and may do something meanwhile
    """

    address: str
    key: str | None = field(default=None, repr=False)
    rides_out: float = durations.RIDE_OUT
    sleep: Callable[[float], None] = time.sleep

    def is_online(self, pool: str, worker: str, since: datetime) -> bool | None:
        """Whether Prefect has heard from a worker after `since`, and counts it as online; None without an answer."""
        try:
            known = self._ask_once(f"work_pools/{pool}/workers/filter", {})
        except ConfigurationError:
            return None
        return any(
            found["name"] == worker
            and found["status"] == "ONLINE"
            and datetime.fromisoformat(found["last_heartbeat_time"]) >= since
            for found in known
        )

    def set_pool(self, pool: str, template: Mapping[str, Any], *, renew: bool) -> None:
        """Make the work pool of that name, of type process, where there is none.

        renew: whether to replace the job template of an existing one
        """
        found = self._ask("work_pools/filter", {"work_pools": {"name": {"any_": [pool]}}})
        if found and renew:
            self._ask(f"work_pools/{pool}", {"base_job_template": template}, method="PATCH")
        elif not found:
            self._ask("work_pools/", {"name": pool, "type": "process", "base_job_template": template})

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Name -> deployment."""
        return {found["name"]: found for found in self._ask("deployments/filter", {"limit": MOST})}

    def scheduled(self) -> tuple[ScheduledRun, ...]:
        """The next run of each deployment, earliest first."""
        names = {found["id"]: name for name, found in self.deployments().items()}
        question = {
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            "sort": "NEXT_SCHEDULED_START_TIME_ASC",
            "limit": MOST,
        }
        first: dict[str, ScheduledRun] = {}
        for run in self._ask("flow_runs/filter", question):
            name = names.get(run["deployment_id"])
            if name is not None and name not in first:
                at = datetime.fromisoformat(run["next_scheduled_start_time"] or run["expected_start_time"])
                first[name] = ScheduledRun(deployment=name, name=run["name"], at=at)
        return tuple(first.values())

    def crash_unfinished(self, pool: str, worker: str, reason: str) -> tuple[str, ...]:
        """Set every unfinished run of a worker to crashed; returns their names. To be called while it does not run.

        Else a run whose process died with its worker would count as running for ever, and its deployment, which may
        have only one run at a time, would start no other. The runs of other workers of the pool are left alone.
        """
        runs = self._unfinished(pool, worker, self._ask)
        for run in runs:
            state = {"type": "CRASHED", "name": "Crashed", "message": reason}
            self._ask(f"flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        return tuple(run["name"] for run in runs)

    def running(self, pool: str, worker: str) -> int:
        """How many runs of a worker are not finished."""
        return len(self._unfinished(pool, worker, self._ask_once))

    def _unfinished(self, pool: str, worker: str, ask: Callable[[str, object], Any]) -> list[dict[str, Any]]:
        """The unfinished runs of a worker.

        A worker writes its name on a run when it has taken it. A worker that died before that left a run without a
        name. Such a run counts as this worker's if Prefect hears from no other worker of the pool.
        """
        runs: list[dict[str, Any]] = []
        for start in count(0, MOST):
            page = ask("flow_runs/filter", {**_unfinished(pool), "limit": MOST, "offset": start})
            runs += page
            if len(page) < MOST:
                break
        ours = [run for run in runs if _worker_of(run) == worker]
        nobodys = [run for run in runs if _worker_of(run) is None]
        if nobodys:
            known = ask(f"work_pools/{pool}/workers/filter", {})
            is_alone = not any(found["name"] != worker and found["status"] == "ONLINE" for found in known)
            return [*ours, *(nobodys if is_alone else ())]
        return ours

    def create_run(self, deployment: str, key: str) -> tuple[str, str]:
        """Start a run of a deployment now; returns its name and id. A repeated key gives the same run again."""
        found = self.deployments().get(deployment)
        if found is None:
            raise self._refusal(f"it has no deployment {deployment}", remedy="put it back into prefect.yaml")
        run = self._ask(f"deployments/{found['id']}/create_flow_run", {"idempotency_key": key})
        return run["name"], run["id"]

    def emit(self, event: Mapping[str, Any]) -> None:
        """Record an event, for automations to act on."""
        written = {**event, "id": str(event["id"]), "occurred": event["occurred"].isoformat()}
        self._ask_once("events", [written])

    def _ask_once(self, path: str, question: object) -> Any:
        """Send a request once: it is sent again soon in any case, or is not worth waiting for."""
        import httpx

        try:
            answer = self._send("POST", path, question, durations.ASK_PREFECT)
        except httpx.HTTPError as error:
            raise self._refusal(f"no answer ({type(error).__name__})") from None
        return self._content(answer, "POST", path)

    def _ask(self, path: str, question: object, method: str = "POST") -> Any:
        """Repeat a request until there is an answer, for at most `rides_out` seconds."""
        import httpx

        try:
            answer = patiently(
                lambda: self._send(method, path, question, durations.CHANGE_PREFECT),
                self.rides_out,
                after_error=_may_end,
                after_answer=lambda answer: answer.status_code in PASSING,
                sleep=self.sleep,
            )
        except httpx.HTTPError as error:
            raise self._refusal(f"no answer for {self.rides_out:g} s ({type(error).__name__})") from None
        return self._content(answer, method, path)

    def _send(self, method: str, path: str, question: object, patience: float) -> "httpx.Response":
        with _client(patience, self.key) as client:
            return client.request(method, f"{self.address.rstrip('/')}/{path}", json=question)

    def _content(self, answer: "httpx.Response", method: str, path: str) -> Any:
        if not answer.is_success:
            raise self._refusal(f"it answers {answer.status_code} to {method} {path}: {answer.text[:200]}")
        return answer.json() if answer.content else None

    def _refusal(self, have: str, remedy: str = STARTING) -> ConfigurationError:
        return ConfigurationError(
            f"Prefect's server at {self.address}", have=have, need="a Prefect server of this release", remedy=remedy
        )


def _may_end(error: BaseException) -> bool:
    """Whether an error may be temporary; an address with another protocol is not."""
    import httpx

    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _worker_of(run: Mapping[str, Any]) -> str | None:
    name = (run.get("labels") or {}).get("prefect.worker.name")
    return None if name is None else str(name)


def _unfinished(pool: str) -> dict[str, Any]:
    return {
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
        "work_pools": {"name": {"any_": [pool]}},
    }


def _client(patience: float, key: str | None = None) -> "httpx.Client":
    import httpx

    # The header that Prefect's own clients send.
    headers = {"Authorization": f"Basic {b64encode(key.encode()).decode()}"} if key else {}
    # trust_env=False: a proxy must not be used for this machine's servers.
    return httpx.Client(timeout=patience, trust_env=False, headers=headers)
