"""`make run`: the main job on the sample market, from nothing to a forecast, in one process.

The preset `anchored` often passes the gate there, since the market has an overnight move that can be learned a little.
Where it does not, the promotion is forced, on record, to show the rest of the way.
"""

import sys

from flows.cli.all_commands import prepare
from model.config import PriceRequest, preset
from model.market.security import SAMPLE
from tasks.system.keras_backend import load_backend
from tasks.system.prefect_server import orchestrated

PRESET = "anchored"
REASON = "a demonstration on the sample market"


def main() -> int:
    """Train, promote and predict, each as its command would."""
    settings, _ = prepare()
    prices = PriceRequest(ticker=SAMPLE.ticker, source="sample")
    _say(f"tomorrow train --source sample --preset {PRESET}")
    with orchestrated(meanwhile=load_backend):
        from flows.cli.output import predict_text, promote_text, train_text
        from flows.predict import predict
        from flows.promote import promote
        from flows.train import train

        trained = train(request=prices, forecaster=preset(PRESET))
        _say(train_text(trained, settings))
        version = trained.version
        if version.stage != "Production":
            _say(f'tomorrow promote {version.model} {version.version} --to production --force --reason "{REASON}"')
            _say(promote_text(promote(model=version.model, version=version.version, force=True, reason=REASON)))
        _say("tomorrow predict --source sample")
        _say(predict_text(predict(request=prices)))
    _say(f"\nEverything lies in {settings.home}.")
    _say("  make mlflow    shows runs, figures and stages on http://127.0.0.1:5000")
    _say("  make prefect   shows the flow runs on http://127.0.0.1:4200")
    return 0


def _say(text: str) -> None:
    prompt = "\n$ " if text.startswith("tomorrow ") else ""
    print(f"{prompt}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
