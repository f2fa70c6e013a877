"""The story of a run in the log that Prefect's pages show: one line for each thing that a reader wants to know."""

import logging
import sys
from typing import TYPE_CHECKING

from prefect import runtime
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from flows.runs.wording import (
    forecast_sentence,
    further_sentence,
    intervals_in_brackets,
    live_sentence,
    made_by,
    score_sentences,
)
from model.backtest.further_result import verdict_ahead
from model.backtest.html_report import verdict
from model.evaluation.baselines import naive_label
from model.presets import preset_label
from tasks.backtest.proofs import KeptProof, NoProof
from tasks.operations.run_log import set_up_log
from tasks.prefect_tasks import start_timing
from tasks.settings import Settings, read_settings
from tasks.system.state_directory import check_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from model.backtest.result import BacktestResult
    from model.config import ForecasterConfig
    from model.evaluation.decision import Decision
    from model.evaluation.gate import Gate
    from model.evaluation.split import Split
    from model.market.money import Money
    from model.market.prices import Prices
    from tasks.forecasts.scoring import Scored
    from tasks.ledger.forecasts import RecordedForecast
    from tasks.operations.expired import Expired
    from tasks.prices.fetch import FetchedPrices
    from tasks.registry.gate import Proofs
    from tasks.registry.version import RegisteredVersion


def start_run() -> dict[str, float]:
    """Begin a run: its log is set up; gives the table of seconds by step, filled in as the steps end.

    ConfigurationError where its deployment is for another state directory, MLflow or ledger.
    """
    set_up_log()
    check_places_of_run(read_settings())
    return start_timing()


def check_places_of_run(settings: Settings) -> None:
    """ConfigurationError where the run's deployment is for another state directory, MLflow or ledger."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        check_places(context.flow_run.tags, settings)


def log_prices(fetched: "FetchedPrices") -> None:
    """What was fetched."""
    prices = fetched.prices
    get_run_logger().log(
        logging.WARNING if fetched.stale else logging.INFO,
        f"Prices of {prices.security.ticker} from {prices.source}: {len(prices)} sessions, {prices.first} to "
        f"{prices.last}; {fetched.verdict}{', stale' if fetched.stale else ''}.",
    )


def log_accepted(notes: "Sequence[str]") -> None:
    """How the prices contradict those that an earlier version was trained on, and who has accepted that."""
    for note in notes:
        get_run_logger().warning(note)


def log_windows(split: "Split", rows: int) -> None:
    """The number of windows to train on, where one forecast needs `rows` rows, and the test period."""
    get_run_logger().info(
        f"{len(split.train) - rows} windows to train on; {split.n_test} sessions to test on, {split.first_test} to "
        f"{split.last_test}."
    )


def log_preset(forecaster: "ForecasterConfig") -> None:
    """The preset, with its changes."""
    get_run_logger().info(f"Preset: {preset_label(forecaster)}.")


def log_waiting(line: str) -> None:
    """That a run waits, and for whom; at the command line also on the terminal, which Prefect's log does not reach."""
    get_run_logger().warning(line)
    if runtime.deployment.id is None:
        sys.stderr.write(f"tomorrow: {line}\n")


def log_errors(metrics: "Mapping[str, float]", money: "Money") -> None:
    """The scores on the test period beside those of the best naive distribution and forecast."""
    for sentence in score_sentences(metrics, money):
        get_run_logger().info(sentence)


def log_proofs(proofs: "Proofs", gate: "Gate") -> None:
    """What is known of the skill of each configuration that the gate asks for."""
    for kept in proofs.every.values():
        claim = kept.proof.claim(gate.needed) if isinstance(kept, KeptProof) else f"there is none: {kept.why}"
        get_run_logger().info(f"Proof: {claim}.")
    for ahead, proof in proofs.further.items():
        claim = f"there is none: {proof.why}" if isinstance(proof, NoProof) else proof.claim(gate.needed)
        get_run_logger().info(f"Proof {ahead} sessions ahead: {claim}.")


def log_decision(version: "RegisteredVersion", decision: "Decision | None", decided: str | None = None) -> None:
    """Each check of the gate, what was decided, on the version's record or just now, and the stage that it is in."""
    logger = get_run_logger()
    for reason in decision.reasons if decision else ():
        logger.info(f"Gate: {reason}")
    logger.info(f"{version.headline(decided)}.")


def log_pulled(model: str, version: "RegisteredVersion | None") -> None:
    """The version that forecasts, or that there is none."""
    logger = get_run_logger()
    if version is None:
        logger.info(f"No version of {model} is in Production: the best naive distribution is recorded.")
        return
    logger.info(f"{version.model} {version.named} is in Production, and forecasts.")
    for note in version.notes:
        logger.warning(note)


def log_too_new(version: "RegisteredVersion", prices: "Prices", newest: "date") -> None:
    """That a version does not forecast, since it knows sessions after the newest price, up to `newest`."""
    get_run_logger().warning(
        f"{version.model} {version.named} knows the sessions up to {newest}: as of {prices.last} the best naive "
        "distribution is recorded in its place."
    )


def log_forecast(made: "RecordedForecast", *, created: bool) -> None:
    """The forecast with its intervals, who made it, the naive one beside it, and whether the ledger had it already."""
    logger, money = get_run_logger(), made.money
    logger.info(
        f"{made.ticker} {made.column} on {made.session}: {money.price(made.forecast)}{intervals_in_brackets(made)}; "
        f"naive ({naive_label(made.naive_name)}) {money.price(made.naive)}. By {made_by(made)}."
    )
    if made.explanation is not None:
        logger.info(f"{made.explanation.sentence}.")
    if made.late:
        logger.warning("Late: it was made after its session had opened, and is not scored.")
    logger.info(
        "Recorded in the ledger." if created else f"In the ledger already, made at {made.made_at:%F %H:%M} UTC."
    )


def log_further(rows: "Iterable[RecordedForecast]") -> None:
    """The forecasts further ahead, each on a line."""
    for row in rows:
        get_run_logger().info(f"{row.horizon} sessions ahead: {forecast_sentence(row)}.")


def log_score(scored: "Scored", filled: int, filled_further: int = 0) -> None:
    """How many prices were filled in, how the forecasts have done, and whether retraining is requested."""
    logger, judged = get_run_logger(), scored.judged
    logger.info(f"Filled in the actual price of {filled} of {len(scored.rows)} forecasts.")
    if scored.further:
        made = sum(len(each.rows) for each in scored.further)
        logger.info(f"Filled in the actual price of {filled_further} of {made} forecasts of later sessions.")
    if judged is None:
        logger.info("No version's forecast to judge yet." if scored.counted else "Nothing to score yet.")
    else:
        logger.info(f"Scored {len(judged.sessions)} forecasts.")
        for sentence in score_sentences(judged.metrics(), judged.money):
            logger.info(sentence)
    if (live := live_sentence(scored)) is not None:
        logger.info(live)
    for each in scored.further:
        logger.info(further_sentence(each))
    for reason in scored.advice.reasons:
        logger.info(f"Monitoring: {reason}")
    logger.info(f"{'Retraining' if scored.advice.retrain else 'No retraining'} is requested.")


def log_backtest(result: "BacktestResult") -> None:
    """How each preset compares with the naive forecasts over all origins."""
    logger = get_run_logger()
    logger.info(f"{result.subject}, {result.period}: {len(result.reference.sessions)} sessions.")
    for preset in result.presets:
        logger.info(verdict(preset))
    for ahead, judged in result.further.items():
        logger.info(verdict_ahead(ahead, judged))


def log_missed(model: str, due: "Sequence[date]", missed: int) -> None:
    """Which sessions are caught up."""
    left = f"; {missed - len(due)} more are too long ago" if missed > len(due) else ""
    get_run_logger().info(f"{model}: {len(due)} sessions to catch up{left}.")


def log_cleaned(expired: "Sequence[Expired]", notes: "Sequence[str]", *, dry_run: bool) -> None:
    """What was found changed by hand in MLflow, and how much was removed, or would be."""
    for note in notes:
        get_run_logger().warning(note)
    get_run_logger().info(f"{len(expired)} expired things {'would be removed' if dry_run else 'removed'}.")
