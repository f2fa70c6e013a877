"""What the pipeline adds to the tutorial's plain script, and what a forecast from the registry costs.

    .venv/bin/python -m benchmarks.pipeline --runs 5 --epochs 100
    .venv/bin/python -m benchmarks.pipeline --runs 2 --epochs 3 --json

Whole processes, in turns, so that a busy machine slows both sides alike: the plain script, `tomorrow train` against a
running Prefect server, on SQLite and through an MLflow server, an empty flow that imports the same libraries; with
--peers, an interpreter that has PyTorch and JAX (the extra `benchmarks`), also the same network in PyTorch, and the
plain script on JAX. Prices: --data, else the folder that TOMORROW_TEST_DATA names, else ../shared/data, else the sample
market. Prints tables, or all figures as JSON.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.processes import HERE, TOMORROW, Measured, measure, mlflow_server, prefect_server, script, told

# Our steps by purpose; the time outside all steps is the start: interpreter, imports, Prefect.
PARTS = {
    "fetch": ("fetch", "split", "compare with earlier prices"),
    "fit": ("fit",),
    "evaluate": ("evaluate",),
    "track": ("connect", "log setup", "log results"),
    "package": ("package",),
    "register": ("register",),
    "gate": ("ask the gate", "move", "record"),
}
Figures = defaultdict[str, list[float]]  # by name, one a run


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The training part and the test period, a calendar month, as files in the layout of Yahoo's export."""

    name: str
    train: str
    test: str
    month: str


def main() -> None:
    """Measure, and print the results."""
    options = _options()
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-benchmark-") as folder:
        data = _data(options.data, Path(folder))
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        with prefect_server(Path(folder, "prefect")) as server:
            with mlflow_server(Path(folder)) as tracking:
                # A ledger of its own: versions have numbers, and each MLflow counts from 1.
                ledger = {"TOMORROW_LEDGER_URI": f"sqlite:///{folder}/ledger.db"}
                train = _train(data, options, server, server | tracking | ledger)
            start = _start(data, options, server)
            predict = _predict(data, options, server)
    if options.json:
        figures = {"data": data.name, "epochs": options.epochs, "train": train, "start": start, "predict": predict}
        print(json.dumps(figures, indent=2))
    else:
        print(f"{data.name}, {options.epochs} epochs; median (range) of {options.runs} runs, in seconds\n")
        _print_tables(train, start, predict)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has PyTorch and JAX")
    parser.add_argument("--without-jax", action="store_true", help="with --peers: PyTorch alone")
    parser.add_argument("--data", type=Path, help="the folder that holds FB_training_data.csv and FB_test_data.csv")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _data(wanted: Path | None, folder: Path) -> Data:
    beside = HERE.parents[1] / "shared" / "data"
    place = wanted or Path(os.environ.get("TOMORROW_TEST_DATA") or beside)
    train, test = place / "FB_training_data.csv", place / "FB_test_data.csv"
    if train.is_file() and test.is_file():
        return Data(name="FB, 2015 to 2020-01", train=str(train), test=str(test), month="2020-01")
    if wanted:
        sys.exit(f"no FB_training_data.csv and FB_test_data.csv in {wanted}")
    from model.market.calendar import ExchangeCalendar
    from model.market.synthetic import sample_prices

    frame = sample_prices(date(2020, 1, 31), 0, ExchangeCalendar()).frame()
    train, test = folder / "train.csv", folder / "test.csv"
    frame[frame.index < "2020-01"].to_csv(train)
    frame[frame.index >= "2020-01"].to_csv(test)
    return Data(name="the sample market, 2012 to 2020-01", train=str(train), test=str(test), month="2020-01")


def _ours(data: Data, epochs: int, server: dict[str, str], seed: int = 0) -> tuple[Measured, dict[str, Any]]:
    command = [TOMORROW, "train", "--preset", "tutorial", "--source", "csv", "--prices", data.train]
    command += [
        "--prices",
        data.test,
        "--test-month",
        data.month,
        "--epochs",
        str(epochs),
        "--seed",
        str(seed),
        "--again",
        "--json",
    ]
    run = measure(command, server)
    return run, json.loads(run.output)


def _train(
    data: Data, options: argparse.Namespace, server: dict[str, str], servers: dict[str, str]
) -> dict[str, Figures]:
    """The plain script, a training and the floor under it, in turns; the first training of all makes the databases."""
    plain, ours, served, floor, torch, jax = (Figures(list) for _ in range(6))
    ours["first of all, 1 epoch"].append(_ours(data, 1, server)[0].seconds)
    _ours(data, 1, servers)
    for run in range(options.runs):
        wanted = ("--epochs", str(options.epochs), "--seed", str(run))
        _script(plain, measure(script("plain_script.py", data.train, data.test, *wanted)))
        if options.peers:
            peers = {"torch_script.py": (torch, {}), "plain_script.py": (jax, {"KERAS_BACKEND": "jax"})}
            if options.without_jax:
                del peers["plain_script.py"]
            for name, (figures, variables) in peers.items():
                command = [options.peers, *script(name, data.train, data.test, *wanted)[1:]]
                _script(figures, measure(command, variables))

        for figures, where in ((ours, server), (served, servers)):
            measured, answer = _ours(data, options.epochs, where, run)
            parts = {part: sum(answer["seconds"].get(step, 0.0) for step in steps) for part, steps in PARTS.items()}
            for part, seconds in {**parts, "start-up": measured.seconds - sum(parts.values())}.items():
                figures[part].append(seconds)
            fit = answer["fit"]
            _note(figures, measured, fit["first_loss"], fit["last_loss"], answer["metrics"]["rmse"])

        floor["total"].append(measure(script("empty_flow.py"), server).seconds)
        _progress("training", run, options)
    return {"plain": plain, "ours": ours, "served": served, "floor": floor, "torch": torch, "jax": jax}


def _start(data: Data, options: argparse.Namespace, server: dict[str, str]) -> Figures:
    """The times of the help, and of a training of one epoch without a running Prefect server and with one."""
    figures = Figures(list)
    for run in range(options.runs):
        figures["help"].append(measure([TOMORROW, "--help"]).seconds)
        figures["without a server"].append(_ours(data, 1, {})[0].seconds)
        figures["with a server"].append(_ours(data, 1, server)[0].seconds)
        _progress("start", run, options)
    return figures


def _predict(data: Data, options: argparse.Namespace, server: dict[str, str]) -> Figures:
    """`tomorrow predict` and a bare script with the same model, in turns; both must say the same."""
    model, version = (_ours(data, 1, server)[1][key] for key in ("model", "version"))
    promote = [TOMORROW, "promote", model, str(version), "--to", "production", "--force", "--reason", "benchmark"]
    measure(promote, server)
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{os.environ['TOMORROW_HOME']}/mlflow.db"}
    command = [TOMORROW, "predict", "--source", "csv", "--prices", data.train, "--prices", data.test, "--json"]
    figures = Figures(list)
    for run in range(options.runs):
        ours = measure(command, server)
        bare = measure(script("bare_predict.py", f"models:/{model}@production", data.train, data.test), tracking)
        ours_said, bare_said = json.loads(ours.output)["forecast"], float(bare.output)
        if abs(ours_said / bare_said - 1) > 1e-6:
            sys.exit(f"predict forecasts {ours_said}, the bare script {bare_said}")
        for name, measured in (("ours", ours), ("bare", bare)):
            figures[name].append(measured.seconds)
            figures[f"{name} cpu"].append(measured.cpu)
            figures[f"{name} megabytes"].append(measured.megabytes)
        _progress("predict", run, options)
    return figures


def _script(figures: Figures, measured: Measured) -> None:
    """Note what a plain script printed about itself."""
    answer = json.loads(measured.output)
    for step, seconds in answer["seconds"].items():
        figures[step].append(seconds)
    _note(figures, measured, answer["first_loss"], answer["last_loss"], answer["rmse"])


def _note(figures: Figures, measured: Measured, first_loss: float, last_loss: float, rmse: float) -> None:
    figures["total"].append(measured.seconds)
    figures["cpu"].append(measured.cpu)
    figures["megabytes"].append(measured.megabytes)
    figures["first loss"].append(first_loss)
    figures["last loss"].append(last_loss)
    figures["rmse"].append(rmse)


def _progress(what: str, run: int, options: argparse.Namespace) -> None:
    print(f"{what}: run {run + 1} of {options.runs}", file=sys.stderr)


def _print_tables(train: dict[str, Figures], start: Figures, predict: Figures) -> None:
    plain, ours, floor = train["plain"], train["ours"], train["floor"]
    _print_table(
        ("training", "plain script", "tomorrow train"),
        ("whole process", told(plain["total"]), told(ours["total"])),
        ("processor time", told(plain["cpu"]), told(ours["cpu"])),
        ("imports; start-up with imports", told(plain["import"]), told(ours["start-up"])),
        ("prepare; fetch", told(plain["prepare"]), told(ours["fetch"])),
        ("fit", told(plain["fit"]), told(ours["fit"])),
        ("predict; evaluate", told(plain["predict"]), told(ours["evaluate"])),
        *((part, "", told(ours[part])) for part in ("track", "package", "register", "gate")),
        ("peak memory, MB", told(plain["megabytes"], 0), told(ours["megabytes"], 0)),
        ("last loss", told(plain["last loss"], 5), told(ours["last loss"], 5)),
        ("test RMSE, dollars", told(plain["rmse"]), told(ours["rmse"])),
    )
    overhead, served = (
        [t - f - e for t, f, e in zip(figures["total"], figures["fit"], floor["total"], strict=True)]
        for figures in (ours, train["served"])
    )
    _print_table(
        ("compared, run by run", "", ""),
        ("fit: plain / ours", told(_ratios(plain["fit"], ours["fit"])), "times as fast"),
        ("peak memory: ours / plain", told(_ratios(ours["megabytes"], plain["megabytes"])), ""),
        ("an empty flow with the same imports", told(floor["total"]), "s"),
        ("ours without fit and the empty flow, on SQLite", told(overhead), "s"),
        ("the same, through an MLflow server", told(served), "s"),
        ("last losses: plain; ours", _listed(plain["last loss"], 5), _listed(ours["last loss"], 5)),
        ("test RMSEs: plain; ours", _listed(plain["rmse"]), _listed(ours["rmse"])),
        ("the first training in a new home, 1 epoch", told(ours["first of all, 1 epoch"]), "s"),
    )
    for name, peer in (("PyTorch's nn.LSTM", train["torch"]), ("the plain script on JAX", train["jax"])):
        if peer:
            _print_table(
                (name, "", ""),
                ("fit", told(peer["fit"]), ""),
                ("fit: theirs / ours", told(_ratios(peer["fit"], ours["fit"])), "times as fast"),
                ("last loss", told(peer["last loss"], 5), ""),
                ("test RMSE, dollars", told(peer["rmse"]), ""),
            )
    _print_table(
        ("start", "seconds", ""),
        ("`tomorrow --help`", told(start["help"]), ""),
        ("`tomorrow train`, 1 epoch, with a Prefect server", told(start["with a server"]), ""),
        ("the same without one", told(start["without a server"]), ""),
    )
    _print_table(
        ("predict", "bare script", "tomorrow predict"),
        ("whole process", told(predict["bare"]), told(predict["ours"])),
        ("processor time", told(predict["bare cpu"]), told(predict["ours cpu"])),
        ("peak memory, MB", told(predict["bare megabytes"], 0), told(predict["ours megabytes"], 0)),
        ("time: ours / bare", "", told(_ratios(predict["ours"], predict["bare"]))),
    )


def _ratios(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def _listed(values: list[float], digits: int = 2) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _print_table(*rows: tuple[str, str, str]) -> None:
    for line, row in enumerate(rows):
        print("| " + " | ".join(row) + " |")
        if line == 0:
            print("| --- | --- | --- |")
    print()


if __name__ == "__main__":
    main()
