"""What each command does: configuration first, so that a mistake is told at once, then the flow, then the answer.

Every function takes the parsed options and gives the JSON object and the text of its answer. Flows are imported
within, after the environment is prepared: Prefect and MLflow read it when they are imported.
"""

from argparse import Namespace
from typing import Any

from flows.configuration import column, evaluation_config, forecaster_config, prices_config
from model.config import PricesConfig
from tasks.orchestrator import orchestrated, prepare_environment
from tasks.settings import Settings, read_settings

Answer = tuple[dict[str, Any], str]


def train(options: Namespace) -> Answer:
    """`tomorrow train`."""
    prices, forecaster, evaluation = prices_config(options), forecaster_config(options), evaluation_config(options)
    settings = prepare(prices)
    from tasks.backend import load_backend

    with orchestrated(meanwhile=load_backend):
        from flows.output import train_json, train_text
        from flows.train import train as flow

        report = flow(prices=prices, forecaster=forecaster, evaluation=evaluation)
    return train_json(report), train_text(report, settings)


def promote(options: Namespace) -> Answer:
    """`tomorrow promote`."""
    from tasks.version import parse_stage

    stage = parse_stage(options.to)
    prepare()
    with orchestrated():
        from flows.output import promote_json, promote_text
        from flows.promote import promote as flow

        report = flow(
            model=options.model, version=options.version, to=stage, force=options.force, reason=options.reason
        )
    return promote_json(report), promote_text(report)


def predict(options: Namespace) -> Answer:
    """`tomorrow predict`."""
    prices, wanted = prices_config(options), column(options.column)
    prepare(prices)
    from tasks.backend import load_backend

    with orchestrated(meanwhile=load_backend):
        from flows.output import predict_json, predict_text
        from flows.predict import predict as flow

        report = flow(prices=prices, column=wanted)
    return predict_json(report), predict_text(report)


def prepare(prices: PricesConfig | None = None) -> Settings:
    """Read the settings and set up this process; a wrong request for prices is told before anything starts."""
    settings = read_settings()
    prepare_environment(settings)
    if prices is not None:
        from tasks.fetch import wanted_security

        wanted_security(prices, settings)
    return settings
