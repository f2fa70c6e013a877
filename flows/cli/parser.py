"""The command line's options, and the configuration that they spell out."""

import argparse
from collections.abc import Sequence
from datetime import date
from typing import Any, NoReturn

from flows.cli.stack_arguments import stack_commands
from model.errors import UsageError

DESCRIPTION = "Forecasts a stock's next trading day and proves whether the forecast is worth having."
EXIT_CODES = """exit codes:
  0 done (a training whose version the gate refuses is done too)    3 prices unusable or not to be had
  1 a fault of ours                                                 4 a promotion refused by the gate
  2 wrong use or configuration, or a store that cannot be used      5 nothing in Production"""


class _Parser(argparse.ArgumentParser):
    """argparse, with our own errors in place of its own exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"`{self.prog}`", have=message, need="options as in the help", remedy=f"see `{self.prog} --help`"
        )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; UsageError where it cannot be."""
    return parser().parse_args(arguments)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="tomorrow",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _train(commands)
    _catchup(commands)
    _backtest(commands)
    _promote(commands)
    _answers(commands)
    _rollback(commands)
    _history(commands)
    _predict(commands)
    _score(commands)
    _stored_prices(commands)
    stack_commands(commands, _add)
    return top


def _add(commands: Any, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print exactly one JSON object, for other programs")
    return command


def _train(commands: Any) -> None:
    train = _add(
        commands,
        "train",
        "fetch prices, train, evaluate, log, register, and ask the gate",
        "tomorrow train --source csv --prices FB_2012_2020.csv --test-month 2020-01",
    )
    _preset(train)
    train.add_argument("--again", action="store_true", help="train also what was trained before, exactly so")
    train.add_argument(
        "--jobs", type=int, metavar="N", help="with several securities: processes that train (default: one a processor)"
    )


def _catchup(commands: Any) -> None:
    catchup = _add(
        commands,
        "catchup",
        "train and forecast as of each session that was missed, oldest first",
        "tomorrow catchup --preset tutorial",
    )
    _preset(catchup)


def _preset(command: argparse.ArgumentParser) -> None:
    """Options of what is trained and judged once."""
    _prices(command)
    command.add_argument("--preset", default="tutorial", help="the named training configuration (default: tutorial)")
    command.add_argument("--test-month", metavar="YYYY-MM", help="test on that calendar month")
    command.add_argument(
        "--test-sessions", type=int, metavar="N", help="else test on the newest N sessions (default 21)"
    )
    _training(command)


def _backtest(commands: Any) -> None:
    backtest = _add(
        commands,
        "backtest",
        "do the same at many origins of the past, beside the naive forecasts",
        "tomorrow backtest --from 2018-01 --to 2020-11 --refit 12 --presets tutorial,anchored --seeds 5",
    )
    _prices(backtest)
    backtest.add_argument(
        "--presets", default="tutorial", metavar="NAME,...", help="the training configurations (default: tutorial)"
    )
    backtest.add_argument(
        "--from", dest="first", metavar="YYYY-MM", help="the first month (default: a year up to the last one)"
    )
    backtest.add_argument("--to", dest="last", metavar="YYYY-MM", help="the last month (default: the newest there is)")
    backtest.add_argument(
        "--every", default="month", metavar="month|quarter|year", help="how far apart the origins are"
    )
    backtest.add_argument(
        "--refit",
        default="each",
        metavar="each|N|never",
        help="fit anew at each origin (the default), at every N-th, or at the first alone",
    )
    backtest.add_argument(
        "--window",
        default="expanding",
        metavar="expanding|sliding:YEARS",
        help="fit on all that came before (the default), or on so many years before",
    )
    backtest.add_argument("--seeds", type=int, default=1, metavar="N", help="fit each N times, by another seed")
    backtest.add_argument("--statistical", action="store_true", help="AutoETS and AutoARIMA beside them, an extra")
    backtest.add_argument("--jobs", type=int, metavar="N", help="processes that fit (default: one a processor)")
    _training(backtest)


def _training(command: argparse.ArgumentParser) -> None:
    command.add_argument("--column", default="Open", help="the price that is forecast: Open, High, Low or Close")
    command.add_argument("--epochs", type=int, metavar="N", help="passes over the training part")
    command.add_argument("--lookback", type=int, metavar="N", help="sessions in a window: the steps back in time")
    command.add_argument("--batch-size", type=int, metavar="N", help="windows in a step of the optimiser")
    command.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same weights on one machine")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other part of the configuration, such as training.clip_norm=1.0, network.l2=1e-4, "
        "network.kernel_initializer=he_normal, network.units=[32,32]; as often as needed",
    )


def _promote(commands: Any) -> None:
    promote = _add(
        commands,
        "promote",
        "move a version to a stage, through the gate",
        "tomorrow promote META-Open 3 --to production",
    )
    promote.add_argument("model", metavar="MODEL", help="the registered model, such as META-Open")
    promote.add_argument("version", type=int, metavar="VERSION", help="its version's number")
    promote.add_argument("--to", default="Production", metavar="STAGE", help="staging, production, archived or none")
    promote.add_argument("--force", action="store_true", help="past the gate; wants a --reason, and is on record")
    promote.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")


def _answers(commands: Any) -> None:
    for name, summary, example in (
        ("approve", "let a version that waits for a person go to Production", "tomorrow approve META-Open 3"),
        (
            "reject",
            "keep a version that waits for a person out of Production",
            "tomorrow reject META-Open 3 --reason TEXT",
        ),
    ):
        answer = _add(commands, name, summary, example)
        answer.add_argument("model", metavar="MODEL", help="the registered model, such as META-Open")
        answer.add_argument("version", type=int, metavar="VERSION", help="its version's number")
        answer.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")


def _rollback(commands: Any) -> None:
    rollback = _add(
        commands,
        "rollback",
        "give Production back to the version that was there before",
        'tomorrow rollback META-Open --reason "its errors have doubled since Monday"',
    )
    rollback.add_argument("model", metavar="MODEL", help="the registered model, such as META-Open")
    rollback.add_argument("--reason", default="", metavar="TEXT", help="why; it stays on record")


def _history(commands: Any) -> None:
    history = _add(
        commands,
        "history",
        "show which version was in which stage when, by whose decision and why",
        "tomorrow history META-Open --on 2020-06-15",
    )
    history.add_argument("model", metavar="MODEL", help="the registered model, such as META-Open")
    history.add_argument(
        "--on", type=_day, metavar="DATE", help="how it was at the end of that day in New York, and no more"
    )


def _predict(commands: Any) -> None:
    predict = _add(
        commands,
        "predict",
        "pull the Production version, forecast the next session, write it to the ledger",
        "tomorrow predict --source sample",
    )
    _prices(predict)
    predict.add_argument("--column", default="Open", help="the price that is forecast: Open, High, Low or Close")


def _stored_prices(commands: Any) -> None:
    prices = _add(
        commands,
        "prices",
        "show what prices are stored, how fresh they are and what was restated, or fetch them",
        "tomorrow prices --fetch --ticker FB --ticker AAPL",
    )
    _tickers(prices, "whose prices (default: all that are stored, or FB)")
    prices.add_argument("--fetch", action="store_true", help="fetch them from Yahoo, and keep a snapshot of each")
    _acceptance(prices)


def _tickers(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument(
        "--ticker", action="append", default=[], help=f"{what}; as often as there are securities", metavar="TICKER"
    )
    command.add_argument("--tickers-file", metavar="FILE", help="a file with a ticker on each line")


def _acceptance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--accept-restatement",
        action="store_true",
        help="with yahoo: take prices of the past that have changed irregularly for right, on record",
    )


def _score(commands: Any) -> None:
    score = _add(
        commands,
        "score",
        "fill in what happened, judge the forecasts, ask for retraining where that is due",
        "tomorrow score --ticker FB --column Open",
    )
    _prices(score)
    score.add_argument("--column", default="Open", help="the price that was forecast: Open, High, Low or Close")


def _prices(command: argparse.ArgumentParser) -> None:
    _tickers(command, "what is traded (default FB, which is META today)")
    command.add_argument("--source", default="yahoo", metavar="yahoo|csv|sample", help="where prices come from")
    command.add_argument(
        "--prices",
        action="append",
        default=[],
        metavar="FILE",
        help="with csv: a file in the layout of Yahoo's export; as often as there are files",
    )
    command.add_argument(
        "--as-of",
        type=_day,
        metavar="DATE",
        help="use what was known at the close of that day (YYYY-MM-DD), and no later price",
    )
    command.add_argument(
        "--vintage", metavar="HASH", help="with yahoo: exactly the snapshot of that name; its first digits are enough"
    )
    _acceptance(command)
    command.add_argument("--market-seed", type=int, metavar="N", help="with sample: which synthetic market")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, such as 2020-01-31") from None
