"""Questions to Prefect's server over HTTP: what is scheduled, who works, what has died.

Prefect itself is not imported, since that takes seconds, and `tomorrow status` shall be quick. What a server cannot
answer for a moment, because it is busy or starts again, is asked again; each question may be asked twice.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError
from tasks.system import durations
from tasks.system.patience import PASSING, patiently

if TYPE_CHECKING:
    import httpx

MOST = 200  # what Prefect gives in one answer
STARTING = "see whether it runs: tomorrow status; start it with: tomorrow up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A run of a deployment that is to start, and when."""

    deployment: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """The API of one Prefect server; ConfigurationError where it does not answer, or refuses.

    key:       what the server asks for; None where it asks for nothing
    rides_out: so many seconds a question is asked again that got no answer, or one that may pass
    sleep:     waits between two tries, and may do something meanwhile
    """

    address: str
    key: str | None = field(default=None, repr=False)
    rides_out: float = durations.RIDE_OUT
    sleep: Callable[[float], None] = time.sleep

    def is_online(self, pool: str, worker: str, since: datetime) -> bool | None:
        """Whether Prefect has heard from a worker since, and still does; None where Prefect does not answer."""
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
        """Make the work pool of that name, of processes, where there is none.

        renew: whether to change what the jobs of one that is there are made of
        """
        found = self._ask("work_pools/filter", {"work_pools": {"name": {"any_": [pool]}}})
        if found and renew:
            self._ask(f"work_pools/{pool}", {"base_job_template": template}, method="PATCH")
        elif not found:
            self._ask("work_pools/", {"name": pool, "type": "process", "base_job_template": template})

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Every deployment by its name."""
        return {found["name"]: found for found in self._ask("deployments/filter", {"limit": MOST})}

    def scheduled(self) -> tuple[ScheduledRun, ...]:
        """The next run of each deployment, the earliest first."""
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
        """Set every unfinished run of a worker to crashed; their names. To be called while that worker does not run.

        A run whose process died together with its worker would count as running for ever, and its deployment, which
        may have one run at a time, would start no other. What another worker of the pool runs is left alone.
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

        A worker writes its name on a run when it has taken it. One that died in between left a run without a name: it
        may be anybody's, and is this worker's where no other one of the pool is heard from.
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
        """Have a deployment run now; the run's name and id. With the same key it is the same run, and no second one."""
        found = self.deployments().get(deployment)
        if found is None:
            raise self._refusal(f"it has no deployment {deployment}", remedy="put it back into prefect.yaml")
        run = self._ask(f"deployments/{found['id']}/create_flow_run", {"idempotency_key": key})
        return run["name"], run["id"]

    def emit(self, event: Mapping[str, Any]) -> None:
        """Record an event, for automations to act on."""
        written = {**event, "id": str(event["id"]), "occurred": event["occurred"].isoformat()}
        self._ask_once("events", [written])

    def set_parameters(self, deployment: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Override parameters of a deployment, beside those that it has."""
        merged = {**deployment["parameters"], **parameters}
        self._ask(f"deployments/{deployment['id']}", {"parameters": merged}, method="PATCH")

    def set_tags(self, deployment: dict[str, Any], tags: Iterable[str]) -> None:
        """Give a deployment these tags, which its runs have, too."""
        self._ask(f"deployments/{deployment['id']}", {"tags": sorted(tags)}, method="PATCH")

    def reschedule(self, deployment: dict[str, Any], schedule: dict[str, Any], to: dict[str, Any]) -> None:
        """Have a schedule of a deployment start its runs at other times."""
        place = f"deployments/{deployment['id']}/schedules/{schedule['id']}"
        self._ask(place, {"schedule": to}, method="PATCH")

    def pause(self, deployment: dict[str, Any], schedules: Iterable[str]) -> None:
        """Pause the schedules of these slugs."""
        for schedule in deployment["schedules"]:
            if schedule["slug"] in set(schedules):
                place = f"deployments/{deployment['id']}/schedules/{schedule['id']}"
                self._ask(place, {"active": False}, method="PATCH")

    def _ask_once(self, path: str, question: object) -> Any:
        """Ask what is asked again soon in any case, or what nobody shall wait for."""
        import httpx

        try:
            answer = self._send("POST", path, question, durations.ASK_PREFECT)
        except httpx.HTTPError as error:
            raise self._refusal(f"no answer ({type(error).__name__})") from None
        return self._content(answer, "POST", path)

    def _ask(self, path: str, question: object, method: str = "POST") -> Any:
        """Ask until there is an answer, or `rides_out` seconds have gone by."""
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
    """Whether a server may have been away for a moment alone; an address of another kind stays one."""
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

    # As Prefect's own clients send it.
    headers = {"Authorization": f"Basic {b64encode(key.encode()).decode()}"} if key else {}
    # A proxy is for the world outside, not for servers of this machine.
    return httpx.Client(timeout=patience, trust_env=False, headers=headers)
