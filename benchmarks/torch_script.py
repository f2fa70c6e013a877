"""The tutorial's network in PyTorch, with `nn.LSTM` and the usual loop over batches: another peer of the pipeline.

    PYTHON-WITH-TORCH benchmarks/torch_script.py ../shared/data/FB_training_data.csv ../shared/data/FB_test_data.csv

The same data, network, batch size and optimiser as plain_script.py, and the same JSON object. Needs torch, NumPy and
pandas, and nothing of this project: `pip install -e '.[benchmarks]'`, or an environment of its own.
"""

import argparse
import json
import resource
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("train", help="the training part, a CSV file in the layout of Yahoo's export")
parser.add_argument("test", help="the test period, in the same layout")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--column", default="Open")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

LOOKBACK, UNITS, BATCH = 40, 45, 32
marks = [time.perf_counter()]

import numpy as np  # noqa: E402 - the import is timed
import numpy.typing as npt  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

marks.append(time.perf_counter())

torch.manual_seed(options.seed)
train = pd.read_csv(options.train)[options.column].to_numpy(np.float32)
test = pd.read_csv(options.test)[options.column].to_numpy(np.float32)
low, high = train.min(), train.max()


def scaled_windows(prices: npt.NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D103 - a plain script
    scaled = torch.from_numpy((prices - low) / (high - low))
    return scaled[:-1].unfold(0, LOOKBACK, 1).unsqueeze(-1), scaled[LOOKBACK:].unsqueeze(-1)


x_train, y_train = scaled_windows(train)
marks.append(time.perf_counter())


class Network(nn.Module):  # type: ignore[misc] # noqa: D101 - a plain script; PyTorch need not be here
    def __init__(self) -> None:
        super().__init__()
        # nn.LSTM has no dropout after its last layer; the tutorial has.
        self.layers = nn.LSTM(1, UNITS, num_layers=4, dropout=0.2, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(UNITS, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.output(self.dropout(self.layers(inputs)[0][:, -1]))


network = Network()
optimizer, measure = torch.optim.Adam(network.parameters(), lr=0.001, eps=1e-7), nn.MSELoss()
losses = []
for _ in range(options.epochs):
    total = 0.0
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad()
        loss = measure(network(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    losses.append(total / len(order))
marks.append(time.perf_counter())

network.eval()
with torch.no_grad():
    windows, _ = scaled_windows(np.concatenate([train[-LOOKBACK:], test]))
    predicted = network(windows)[:, 0].numpy() * (high - low) + low
rmse = float(np.sqrt(np.mean((predicted - test) ** 2)))
marks.append(time.perf_counter())

print(
    json.dumps(
        {
            "seconds": dict(zip(("import", "prepare", "fit", "predict"), np.diff(marks).tolist(), strict=True)),
            "train": {"inputs": list(x_train.shape), "targets": [len(y_train)]},
            "first_loss": losses[0],
            "last_loss": losses[-1],
            "rmse": rmse,
            "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
