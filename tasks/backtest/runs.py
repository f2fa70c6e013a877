"""A backtest in MLflow: a parent run, and a child run for each forecaster, seed and origin; reuses finished results.

A FINISHED child with the same key is a result, whichever backtest it was computed for. A killed process leaves parent
and children with status RUNNING: the next one with the same plan takes over the parent, closes such children as KILLED,
and computes what is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model.backtest.fit import Fitted
from model.backtest.plan import Fit, Key, Plan
from model.evaluation.evaluation import Evaluation
from model.presets import SHORT
from tasks.backtest.cache_key import origin_keys, plan_key, series_key
from tasks.backtest.evaluation_file import log_evaluation, stored_evaluation
from tasks.backtest.parent_run import KEY, KIND, parent_run
from tasks.settings import Settings
from tasks.system.lock import locked
from tasks.tracking.client import Tracking
from tasks.tracking.experiment import shown
from tasks.tracking.run import Status, TrackedRun, start_run

if TYPE_CHECKING:
    from mlflow.entities import Run

SERIES = "x.backtest.series"
TAKEN_FROM = "x.backtest.taken_from"
PARENT = "mlflow.parentRunId"
PAGE = 1000


class BacktestRuns:
    """The runs of one backtest while it is carried out.

    parent:  the run of the whole backtest
    done:    place (forecaster, seed, origin) -> its evaluation
    resumed: how many of these were computed before
    """

    def __init__(self, parent: TrackedRun, plan: Plan, settings: Settings) -> None:
        self.parent = parent
        self._settings = settings
        self.plan = plan
        self.done: dict[Key, Evaluation] = {}
        self.resumed = 0
        self.fit_seconds = 0.0
        self._keys = origin_keys(plan)
        self._origins = {origin.name: origin for origin in plan.origins}
        self._open: dict[Key, TrackedRun] = {}

    def pending(self) -> tuple[Fit, ...]:
        """The fits that are still needed, each with those of its origins that are not done."""
        found = []
        for fit in self.plan.fits:
            left = {key.origin for key in fit.keys if key not in self.done}
            if left:
                found.append(replace(fit, origins=tuple(origin for origin in fit.origins if origin.name in left)))
        return tuple(found)

    def start(self, fit: Fit) -> None:
        """Open the child runs of a fit that begins."""
        for key in fit.keys:
            if key not in self.done:
                self._open[key] = self._open_child(key)

    def finish(self, fit: Fit, fitted: Fitted) -> None:
        """Store the evaluations of a fit, each with its child run, and close these runs."""
        self.fit_seconds += fitted.fit_seconds
        for key, evaluation in fitted.evaluations.items():
            if key not in self.done:
                self._write(key, self._open.pop(key), evaluation, _fit_params(self.plan, fit))

    def close(self, status: Status) -> None:
        """Close the open child runs, which get no result."""
        for run in self._open.values():
            run.end(status)
        self._open.clear()

    def take_over(self) -> None:
        """Close children that another process left open, and read finished results, of this or another backtest."""
        client, parent = self.parent.client, self.parent.run_id
        for run in _search(self.parent, f"tags.`{PARENT}` = '{parent}' and attributes.status = 'RUNNING'"):
            client.set_terminated(run.info.run_id, "KILLED")
        found = self._finished()
        for key, wanted in self._keys.items():
            for run in found.get(wanted, ()):
                evaluation = self._read(run, key)
                if evaluation is None:
                    continue
                if run.data.tags.get(PARENT) == parent:
                    self.done[key] = evaluation
                else:
                    self._copy(key, run, evaluation)
                self.resumed += 1
                break

    def _finished(self) -> Mapping[str, Sequence["Run"]]:
        """Key -> finished children of any backtest, those of this one first."""
        found: dict[str, list[Run]] = {}
        for forecaster in {key.forecaster for key in self._keys}:
            series = series_key(self.plan, forecaster)
            for run in _search(self.parent, f"tags.`{SERIES}` = '{series}' and attributes.status = 'FINISHED'"):
                found.setdefault(run.data.tags[KEY], []).append(run)
        for runs in found.values():
            runs.sort(key=lambda run: run.data.tags.get(PARENT) != self.parent.run_id)
        return found

    def _read(self, run: "Run", key: Key) -> Evaluation | None:
        """The evaluation of a run; None where it is gone, or is about other sessions or prices."""
        evaluation = stored_evaluation(self.parent.client, self._settings, run.info.run_id)
        if evaluation is None:
            return None
        origin = self._origins[key.origin]
        prices = self.plan.prices
        same = np.array_equal(evaluation.sessions, prices.sessions[origin.start : origin.stop])
        return (
            evaluation
            if same and np.array_equal(evaluation.actual, prices.column(self.plan.column)[origin.start : origin.stop])
            else None
        )

    def _copy(self, key: Key, run: "Run", evaluation: Evaluation) -> None:
        """Store another backtest's result in a child run of this one, too."""
        child = self._open_child(key, {TAKEN_FROM: run.info.run_id})
        params = {name: value for name, value in run.data.params.items() if name.startswith("fit.")}
        self._write(key, child, evaluation, params)

    def _open_child(self, key: Key, tags: Mapping[str, str] | None = None) -> TrackedRun:
        plan = self.plan
        seed = f" seed {key.seed}" if plan.config.seeds > 1 else ""
        return start_run(
            self.parent.client,
            self.parent.experiment_id,
            f"{key.origin} {plan.label(key.forecaster, SHORT)}{seed}",
            {
                PARENT: self.parent.run_id,
                KIND: "origin",
                KEY: self._keys[key],
                SERIES: series_key(plan, key.forecaster),
                "mlflow.source.name": "tomorrow",
                "security": plan.prices.security.ticker,
                "column": plan.column,
                "preset": plan.label(key.forecaster),
                **(tags or {}),
            },
        )

    def _write(self, key: Key, run: TrackedRun, evaluation: Evaluation, params: Mapping[str, Any]) -> None:
        run.log_params({"origin": key.origin, "preset": self.plan.label(key.forecaster), "seed": key.seed, **params})
        run.log_metrics(shown(evaluation.metrics()))
        log_evaluation(run, self._settings, evaluation)
        run.end()
        self.done[key] = evaluation


@contextmanager
def open_backtest(tracking: Tracking, plan: Plan, tags: Mapping[str, str]) -> Iterator[BacktestRuns]:
    """The runs of a backtest, after taking over those of an earlier try; they are closed at the end of the block.

    ConfigurationError where another process works on the same backtest.
    """
    key = plan_key(plan)
    with (
        locked(tracking.settings, f"backtest-{key[:16]}", patience=0, among=tracking.settings.ledger_uri),
        parent_run(tracking.client, tracking.experiment_id(), plan, key, tags) as parent,
    ):
        runs = BacktestRuns(parent, plan, tracking.settings)
        try:
            runs.take_over()
            yield runs
        except Exception:
            runs.close("FAILED")
            raise
        finally:
            # Signals raise no subclass of Exception.
            runs.close("KILLED")


def _fit_params(plan: Plan, fit: Fit) -> dict[str, Any]:
    """The sessions that a fit used: first, last and number."""
    day = plan.prices.day
    return {
        "fit.first": day(fit.first),
        "fit.last": day(fit.stop - 1),
        "fit.sessions": fit.stop - fit.first,
    }


def _search(run: TrackedRun, filter_: str) -> "Iterator[Run]":
    token = None
    while True:
        page = run.client.search_runs([run.experiment_id], filter_, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
