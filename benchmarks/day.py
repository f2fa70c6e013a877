"""One day of the daily cycle, through the real flows, at a time that is given to them.

    train at 17:30 in New York, promote what is wanted, predict at 18:15, score at 18:30

Prices: Facebook's from the folder that TOMORROW_TEST_DATA names, else ../shared/data, else the sample market.
"""

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from model.config import ForecasterConfig, NetworkConfig, PriceRequest, TrainingConfig

NEW_YORK = ZoneInfo("America/New_York")
# Fitted in a moment: what these benchmarks measure and break does not depend on the network.
QUICK = ForecasterConfig(
    preset="quick",
    lookback=5,
    network=NetworkConfig(units=(4,), dropout=0.0),
    training=TrainingConfig(epochs=1, batch_size=256),
)
REASON = "somebody has to begin"
# The times of prefect.yaml; scoring follows the forecast.
TRAIN, PREDICT, SCORE = clock_time(17, 30), clock_time(18, 15), clock_time(18, 30)
HAS_SCORE = importlib.util.find_spec("flows.score") is not None


def prices_config() -> PriceRequest:
    """Facebook's prices of 2012 to 2020, where they are to be had."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    file = Path(os.environ.get("TOMORROW_TEST_DATA") or beside) / "FB_2012_2020.csv"
    if file.is_file():
        return PriceRequest(ticker="FB", source="csv", files=(str(file),))
    return PriceRequest(ticker="SAMPLE", source="sample")


def cycle(
    day: date,
    prices: PriceRequest,
    forecaster: ForecasterConfig = QUICK,
    *,
    force: bool = False,
    begins: Callable[[str], object] = lambda _: None,
) -> dict[str, float]:
    """Carry out the cycle of one session; gives the seconds of each flow.

    begins: called with each flow's name before it
    force:  promote what was trained whatever the gate says
    """
    from flows.predict import predict
    from flows.promote import promote
    from flows.runs.clock import clock_at
    from flows.train import train

    seconds: dict[str, float] = {}

    def timed(name: str, at: clock_time, flow: Callable[..., Any], **given: Any) -> Any:
        begins(name)
        start = time.perf_counter()
        with clock_at(datetime.combine(day, at, NEW_YORK)):
            done = flow(**given)
        seconds[name] = time.perf_counter() - start
        return done

    version = timed("train", TRAIN, train, request=prices, forecaster=forecaster).version
    if force:
        timed("promote", TRAIN, promote, model=version.model, version=version.version, force=True, reason=REASON)
    timed("predict", PREDICT, predict, request=prices, or_naive=True)
    if HAS_SCORE:
        from flows.score import score

        timed("score", SCORE, score, request=prices)
    return seconds


@contextmanager
def process_of_its_own() -> Iterator[None]:
    """What a command does before and after its flows, for a process that was forked to run some."""
    from tasks.settings import read_settings
    from tasks.system.prefect_server import orchestrated, prepare_environment

    prepare_environment(read_settings())
    with orchestrated():
        yield


def score_after(day: date, prices: PriceRequest) -> None:
    """Score once more after the session that was forecast on that day."""
    from flows.runs.clock import clock_at
    from flows.score import score
    from model.market.calendar import ExchangeCalendar

    with clock_at(datetime.combine(ExchangeCalendar().next_session(day), SCORE, NEW_YORK)):
        score(request=prices)
