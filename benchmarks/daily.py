"""What a start from earlier weights is worth and costs: `daily` beside `anchored`, 35 months, a refit in each month.

    .venv/bin/python -m benchmarks.daily --keep daily-figures
    .venv/bin/python -m benchmarks.daily --keep daily-figures --sides daily --from 2018-01 --to 2018-03

Month by month, in turns, so that a busy machine slows both sides alike: the preset `anchored`, fitted from fresh
weights, and `daily`, the same network started from its own fit of the month before. Each is fitted on the
sessions before the month and judged on the month. One thread, as in a backtest. Prices: --prices, else
FB_2012_2020.csv in the folder that TOMORROW_TEST_DATA names or in ../shared/data.

--keep names a folder for the figures and the lineage's weights: what is there is not computed again, so a run that was
stopped goes on. Prints a table and the ratios over the months that both sides have.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from model.config import EvaluationConfig, PriceRequest, preset
from model.evaluation.split import split_prices
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from model.training.warm_start import Parent, Past, member_weights

HERE = Path(__file__).resolve().parent
SIDES = {"cold": "anchored", "daily": "daily"}
Row = dict[str, Any]


def main() -> None:
    """Measure what is missing, and print all of it."""
    options = _options()
    options.keep.mkdir(parents=True, exist_ok=True)
    figures = options.keep / "figures.jsonl"
    lines = figures.read_text(encoding="utf-8").splitlines() if figures.exists() else []
    rows: dict[tuple[str, str], Row] = {(row["side"], row["month"]): row for row in map(json.loads, lines)}
    months = (
        np.arange(np.datetime64(options.first, "M"), np.datetime64(options.last, "M") + np.timedelta64(1, "M"))
        .astype(str)
        .tolist()
    )
    wanted = [(side, month) for month in months for side in options.sides.split(",")]
    if any(place not in rows for place in wanted):
        prices = _prices(options.prices)
        for side, month in wanted:
            if (side, month) in rows:
                continue
            before = months[months.index(month) - 1] if month != months[0] else None
            parent = _parent(options.keep, rows.get((side, str(before)))) if side == "daily" else None
            row = _measure(side, month, prices, parent, options)
            rows[side, month] = row
            with figures.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{month} {side}: CRPS {row['crps']:.4f}, {row['epochs']} epochs", file=sys.stderr, flush=True)
    _print(rows, months)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--sides", default="cold,daily")
    parser.add_argument("--from", dest="first", default="2018-01")
    parser.add_argument("--to", dest="last", default="2020-11")
    parser.add_argument("--prices", type=Path, help="a file in the layout of Yahoo's export")
    return parser.parse_args()


def _prices(wanted: Path | None) -> Prices:
    from tasks.prices.request import resolve
    from tasks.prices.sources.read import read_prices
    from tasks.settings import read_settings

    beside = HERE.parents[1] / "shared" / "data"
    file = wanted or Path(os.environ.get("TOMORROW_TEST_DATA") or beside, "FB_2012_2020.csv")
    if not file.is_file():
        sys.exit(f"no file {file}")
    settings, now = read_settings(), datetime.now(UTC)
    return read_prices(resolve(PriceRequest(source="csv", files=(str(file),)), settings, now), settings, now)


def _measure(side: str, month: str, prices: Prices, parent: Parent | None, options: argparse.Namespace) -> Row:
    """Fit once and judge on the month; the seconds are the fit's, compilation included."""
    from tasks.system.keras_backend import prepare_fitting

    prepare_fitting()
    import keras

    from model.evaluation.evaluation import evaluate
    from model.training.fit import train_forecaster

    config = preset(SIDES[side])
    keras.backend.clear_session()
    split = split_prices(prices, EvaluationConfig(test_month=month), sessions_needed(config))
    if parent is not None and parent.past.refusal(split.train, config):
        parent = None
    start = time.process_time()
    fitted = train_forecaster(split.train, config, parent=parent)
    seconds = time.process_time() - start
    judged = evaluate(fitted.predict, split, config.column)
    if side == "daily":
        members = member_weights(fitted.network)
        named = {f"{member}_{i}": array for member, each in enumerate(members) for i, array in enumerate(each)}
        np.savez(options.keep / f"{month}.npz", **named)  # type: ignore[arg-type] # NumPy's types take them for options
    return {
        "side": side,
        "month": month,
        "crps": judged.crps,
        "naive_crps": judged.naive_crps,
        "rmse": judged.rmse,
        "naive_rmse": judged.naive_rmse,
        "fit_seconds": fitted.fit_seconds,
        "cpu_seconds": seconds,
        "epochs": len(fitted.losses),
        "generation": fitted.generation,
        "trained_until": fitted.trained_until.isoformat(),
    }


def _parent(folder: Path, row: Row | None) -> Parent | None:
    """The fit of the month before, as it was kept."""
    if row is None:
        return None
    with np.load(folder / f"{row['month']}.npz", allow_pickle=False) as stored:
        members = sorted({int(name.partition("_")[0]) for name in stored.files})
        weights = tuple(
            tuple(stored[name] for name in stored.files if name.startswith(f"{member}_")) for member in members
        )
    past = Past(
        name=f"the fit for {row['month']}",
        config=preset("daily"),
        trained_until=date.fromisoformat(row["trained_until"]),
        generation=row["generation"],
    )
    return Parent(past=past, weights=weights)


def _print(rows: dict[tuple[str, str], Row], months: Sequence[str]) -> None:
    pairs = [(rows.get(("cold", month)), rows.get(("daily", month))) for month in months]
    both = [(cold, daily) for cold, daily in pairs if cold and daily]
    print("| month | naive CRPS | cold CRPS | daily CRPS | daily epochs | generation |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for month, (cold, daily) in zip(months, pairs, strict=True):
        known = cold or daily
        if known:
            cells = [f"{row['crps']:.4f}" if row else "" for row in (cold, daily)]
            cells += [str(daily["epochs"]), str(daily["generation"])] if daily else ["", ""]
            print(f"| {month} | {known['naive_crps']:.4f} | {' | '.join(cells)} |")
    if not both:
        return
    print(f"\n{len(both)} months that both sides have:\n")
    print("| | cold | daily | daily / cold |")
    print("| --- | ---: | ---: | ---: |")
    for name, key, combine in (
        ("mean test CRPS, dollars", "crps", np.mean),
        ("mean test RMSE, dollars", "rmse", np.mean),
        ("fit, seconds in all", "fit_seconds", np.sum),
        ("processor time of the fits, seconds in all", "cpu_seconds", np.sum),
        ("epochs in all", "epochs", np.sum),
    ):
        above, below = (float(combine([pair[side][key] for pair in both])) for side in (1, 0))
        print(f"| {name} | {below:.3f} | {above:.3f} | {above / below:.3f} |")


if __name__ == "__main__":
    main()
