"""What each command does: configuration first, so that a mistake is told at once, then the flow, then the answer.

Every function takes the parsed options and gives the JSON object and the text of its answer. Flows are imported
within, after the environment is prepared: Prefect and MLflow read it when they are imported.
"""

import os
from argparse import Namespace
from collections.abc import Sequence

from flows.cli.options import column, evaluation_config, forecaster_config, jobs, price_requests, tickers
from flows.cli.result import Answer, for_each
from model.config import PriceRequest
from model.errors import UsageError
from tasks.settings import Settings, read_settings
from tasks.system.prefect_server import orchestrated, prepare_environment


def train(options: Namespace) -> Answer:
    """`tomorrow train`."""
    wanted, forecaster, evaluation = price_requests(options), forecaster_config(options), evaluation_config(options)
    processes = jobs(options)
    settings, wanted = prepare(wanted)
    from flows.cli.side_by_side import Training, train_all, train_security

    trainings = {
        prices: Training(request=prices, forecaster=forecaster, evaluation=evaluation, again=options.again)
        for prices in wanted
    }
    if len(trainings) > 1 and processes > 1:
        return train_all(list(trainings.values()), processes, settings.prices.pause)
    from tasks.system.keras_backend import load_backend

    with orchestrated(meanwhile=load_backend):
        return for_each(wanted, settings.prices.pause, lambda prices: train_security(trainings[prices]))


def catchup(options: Namespace) -> Answer:
    """`tomorrow catchup`."""
    wanted, forecaster, evaluation = price_requests(options), forecaster_config(options), evaluation_config(options)
    settings, wanted = prepare(wanted)
    from tasks.system.keras_backend import load_backend

    with orchestrated(meanwhile=load_backend):
        from flows.catchup import catchup as flow
        from flows.cli.output import catchup_json, catchup_text

        def run(prices: PriceRequest) -> Answer:
            report = flow(request=prices, forecaster=forecaster, evaluation=evaluation)
            return Answer(catchup_json(report), catchup_text(report))

        return for_each(wanted, settings.prices.pause, run)


def backtest(options: Namespace) -> Answer:
    """`tomorrow backtest`."""
    from flows.cli.backtest_configuration import backtest_config, forecaster_configs

    wanted, config, forecasters = price_requests(options), backtest_config(options), forecaster_configs(options)
    processes = jobs(options)
    settings, wanted = prepare(wanted)
    from tasks.backtest.fit_pool import fitting_workers

    with fitting_workers(processes), orchestrated():
        from flows.backtest import backtest as flow
        from flows.cli.commands.backtest import backtest_json, backtest_text

        def run(prices: PriceRequest) -> Answer:
            report = flow(request=prices, backtest=config, forecasters=forecasters, jobs=processes)
            return Answer(backtest_json(report), backtest_text(report, settings))

        return for_each(wanted, settings.prices.pause, run)


def promote(options: Namespace) -> Answer:
    """`tomorrow promote`."""
    from tasks.registry.version import parse_stage

    stage = parse_stage(options.to)
    prepare()
    with orchestrated():
        from flows.cli.output import promote_json, promote_text
        from flows.promote import promote as flow

        report = flow(
            model=options.model, version=options.version, to=stage, force=options.force, reason=options.reason
        )
    return Answer(promote_json(report), promote_text(report))


def approve(options: Namespace) -> Answer:
    """`tomorrow approve`."""
    prepare()
    with orchestrated():
        from flows.cli.output import promote_json, promote_text
        from flows.promote import approve as flow

        report = flow(model=options.model, version=options.version, reason=options.reason)
    return Answer(promote_json(report), promote_text(report))


def reject(options: Namespace) -> Answer:
    """`tomorrow reject`."""
    prepare()
    with orchestrated():
        from flows.cli.output import promote_json, promote_text
        from flows.promote import reject as flow

        report = flow(model=options.model, version=options.version, reason=options.reason)
    return Answer(promote_json(report), promote_text(report))


def rollback(options: Namespace) -> Answer:
    """`tomorrow rollback`."""
    prepare()
    with orchestrated():
        from flows.cli.output import promote_json, promote_text
        from flows.promote import rollback as flow

        report = flow(model=options.model, reason=options.reason)
    return Answer(promote_json(report), promote_text(report))


def history(options: Namespace) -> Answer:
    """`tomorrow history`: without Prefect, since nothing is computed."""
    settings, _ = prepare()
    from flows.cli.commands.history import history_json, history_text
    from flows.cli.history_report import read_history

    report = read_history(options.model, settings, options.on)
    return Answer(history_json(report), history_text(report))


def predict(options: Namespace) -> Answer:
    """`tomorrow predict`."""
    wanted, name = price_requests(options), column(options.column)
    settings, wanted = prepare(wanted)
    from tasks.tracking.model_artifact import load_libraries

    with orchestrated(meanwhile=load_libraries):
        from flows.cli.output import predict_json, predict_text
        from flows.predict import predict as flow

        def run(prices: PriceRequest) -> Answer:
            report = flow(request=prices, column=name)
            return Answer(predict_json(report), predict_text(report))

        return for_each(wanted, settings.prices.pause, run)


def score(options: Namespace) -> Answer:
    """`tomorrow score`."""
    wanted, name = price_requests(options), column(options.column)
    settings, wanted = prepare(wanted)
    with orchestrated():
        from flows.cli.commands.score import score_json, score_text
        from flows.score import score as flow

        def run(prices: PriceRequest) -> Answer:
            report = flow(request=prices, column=name)
            return Answer(score_json(report), score_text(report))

        return for_each(wanted, settings.prices.pause, run)


def prices(options: Namespace) -> Answer:
    """`tomorrow prices`: without Prefect, whose server would take longer to start than the prices to fetch."""
    from flows.cli.commands.prices import exit_code, fetch_json, fetch_text, stock_json, stock_text
    from flows.cli.prices_report import fetch_all, named_securities, stocktaking

    settings, _ = prepare()
    named = named_securities(tickers(options), settings)
    if not options.fetch:
        holdings = stocktaking(named, settings)
        return Answer(stock_json(holdings), stock_text(holdings, in_full=bool(named)))
    outcomes = fetch_all(named, settings, accept_restatement=options.accept_restatement)
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    return Answer(fetch_json(outcomes), fetch_text(outcomes), exit_code(outcomes))


def clean(options: Namespace) -> Answer:
    """`tomorrow clean`."""
    if options.older_than is not None and options.older_than < 0:
        raise UsageError("--older-than", have=str(options.older_than), need="days, 0 or more", remedy="correct it")
    prepare()
    with orchestrated():
        from flows.clean import clean as flow
        from flows.cli.commands.clean import clean_json, clean_text

        report = flow(older_than=options.older_than, dry_run=options.dry_run)
    return Answer(clean_json(report), clean_text(report))


def up(options: Namespace) -> Answer:
    """`tomorrow up`: it imports neither Prefect nor MLflow, which run in processes of their own."""
    from flows.cli.commands.up import given_prices, up, with_ports

    wanted = given_prices(options)
    settings, _ = prepare(() if wanted is None else (wanted,))
    report = up(with_ports(settings, options), os.environ.get("PREFECT_API_URL"), wanted)
    return Answer({"ended_by": report.asked, "restarts": report.restarts}, f"The stack has ended ({report.asked}).")


def status(options: Namespace) -> Answer:  # noqa: ARG001 - it has none but --json
    """`tomorrow status`: without Prefect, which it asks over HTTP where it runs."""
    from flows.cli.commands.status import status_json, status_text
    from flows.cli.status_report import take_status

    settings, _ = prepare()
    found = take_status(settings, os.environ.get("PREFECT_API_URL"))
    return Answer(status_json(found), status_text(found))


def prepare(wanted: Sequence[PriceRequest] = ()) -> tuple[Settings, tuple[PriceRequest, ...]]:
    """Read the settings and set up this process; a wrong request for prices is told before anything starts.

    Of requests for one security, under its present ticker or another, the first is left.
    """
    settings = read_settings()
    prepare_environment(settings)
    if not wanted:
        return settings, ()
    from tasks.prices.request import wanted_security

    first: dict[str, PriceRequest] = {}
    for prices in wanted:
        first.setdefault(wanted_security(prices, settings).ticker, prices)
    return settings, tuple(first.values())
