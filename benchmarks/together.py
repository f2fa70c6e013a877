"""The table of "Many securities together" in docs/how-far.md: what five securities prove, and what all of them do.

    .venv/bin/python -m benchmarks.together --data FOLDER

FOLDER is as for benchmarks/evidence. Proofs of 1,250 sessions up to the end of November 2020, fitted anew every 252.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.evidence_runs import COLUMNS, FILES, LAST, prices_of

SESSIONS, REFIT_EVERY, HORIZONS = 1250, 252, (2, 5, 10, 21)


def main() -> None:
    """Print the odds of each security and of all together, at each horizon."""
    from model.backtest.further_proof import further_proof
    from model.backtest.list_proof import ListProof

    parser = argparse.ArgumentParser(description="What five securities prove ahead, each and all together.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the files of prices")
    folder = parser.parse_args().data
    whole = {ticker: prices_of(ticker, folder) for ticker in FILES}
    prices = {
        ticker: each.rows(0, int(np.searchsorted(each.sessions, np.datetime64(LAST))) + 1)
        for ticker, each in whole.items()
    }
    print(f"| sessions ahead | column | {' | '.join(FILES)} | all together | mean skill |")
    print(f"| ---: | --- |{' ---: |' * (len(FILES) + 2)}")
    for horizon in HORIZONS:
        for column in COLUMNS:
            proofs = {
                ticker: further_proof(each, len(each) - SESSIONS, column, horizon, REFIT_EVERY)
                for ticker, each in prices.items()
            }
            together = ListProof(proofs=proofs)
            odds = [f"{each.odds:,.{1 if each.odds < 10 else 0}f}" for each in (*proofs.values(), together)]
            print(f"| {horizon} | {column} | {' | '.join(odds)} | {together.crps_skill:+.4f} |", flush=True)


if __name__ == "__main__":
    main()
