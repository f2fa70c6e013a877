"""The least that a forecast from the registry costs: import MLflow, load the model, predict.

    export MLFLOW_TRACKING_URI=sqlite:////path/of/var/mlflow.db
    .venv/bin/python benchmarks/bare_predict.py models:/META-Open@production FB_training_data.csv FB_test_data.csv

Knows nothing of this project; prints the forecast.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import mlflow
import pandas as pd

model_uri, *files = sys.argv[1:]
model = mlflow.pyfunc.load_model(model_uri)
prices = pd.concat([pd.read_csv(file, index_col="Date", parse_dates=True) for file in files]).sort_index()
print(float(model.predict(prices)["forecast"].iloc[-1]))
