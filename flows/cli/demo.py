"""`make run`: the main job on the sample market, from nothing to a forecast, in one process.

The preset `anchored` passes the gate there on some days and on others not, since its point forecast ties with naive.
Where it does not, the promotion is forced, on record, to show the rest of the way.
"""

import sys

from flows.cli.commands.predict import predict_result
from flows.cli.commands.promote import promote_result
from flows.cli.commands.train import train_result
from flows.cli.configuration import prepare
from flows.cli.result import CommandResult, rendered
from model.config import PriceRequest, preset
from model.market.security import SAMPLE
from tasks.system.keras_backend import load_backend
from tasks.system.prefect_server import orchestrated

PRESET = "anchored"
REASON = "a demonstration on the sample market"


def main() -> int:
    """Train, promote and predict, each as its command would."""
    settings, _ = prepare()
    request = PriceRequest(ticker=SAMPLE.ticker, source="sample")
    _say(f"$ tomorrow train --source sample --preset {PRESET}")
    with orchestrated(meanwhile=load_backend):
        from flows.predict import predict
        from flows.promote import promote
        from flows.train import train

        trained = train(request=request, forecaster=preset(PRESET))
        _show(train_result(trained, settings))
        version = trained.version
        if version.stage != "Production":
            _say(f'\n$ tomorrow promote {version.model} {version.version} --to production --force --reason "{REASON}"')
            _show(promote_result(promote(model=version.model, version=version.version, force=True, reason=REASON)))
        _say("\n$ tomorrow predict --source sample")
        _show(predict_result(predict(request=request)))
    _say(f"\nEverything is stored in {settings.home}.")
    _say("  make mlflow    shows runs, figures and stages on http://127.0.0.1:5000")
    _say("  make prefect   shows the flow runs on http://127.0.0.1:4200")
    return 0


def _show(result: CommandResult) -> None:
    _say(rendered(result.text, terminal=sys.stdout.isatty()))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
