"""`make run`: the main job on the sample market, from nothing to a forecast, in one process.

Its day is pinned: whenever it is run, the gate has the same prices to decide on, and lets the preset `anchored` pass.
"""

import sys
from datetime import date
from typing import TYPE_CHECKING

from flows.cli.commands.predict import predict_result
from flows.cli.commands.train import gate_phrase, train_result
from flows.cli.configuration import prepare
from flows.cli.result import CommandResult, rendered
from model.config import PriceRequest, preset
from model.errors import NothingInProduction, PromotionRefused
from model.evaluation.check import text_table
from model.market.security import SAMPLE
from tasks.system.keras_backend import load_backend
from tasks.system.prefect_server import orchestrated

if TYPE_CHECKING:
    from flows.train import TrainReport

PRESET = "anchored"
AS_OF = date(2026, 10, 30)
WHY_LATE = (
    "(It is late because this demonstration's prices end on a day of the past: each run shows the same decision.)"
)


def main() -> int:
    """Train and predict, each as its command would; the exit code is 4 where nothing came into Production."""
    settings, _ = prepare()
    request = PriceRequest(ticker=SAMPLE.ticker, source="sample", as_of=AS_OF)
    _say(f"$ tomorrow train --source sample --as-of {AS_OF} --preset {PRESET}")
    with orchestrated(meanwhile=load_backend):
        from flows.predict import predict
        from flows.runs.clock import now
        from flows.train import train
        from tasks.registry.registry import Registry
        from tasks.tracking.client import open_tracking

        trained = train(request=request, forecaster=preset(PRESET))
        _show(train_result(trained, settings))
        try:
            Registry(open_tracking(settings)).production(trained.version.model, now())
        except NothingInProduction:
            return _end(trained)
        _say(f"\n$ tomorrow predict --source sample --as-of {AS_OF}")
        _show(predict_result(predict(request=request)))
        _say(f"  {WHY_LATE}")
    _say(f"\nEverything is stored in {settings.home}.")
    _say("  make pages     shows runs, figures and stages in MLflow, and the flow runs in Prefect")
    return 0


def _end(trained: "TrainReport") -> int:
    """Say why there is no forecast."""
    decision = trained.decision
    _say("\nThe demonstration ends here, since nothing is in Production to forecast with.")
    _say("\n".join((f"The gate {gate_phrase(decision)}:", *text_table(decision.failed, "  "))))
    return PromotionRefused.exit_code


def _show(result: CommandResult) -> None:
    _say(rendered(result.text, terminal=sys.stdout.isatty()))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
