"""The well-known tutorial as a plain script, with which the pipeline is compared.

    .venv/bin/python benchmarks/plain_script.py ../shared/data/FB_training_data.csv ../shared/data/FB_test_data.csv

Reads, scales, cuts windows, fits, predicts; prints one JSON object with seconds by step, losses, the test RMSE in
dollars and its peak memory.
"""

import argparse
import json
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("train", help="the training part, a CSV file in the layout of Yahoo's export")
parser.add_argument("test", help="the test period, in the same layout")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--column", default="Open")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

LOOKBACK = 40
marks = [time.perf_counter()]

import keras  # noqa: E402 - the import is timed
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from keras.layers import LSTM, Dense, Dropout, Input  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402

marks.append(time.perf_counter())

keras.utils.set_random_seed(options.seed)
train = pd.read_csv(options.train)[[options.column]].to_numpy()
test = pd.read_csv(options.test)[[options.column]].to_numpy()
scaler = MinMaxScaler(feature_range=(0, 1))
scaled = scaler.fit_transform(train)
inputs, targets = [], []
for i in range(LOOKBACK, len(scaled)):
    inputs.append(scaled[i - LOOKBACK : i, 0])
    targets.append(scaled[i, 0])
x_train, y_train = np.array(inputs)[:, :, np.newaxis], np.array(targets)
marks.append(time.perf_counter())

model = keras.Sequential([Input((LOOKBACK, 1))])
for layer in range(4):
    model.add(LSTM(units=45, return_sequences=layer < 3))
    model.add(Dropout(0.2))
model.add(Dense(units=1))
model.compile(optimizer="adam", loss="mean_squared_error")
history = model.fit(x_train, y_train, epochs=options.epochs, batch_size=32, verbose=0)
marks.append(time.perf_counter())

known = scaler.transform(np.concatenate([train[-LOOKBACK:], test]))
windows = [known[i - LOOKBACK : i, 0] for i in range(LOOKBACK, len(known))]
predicted = scaler.inverse_transform(model.predict(np.array(windows)[:, :, np.newaxis], verbose=0))
rmse = float(np.sqrt(np.mean((predicted - test) ** 2)))
marks.append(time.perf_counter())

print(
    json.dumps(
        {
            "seconds": dict(zip(("import", "prepare", "fit", "predict"), np.diff(marks).tolist(), strict=True)),
            "train": {"inputs": list(x_train.shape), "targets": list(y_train.shape)},
            "first_loss": history.history["loss"][0],
            "last_loss": history.history["loss"][-1],
            "rmse": rmse,
            "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
