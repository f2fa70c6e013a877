"""How far a quarter's returns lie from those of the four years before, on price files and on unchanging noise.

    .venv/bin/python -m benchmarks.drift FILE...

Each file is in the layout of Yahoo's export. The table of docs/measures.md is made with it.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from model.evaluation.metrics import ks_distance
from model.market.prices import Values

BEFORE, NEWEST = 1000, 63
LIMITS = (0.2, 0.25, 0.3)


def main(files: list[str]) -> None:
    """Print a line for the noise and for each file."""
    rng = np.random.default_rng(0)
    noise = [ks_distance(rng.normal(size=BEFORE), rng.normal(size=NEWEST)) for _ in range(4000)]
    print("prices | quarters | median | 95 % below | largest |" + "|".join(f" above {limit} " for limit in LIMITS))
    tell("unchanging noise", np.array(noise))
    for file in files:
        with Path(file).open(newline="", encoding="utf-8") as opened:
            closes = np.array([float(row["Close"]) for row in csv.DictReader(opened)])
        returns = np.diff(np.log(closes))
        ends = range(BEFORE + NEWEST, len(returns) + 1)
        distances = [
            ks_distance(returns[end - NEWEST - BEFORE : end - NEWEST], returns[end - NEWEST : end]) for end in ends
        ]
        tell(Path(file).stem, np.array(distances))


def tell(name: str, distances: Values) -> None:
    """Print one line."""
    shares = " | ".join(f"{100 * float(np.mean(distances > limit)):.1f} %" for limit in LIMITS)
    middle, high = np.quantile(distances, [0.5, 0.95])
    print(f"{name} | {len(distances)} | {middle:.2f} | {high:.2f} | {distances.max():.2f} | {shares}")


if __name__ == "__main__":
    main(sys.argv[1:])
