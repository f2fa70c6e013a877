"""The recurrent cells compared on the tutorial's task: the test period's RMSE, the loss, the time, the gradients.

    .venv/bin/python -m benchmarks.cells --keep cells.jsonl
    .venv/bin/python -m benchmarks.cells --fresh --seeds 3 --picture gradients.png

Facebook's Open of 2015 to 2019, tested on January 2020; the preset `tutorial` with each row's changes. Seed after seed,
each row is one fit in this process. Results in the file of --keep are not fitted again; with --fresh nothing is fitted,
and only the gradients of fresh weights are measured. Prices: --data, else the folder that
TOMORROW_TEST_DATA names, else ../shared/data; it holds FB_training_data.csv and FB_test_data.csv.

Each fit has one thread. Times are processor times, which a busy machine changes little, as multiples of the lstm's of
the same seed.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.config import EvaluationConfig, ForecasterConfig, preset
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import evaluate
from model.evaluation.metrics import rmse
from model.evaluation.split import Split, split_prices
from model.figures.gradients import norms_figure
from model.forecaster.scaling import fit_recipe
from model.market.security import Security
from model.training.fit import train_forecaster
from model.training.gradients import fresh_norms, gradient_norms
from tasks.prices.sources.files.read import read_files
from tasks.system.keras_backend import prepare_fitting

ROWS: dict[str, dict[str, Any]] = {
    "simple_rnn": {"network": {"cell": "simple_rnn"}},
    "lstm": {"network": {"cell": "lstm"}},
    "peephole": {"network": {"cell": "peephole"}},
    "coupled": {"network": {"cell": "coupled"}},
    "gru": {"network": {"cell": "gru"}},
    "simple_rnn, recurrent_initializer=random_normal": {
        "network": {"cell": "simple_rnn", "recurrent_initializer": "random_normal"}
    },
    "simple_rnn, recurrent_initializer=identity": {
        "network": {"cell": "simple_rnn", "recurrent_initializer": "identity"}
    },
    "simple_rnn, clip_norm=1": {"network": {"cell": "simple_rnn"}, "training": {"clip_norm": 1.0}},
}
PICTURED = ("simple_rnn, recurrent_initializer=random_normal", "lstm")


def main() -> None:
    """Fit what is not there yet, and print the table."""
    options = _options()
    prepare_fitting()
    split = _split(options.data)
    rows = {name: row for name, row in ROWS.items() if options.rows is None or name in options.rows.split(";")}
    if options.fresh:
        _show_fresh(split, rows, options)
        return
    kept = _kept(options.keep)
    for seed in range(options.seeds):
        for name, row in rows.items():
            if (name, seed, options.epochs) in kept:
                continue
            figures = {"row": name, "seed": seed, "epochs": options.epochs, **_fitted(split, row, seed, options.epochs)}
            kept[name, seed, options.epochs] = figures
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(figures) + "\n")
            print(f"{name}, seed {seed}: {figures['cpu_seconds']:.0f} s of the processor", file=sys.stderr)
    wanted = [at for at in kept.values() if at["epochs"] == options.epochs and at["seed"] < options.seeds]
    print(_table({name: [at for at in wanted if at["row"] == name] for name in rows}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rows", help="only these rows of the table, separated by semicolons")
    parser.add_argument("--keep", type=Path, help="a file of results, one JSON object per line: read, and added to")
    parser.add_argument("--fresh", action="store_true", help="only the gradients of fresh weights")
    parser.add_argument("--picture", type=Path, help="with --fresh: draw those of PICTURED to this file")
    parser.add_argument("--data", type=Path)
    return parser.parse_args()


def _split(wanted: Path | None) -> Split:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = wanted or Path(os.environ.get("TOMORROW_TEST_DATA") or beside)
    files = [str(folder / name) for name in ("FB_training_data.csv", "FB_test_data.csv")]
    prices = read_files(files, Security(ticker="META"))
    return split_prices(prices, EvaluationConfig(test_month="2020-01"), preset("tutorial").lookback)


def _kept(file: Path | None) -> dict[tuple[str, int, int], dict[str, Any]]:
    if file is None or not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {(line["row"], line["seed"], line["epochs"]): line for line in lines}


def _fitted(split: Split, row: dict[str, Any], seed: int, epochs: int) -> dict[str, Any]:
    """One fit of the preset, changed as the row says."""
    import keras

    keras.backend.clear_session()
    config = _config(row, seed, epochs)
    start = time.process_time()
    forecaster = train_forecaster(split.train, config)
    seconds = time.process_time() - start
    judged = evaluate(forecaster.predict, split, config.column)
    norms = gradient_norms(forecaster, split.train)
    return {
        "rmse": judged.rmse,
        "last_loss": forecaster.losses[-1],
        "cpu_seconds": seconds,
        "naive": {naive_label(name): rmse(judged.actual, values) for name, values in judged.naive.items()},
        **(norms.ratios() if norms else {}),
    }


def _config(row: dict[str, Any], seed: int, epochs: int = 1) -> ForecasterConfig:
    raw = preset("tutorial").model_dump()
    raw["network"] |= row["network"]
    raw["training"] |= {**row.get("training", {}), "seed": seed, "epochs": epochs}
    return ForecasterConfig.model_validate(raw)


def _show_fresh(split: Split, rows: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the gradient ratios before any fit, and draw the first seed's where a picture is asked for."""
    print("| | gradient ratio, fresh weights: median | range |\n| --- | ---: | ---: |")
    panels = {}
    for name in [name for name in rows if "clip" not in name]:
        norms = []
        for seed in range(options.seeds):
            config = _config(rows[name], seed)
            norms.append(fresh_norms(config, fit_recipe(split.train, config), split.train))
        ratios = [float(of_seed[0][0] / of_seed[0][-1]) for of_seed in norms]
        print(f"| {name} | {statistics.median(ratios):.1e} | {min(ratios):.1e} to {max(ratios):.1e} |", flush=True)
        if name in PICTURED:
            panels[name] = norms[0]
    if options.picture:
        title = "Gradients of fresh networks by step back in time"
        norms_figure(panels, title, "four layers of 45 units, windows of 40 sessions").savefig(options.picture)


def _table(rows: dict[str, list[dict[str, Any]]]) -> str:
    lstm = {at["seed"]: at["cpu_seconds"] for at in rows.get("lstm", [])}
    lines = [
        "| | seeds | RMSE, median (range) | last loss | gradient ratio, fresh weights | after the fit | time |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in rows.items():
        if not found:
            continue
        times = [at["cpu_seconds"] / lstm[at["seed"]] for at in found if at["seed"] in lstm]
        cells = [
            str(len(found)),
            _spread([at["rmse"] for at in found], lambda value: f"${value:.2f}"),
            f"{statistics.median(at['last_loss'] for at in found):.5f}",
            *(_median(found, key) for key in ("gradient_ratio_start", "gradient_ratio")),
            f"{statistics.median(times):.1f}" if times else "",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    naive: dict[str, float] = next((found[0]["naive"] for found in rows.values() if found), {})
    lines += [f"| naive: {name} | | ${error:.2f} | | | | |" for name, error in naive.items()]
    return "\n".join(lines)


def _median(found: list[dict[str, Any]], key: str) -> str:
    there = [at[key] for at in found if key in at]
    return f"{statistics.median(there):.1e}" if there else ""


def _spread(values: list[float], show: Callable[[float], str]) -> str:
    if len(values) == 1:
        return show(values[0])
    return f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})"


if __name__ == "__main__":
    main()
