"""Processor seconds of small fits: preset anchored's compiled program beside the usual loop in PyTorch.

    .venv/bin/python -m benchmarks.small_fit --torch PYTHON-WITH-TORCH

Each fits the same three networks twice in one process: an LSTM of 16 units on 1,600 random windows of 20 sessions by 5,
with the pinball loss at 20 levels, 16 epochs in batches of 64 on all but the newest 250, which judge each epoch. The
first fit includes what a process does once: compilation for ours, almost nothing for PyTorch. Imports are not counted.
Both are started in turn, and the medians are printed. PyTorch is no dependency: PYTHON-WITH-TORCH is in another
environment.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

WINDOWS, HELD_BACK, EPOCHS, BATCH, MEMBERS = 1600, 250, 16, 64, 3


def main() -> None:
    """Run both in turn, and print a table."""
    options = _options()
    if options.fit:
        print(json.dumps(_ours() if options.fit == "ours" else _torch()))
        return
    found: dict[str, list[list[float]]] = {"ours": [], "torch": []}
    for _ in range(options.pairs):
        for which, python in (("ours", sys.executable), ("torch", options.torch)):
            command = [python, str(Path(__file__)), "--fit", which]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TF_CPP_MIN_LOG_LEVEL": "2"}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[which].append(json.loads(done.stdout.splitlines()[-1]))
    print("| processor seconds for three networks | first in a process | again |")
    print("| --- | ---: | ---: |")
    for which, name in (("ours", "anchored's compiled program"), ("torch", "PyTorch, one thread")):
        first, again = (statistics.median(times) for times in zip(*found[which], strict=True))
        print(f"| {name} | {first:.2f} | {again:.2f} |")


def _ours() -> list[float]:
    from random import Random

    import keras
    import numpy as np

    from model.config import PRESETS
    from model.forecaster.windows import Windows
    from model.network.build import build_network
    from model.training.fit_distribution import fit_distribution
    from tasks.system.keras_backend import ONE_THREAD, load_backend

    os.environ.update(ONE_THREAD)
    load_backend()
    config = PRESETS["anchored"]
    training = config.training.model_copy(update={"patience": EPOCHS, "epochs": EPOCHS, "held_back": HELD_BACK})
    rng = np.random.default_rng(0)
    windows = Windows(
        inputs=rng.normal(size=(WINDOWS, config.lookback, 5)).astype(np.float32),
        targets=rng.standard_t(4, size=WINDOWS).astype(np.float32),
        offsets=np.zeros(WINDOWS, np.float32),
        sessions=np.datetime64("2000-01-01") + np.arange(WINDOWS),
    )

    def three() -> float:
        begun = time.process_time()
        for seed in range(MEMBERS):
            keras.utils.set_random_seed(seed)
            draws = Random(seed)
            network = build_network(config.network, config.lookback, 5, 2, draws)
            fit_distribution(network, windows, training, seed, draws, lambda _epoch, _loss: None)
        return time.process_time() - begun

    return [three(), three()]


def _torch() -> list[float]:
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.normal(size=(WINDOWS, 20, 5)).astype(np.float32))
    targets = torch.from_numpy(rng.standard_t(4, size=WINDOWS).astype(np.float32))
    levels = (torch.arange(20) + 0.5) / 20
    quantiles = torch.quantile(targets, levels)
    fitted = WINDOWS - HELD_BACK

    def loss_of(outputs: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        above = (of - outputs[:, 1])[:, None] - torch.exp(outputs[:, 0])[:, None] * quantiles
        return torch.maximum(levels * above, (levels - 1) * above).mean()

    def three() -> float:
        begun = time.process_time()
        for seed in range(MEMBERS):
            torch.manual_seed(seed)
            layer, output = nn.LSTM(5, 16, batch_first=True), nn.Linear(16, 2)
            nn.init.zeros_(output.weight)
            nn.init.zeros_(output.bias)
            adam = torch.optim.Adam([*layer.parameters(), *output.parameters()], lr=0.003)
            for _ in range(EPOCHS):
                for rows in torch.randperm(fitted).split(BATCH):
                    adam.zero_grad()
                    loss_of(output(layer(inputs[rows])[0][:, -1]), targets[rows]).backward()
                    adam.step()
                with torch.no_grad():
                    loss_of(output(layer(inputs[fitted:])[0][:, -1]), targets[fitted:]).item()
        return time.process_time() - begun

    return [three(), three()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="a Python that has torch and NumPy")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--fit", choices=("ours", "torch"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
